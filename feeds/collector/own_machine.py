"""Our own side: loop lag, steps of our clock, what the process uses. A sample for the judge, a row for frames."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping

from feeds.clock import MS, Clock
from feeds.collector.normal import is_own_late
from feeds.collector.process_usage import Usage, rss_mb
from feeds.frame import Percentiles, SelfRow
from feeds.judge.figures import RouteSignals
from feeds.judge.judge import Judge
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.loop_lag import ClockStep, LoopLag
from feeds.samples import SelfSample


class OwnMachine:
    """``offsets`` are the clock offsets of all routes: when our clock steps, all of them move by that step."""

    def __init__(self, clock: Clock, offsets: Mapping[str, OffsetEstimator]) -> None:
        self._offsets = offsets
        self._lag = LoopLag(clock)
        self._step = ClockStep(clock)
        self._usage = Usage(clock)

    def start(self) -> None:
        self._lag.start()

    def stop(self) -> None:
        self._lag.stop()

    def sample(self, now_ns: int) -> SelfSample:
        """Since the last call."""
        lag = self._lag.read()
        step_ns = self._step.read_ns()
        if step_ns:
            for offset in self._offsets.values():
                offset.stepped(step_ns)
        return SelfSample(
            t_ns=now_ns,
            loop_lag_p50_ms=lag.p50_ms,
            loop_lag_p99_ms=lag.p99_ms,
            loop_lag_max_ms=lag.max_ms,
            clock_step_ms=step_ns / MS,
        )

    def row(self, judge: Judge, signals: Collection[RouteSignals]) -> SelfRow:
        """``cpu_share`` is counted since the last call."""
        own = judge.own()
        rates = [s.msgs_s for s in signals if s.msgs_s is not None]
        return SelfRow(
            loop_lag_ms=Percentiles(own.loop_lag_p50_ms, own.loop_lag_p99_ms),
            witness=own.witness,
            witness_ms=own.witness_ms,
            witness_since_ns=own.witness_since_ns,
            clock=clock_statement(own.clock, self._offsets.values()),
            late=is_own_late(own.loop_lag_p99_ms),
            cpu_share=self._usage.cpu_share(),
            rss_mb=rss_mb(),
            msgs_s=sum(rates) if rates else None,
        )


def clock_statement(stepped: str, offsets: Iterable[OffsetEstimator]) -> str:
    """How our clock compares with the venues', by their median: one venue's wrong clock does not count."""
    best = [(o.offset_ms, o.error_ms) for o in offsets]
    known = [(offset, error) for offset, error in best if offset is not None and error is not None]
    if not known:
        return "not yet compared with any venue's"
    offset_ms = statistics.median(offset for offset, _ in known)
    error_ms = min(error for _, error in known)
    step = "; it stepped lately" if stepped == "stepped" else ""
    if abs(offset_ms) <= error_ms:
        return f"agrees with {len(known)} routes within {error_ms:.1f} ms{step}"
    direction = "behind" if offset_ms > 0 else "ahead of"
    return f"{abs(offset_ms):.1f} ms {direction} the median of {len(known)} routes, ± {error_ms:.1f} ms{step}"
