"""From the kernel's round trips and from TCP connects to findings: the network on the way to a venue."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from feeds.judge.finding import Finding, against, excess, figure, ratio_of
from feeds.judge.link_history import KERNEL_RECENT_S, LinkHistory
from feeds.judge.rest_history import CONNECTS_RECENT, RestHistory
from feeds.judge.rolling import Baseline
from feeds.judge.thresholds import Thresholds
from feeds.model import Cause, Evidence

CONNECTS_MIN = 2
"""One lost SYN alone makes a connect of a second or three."""


def network_findings(rest: RestHistory, links: LinkHistory, active: Collection[str]) -> Iterator[Finding]:
    limits, recent = rest.limits, rest.recent
    value_ms, base = recent.kernel_ms, rest.base_kernel
    if value_ms is not None and _slow_kernel(value_ms, base, limits, "kernel" in active):
        words = f"kernel round trip, REST, last {limits.rest_recent} probes"
        weight = _kernel_weight(value_ms, base)
        yield _network("kernel", words, value_ms, base, weight, signal="tcp_rest_last5_ms")
    value_ms, base = links.kernel_ms, links.base_kernel
    if value_ms is not None and _slow_kernel(value_ms, base, limits, "link_kernel" in active):
        words = f"kernel round trip, websocket, last {figure(KERNEL_RECENT_S)} s"
        weight = _kernel_weight(value_ms, base)
        yield _network("link_kernel", words, value_ms, base, weight, signal="tcp_ws_last8s_ms")
    value_ms, base = recent.connect_ms, rest.base_connect
    if value_ms is None or recent.connects < CONNECTS_MIN:
        return
    if excess(value_ms, base, limits.connect_ratio, limits.connect_floor_ms, "connect" in active):
        # there are few connects: where the kernel's round trip is known, they only help to find the cause
        weight = 1 if recent.kernel_ms is None and links.kernel_ms is None else 0
        words = f"TCP connect, last {CONNECTS_RECENT}"
        yield _network("connect", words, value_ms, base, weight, signal="connect_last3_ms")


def _slow_kernel(value_ms: float, base: Baseline, limits: Thresholds, active: bool) -> bool:
    return excess(value_ms, base, limits.kernel_ratio, limits.kernel_floor_ms, active)


def _kernel_weight(value_ms: float, base: Baseline) -> int:
    return 2 if value_ms >= 3 * (base.value or value_ms) else 1


def _network(key: str, words: str, value_ms: float, base: Baseline, weight: int, *, signal: str) -> Finding:
    return Finding(
        key=key,
        signal=signal,
        evidence=Evidence.KERNEL,
        cause=Cause.PATH,
        weight=weight,
        value=value_ms,
        baseline=base.value,
        ratio=ratio_of(value_ms, base.value),
        text=f"{words}: {figure(value_ms)} ms{against(base.value)}",
    )
