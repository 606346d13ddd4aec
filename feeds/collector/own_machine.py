"""Our own side: loop lag, steps of our clock, what the process uses. A sample for the judge, a row for frames."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Iterable, Mapping

from feeds.clock import MS, Clock
from feeds.collector.normal import is_own_late
from feeds.collector.process_usage import Usage, rss_mb
from feeds.frame import Percentiles, SelfRow
from feeds.judge.figures import RouteSignals
from feeds.judge.judge import Judge
from feeds.judge.time_words import sleep_words, step_words
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.loop_lag import LoopLag
from feeds.measure.time_breaks import TimeBreaks, suspended_clock
from feeds.samples import SelfSample


class OwnMachine:
    """``offsets`` are the clock offsets of all routes: they are void when our clock is set, or we slept."""

    def __init__(
        self,
        clock: Clock,
        offsets: Mapping[str, OffsetEstimator],
        suspended: Callable[[], int] | None = None,
    ) -> None:
        """``suspended``: see ``feeds.measure.time_breaks``; None takes this machine's."""
        self._clock, self._offsets = clock, offsets
        self._lag = LoopLag(clock)
        self._breaks = TimeBreaks(clock, suspended or suspended_clock())
        self._usage = Usage(clock)

    def start(self) -> None:
        self._lag.start()

    def stop(self) -> None:
        self._lag.stop()

    def look(self) -> SelfSample | None:
        """Was our clock set, or did we sleep? To be asked before anything that was measured is used; None: neither."""
        found = self._breaks.look()
        if found is None:
            return None
        mono_ns = self._clock.monotonic_ns()
        if not found.serious:
            for offset in self._offsets.values():
                offset.stepped(found.step_ns)
            return None
        for offset in self._offsets.values():
            offset.interrupted(mono_ns)
        if found.slept_ns:
            self._lag.forget()
        return SelfSample(
            t_ns=self._clock.time_ns(),
            mono_ns=mono_ns,
            loop_lag_p50_ms=None,
            loop_lag_p99_ms=None,
            clock_step_ms=found.step_ns / MS,
            slept_ms=found.slept_ns / MS,
        )

    @property
    def stood_ns(self) -> int:
        """For how long the monotonic clock has stood still in sleeps: what lay in between was not a moment."""
        return self._breaks.stood_ns

    def sample(self) -> SelfSample:
        """How late our event loop was lately."""
        lag = self._lag.read()
        return SelfSample(
            t_ns=self._clock.time_ns(),
            mono_ns=self._clock.monotonic_ns(),
            loop_lag_p50_ms=lag.p50_ms,
            loop_lag_p99_ms=lag.p99_ms,
            loop_lag_max_ms=lag.max_ms,
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
            uplink=own.uplink,
            uplink_since_ns=own.uplink_since_ns,
            clock=clock_statement(own.clock, self._offsets.values()),
            late=is_own_late(own.loop_lag_p99_ms),
            cpu_share=self._usage.cpu_share(),
            rss_mb=rss_mb(),
            msgs_s=sum(rates) if rates else None,
        )


def break_words(found: SelfSample) -> str:
    """For the event log: what happened to our time."""
    words = []
    if found.slept_ms > 0:
        words.append(f"{sleep_words(found.slept_ms)}: nothing was measured")
    if found.clock_step_ms:
        words.append(f"{step_words(found.clock_step_ms)}: ages are measured anew")
    return "; ".join(words)


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
