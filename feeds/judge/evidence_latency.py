"""From the last seconds of one route to findings: what looks wrong about REST, the network and the age of its data.

``held`` names findings that stand already: they are let go only well below the threshold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from feeds.judge.finding import LET_GO, Finding, against, excess, figure, over, percent, ratio_of
from feeds.judge.recent import Recent
from feeds.judge.route_history import RouteHistory
from feeds.model import Cause, Evidence

CONNECTS_MIN = 2
"""One lost SYN alone makes a connect of a second or three."""
AGE_CEILING_MS = 3_000.0
OFFSET_EXPLAINS = 0.6


def rest_findings(track: RouteHistory, now: Recent, held: Collection[str]) -> Iterator[Finding]:
    limits = track.limits
    usual_ms = track.base_rest.value
    if now.rest_ms is not None:
        slow = excess(now.rest_ms, track.base_rest, limits.rest_ratio, limits.rest_floor_ms, "rest" in held)
        strong = excess(now.rest_ms, track.base_rest, limits.rest_strong_ratio, limits.rest_strong_floor_ms, False)
        kernel = f"; the kernel's {figure(now.kernel_ms)}" if now.kernel_ms is not None else ""
        if slow or now.rest_ms >= limits.rest_ceiling_ms:
            yield Finding(
                key="rest",
                signal="rest_p50_ms",
                evidence=Evidence.REST,
                cause=Cause.GATEWAY,
                weight=2 if strong or now.rest_ms >= 2 * limits.rest_ceiling_ms else 1,
                value=now.rest_ms,
                baseline=usual_ms,
                ratio=ratio_of(now.rest_ms, usual_ms),
                raise_s=None if strong else limits.rest_raise_s,
                text=f"REST round trip p50 {figure(now.rest_ms)} ms{against(usual_ms)}{kernel}",
            )
    if now.probes:
        share = now.lost / now.probes
        ease = LET_GO if "lost" in held else 1.0
        if (
            now.lost >= ease * limits.lost_min
            and share >= ease * limits.lost_share
            and not over(now.lost, now.probes, now.since_lost)
        ):
            line = now.lost_on_line * 2 > now.lost
            yield Finding(
                key="lost",
                signal="rest_lost_share",
                evidence=Evidence.REST,
                cause=Cause.PATH if line else Cause.GATEWAY,
                weight=2 if share >= limits.lost_strong_share else 1,
                value=share,
                text=f"{percent(share)} of REST probes lost" + (", most while connecting" if line else ""),
            )
    if now.answers:
        share = now.errors / now.answers
        ease = LET_GO if "errors" in held else 1.0
        enough = now.errors >= ease * limits.error_min and share >= ease * limits.error_share
        if enough and not over(now.errors, now.answers, now.since_error):
            strong = share >= limits.error_strong_share and now.errors >= limits.error_strong_min
            yield Finding(
                key="errors",
                signal="rest_error_share",
                evidence=Evidence.REST,
                cause=Cause.GATEWAY,
                weight=2 if strong else 1,
                value=share,
                text=f"{percent(share)} of REST answers are errors: {now.error_text}",
            )
    if now.tail >= limits.failing_probes and now.tail_lost + now.tail_errors == now.tail:
        what = "lost" if now.tail_lost == now.tail else "failed"
        yield Finding(
            key="failing",
            signal="rest_failed_in_a_row",
            evidence=Evidence.REST,
            cause=Cause.GATEWAY if now.tail_errors else Cause.PATH,
            weight=3,
            value=float(now.tail),
            text=f"the last {now.tail} REST probes all {what}" + (f": {now.error_text}" if now.error_text else ""),
        )
    if now.limited:
        yield Finding(
            key="limited",
            signal="rest_limited",
            evidence=Evidence.OWN,
            cause=Cause.SELF,
            weight=1,
            value=float(now.limited),
            text=f"{now.limited} of the last {now.tail} REST answers say that we ask too much",
        )


def kernel_findings(track: RouteHistory, now: Recent, held: Collection[str]) -> Iterator[Finding]:
    limits = track.limits
    sources = (
        ("kernel", now.kernel_ms, track.base_kernel, "REST"),
        (
            "link_kernel",
            now.link_kernel_ms,
            track.base_link_kernel,
            "websocket",
        ),
    )
    for key, value, base, what in sources:
        if value is not None and excess(value, base, limits.kernel_ratio, limits.kernel_floor_ms, key in held):
            yield Finding(
                key=key,
                signal="tcp_ms" if key == "kernel" else "tcp_ws_ms",
                evidence=Evidence.KERNEL,
                cause=Cause.PATH,
                weight=2 if value >= 3 * (base.value or value) else 1,
                value=value,
                baseline=base.value,
                ratio=ratio_of(value, base.value),
                text=f"kernel round trip ({what}) {figure(value)} ms{against(base.value)}",
            )
    usual_ms = track.base_connect.value
    if (
        now.connect_ms is not None
        and now.connects >= CONNECTS_MIN
        and excess(now.connect_ms, track.base_connect, limits.connect_ratio, limits.connect_floor_ms, "connect" in held)
    ):
        yield Finding(
            key="connect",
            signal="connect_ms",
            evidence=Evidence.KERNEL,
            cause=Cause.PATH,
            # a handful of handshakes an hour: where the kernel tells better, they only help to find the cause
            weight=1 if now.kernel_ms is None and now.link_kernel_ms is None else 0,
            value=now.connect_ms,
            baseline=usual_ms,
            ratio=ratio_of(now.connect_ms, usual_ms),
            text=f"TCP connect {figure(now.connect_ms)} ms{against(usual_ms)}",
        )


def age_findings(track: RouteHistory, now: Recent, held: Collection[str]) -> Iterator[Finding]:
    limits, usual_ms = track.limits, track.base_age.value
    if now.age_ms is not None and not _clock_moved(track, now):
        error_ms = track.feed.offset_err_ms if track.feed is not None else None
        floor_ms = max(limits.age_floor_ms, 3 * (error_ms or 0.0))
        late = excess(now.age_ms, track.base_age, limits.age_ratio, floor_ms, "age" in held)
        if late or (usual_ms is None and now.age_ms >= AGE_CEILING_MS + 3 * (error_ms or 0.0)):
            yield Finding(
                key="age",
                signal="feed_age_p50_ms",
                evidence=Evidence.FEED,
                cause=Cause.FEED,
                weight=2 if now.age_ms - (usual_ms or 0.0) >= limits.age_strong_ms else 1,
                value=now.age_ms,
                baseline=usual_ms,
                ratio=ratio_of(now.age_ms, usual_ms),
                text=f"feed age p50 {figure(now.age_ms)} ms{against(usual_ms)}",
            )
    base = track.base_engine_lag
    if now.engine_lag_ms is not None and excess(
        now.engine_lag_ms, base, limits.engine_lag_ratio, limits.engine_lag_floor_ms, "engine_lag" in held
    ):
        yield Finding(
            key="engine_lag",
            signal="engine_lag_ms",
            evidence=Evidence.FEED,
            cause=Cause.ENGINE,
            weight=2 if now.engine_lag_ms >= limits.engine_lag_strong_ms else 1,
            value=now.engine_lag_ms,
            baseline=base.value,
            ratio=ratio_of(now.engine_lag_ms, base.value),
            text=f"inside the venue, engine to gateway, {figure(now.engine_lag_ms)} ms{against(base.value)}",
        )


def _clock_moved(track: RouteHistory, now: Recent) -> bool:
    """A clock, the venue's or ours, lately moved by as much as the age did: the age may be corrected wrongly."""
    usual_ms = track.base_age.value
    if usual_ms is None or now.age_ms is None or now.offset_span_ms is None:
        return False
    return now.offset_span_ms >= OFFSET_EXPLAINS * abs(now.age_ms - usual_ms)
