"""A probe that the child has timed, as a sample. Here and not in ``probing``: the collector must not load ccxt."""

from __future__ import annotations

from feeds.ccxt_pro.messages import Probed
from feeds.clock import MS
from feeds.measure.clock_offset import OffsetEstimator
from feeds.samples import ProbeSample

SECOND_MS = 1000


def probe_sample(route: str, probed: Probed, offset: OffsetEstimator, now_mono_ns: int) -> ProbeSample:
    """Also gives the exchange to ``offset``, where the venue told its time and no connection had to be made."""
    offset_ms: float | None = None
    if probed.server_ms is not None and probed.sent_ns is not None and probed.rtt_ns is not None and not probed.cold:
        whole_seconds = probed.server_ms % SECOND_MS == 0  # the venue may cut its time to seconds
        offset_ms = offset.add(
            sent_ns=probed.sent_ns,
            rtt_ns=probed.rtt_ns,
            server_ns=probed.server_ms * MS,
            now_mono_ns=now_mono_ns,
            resolution_ns=SECOND_MS * MS if whole_seconds else MS,
            sent_mono_ns=probed.sent_mono_ns,
        )
    return ProbeSample(
        route=route,
        t_ns=probed.scheduled_ns,
        mono_ns=probed.scheduled_mono_ns,
        name=probed.name,
        cold=probed.cold,
        total_ms=probed.total_ms,
        wait_ms=min(probed.wait_ms, probed.total_ms),
        lost=probed.lost,
        failed_at=None,
        status=probed.status,
        fault=probed.fault,
        text=probed.text,
        offset_ms=offset_ms,
    )
