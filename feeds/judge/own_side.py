"""Our own side: our line, our event loop, our clock. Our own trouble is excluded before any venue is judged."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from feeds.judge.rolling import Window, finite, ns
from feeds.judge.thresholds import Thresholds
from feeds.judge.time_words import step_words
from feeds.quantiles import median, percentile
from feeds.samples import SelfSample, WitnessSample

Reach: TypeAlias = Literal["up", "down", "unknown"]
PROBE_TURNS = 2
"""A probe passes the event loop this often between write and read, and may be late each time."""
TOGETHER_S = 10.0
"""Venues that are lost within this time of each other are lost together."""
OUTAGES_KEPT = 64
LONGEST_LAG_MS = 3.6e6
CATCHING_UP_S = 3.0
"""After our line came back, or we woke up, messages that waited meanwhile are late by our fault for this long."""


class OwnState(Struct, frozen=True, kw_only=True):
    """Our own side, for the header. Times are ns since the epoch, ``None`` where nothing was measured."""

    witness: Reach
    witness_ms: float | None
    witness_since_ns: int | None
    uplink: Reach
    uplink_since_ns: int | None
    loop: Literal["ok", "late", "unknown"]
    loop_since_ns: int | None
    loop_lag_p50_ms: float | None
    loop_lag_p99_ms: float | None
    clock: Literal["ok", "stepped", "unknown"]
    clock_since_ns: int | None
    text: str
    """One plain clause: what is wrong on our side, or that nothing is."""


class _Target:
    """One neutral target."""

    __slots__ = ("ever_ok", "failures", "first_failure_ns", "last_ns", "last_ok_ns", "ms")

    def __init__(self) -> None:
        self.ever_ok = False
        self.failures = 0
        self.first_failure_ns: int | None = None
        self.last_ns = 0
        self.last_ok_ns: int | None = None
        self.ms: float | None = None


class OwnSide:
    """Rolling state of our own machine and line. Times are the judge's."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._limits = thresholds
        self._targets: dict[str, _Target] = {}
        self._lag_p50 = Window(thresholds.figures_s)
        self._lag_p99 = Window(thresholds.figures_s)
        self._late: deque[tuple[int, int, float]] = deque(maxlen=400)
        self._self_ns: int | None = None
        self._first_self_ns: int | None = None
        self._outages: deque[tuple[int, int]] = deque(maxlen=OUTAGES_KEPT)
        self._step_ns: int | None = None
        self._step_ms = 0.0
        self._shift_ns: int | None = None
        self._shift_seen_ns: int | None = None
        self._shift_ms = 0.0
        self.witness: Reach = "unknown"
        self.witness_since_ns: int | None = None
        self.uplink: Reach = "unknown"
        self.uplink_since_ns: int | None = None
        self.recovered_ns: int | None = None
        """When our line came back, or we woke up."""
        self.awake_ns: int | None = None
        """When we woke up last; None: we did not sleep."""
        self.awake_words = ""
        """What we woke up from."""
        self.intercepted = False
        """Somebody answers in the place of most venues, with certificates that do not verify."""
        self.patience_s = thresholds.recover_s
        """How long routes may take to come back after ``recovered_ns``."""
        self.line_proven = False
        """A venue was reached, and a witness has been heard about our line: venues may be judged."""
        self._begun_ns: int | None = None
        self.line_in_doubt = False
        """Most venues have just gone out of reach: it may be us."""
        self.loop_late_since_ns: int | None = None
        self._loop_on_time_ns: int | None = None

    def observe_self(self, sample: SelfSample, t_ns: int) -> None:
        lags = (sample.loop_lag_p99_ms, sample.loop_lag_max_ms)
        lag_ms = max((v for v in lags if finite(v) and v < LONGEST_LAG_MS), default=None)
        if lag_ms is not None and self.awake_ns is not None and ns(lag_ms / 1e3) > t_ns - self.awake_ns:
            lag_ms = None  # it is the sleep that is counted there
        start_ns = self._self_ns if self._self_ns is not None else t_ns
        self._self_ns = t_ns
        self._first_self_ns = t_ns if self._first_self_ns is None else self._first_self_ns
        if finite(sample.loop_lag_p50_ms):
            self._lag_p50.add(t_ns, sample.loop_lag_p50_ms)
        if finite(sample.loop_lag_p99_ms):
            self._lag_p99.add(t_ns, sample.loop_lag_p99_ms)
        if lag_ms is not None and lag_ms >= self._limits.own_noise_ms:
            self._late.append((min(start_ns, t_ns - ns(lag_ms / 1e3)), t_ns, lag_ms))
        if finite(sample.clock_step_ms) and abs(sample.clock_step_ms) >= self._limits.clock_step_ms:
            self.note_clock_step(t_ns, sample.clock_step_ms)

    def note_clock_step(self, t_ns: int, step_ms: float) -> None:
        """Our clock stepped: our monotonic clock shows it, or the clocks of most venues do."""
        self._step_ns, self._step_ms = t_ns, step_ms

    def observe_witness(self, sample: WitnessSample, t_ns: int) -> None:
        if not sample.ok and self.awake_ns is not None and t_ns < self.awake_ns:
            return  # it was under way while we slept
        target = self._targets.setdefault(sample.target, _Target())
        target.last_ns = t_ns
        if sample.ok:
            target.ever_ok, target.failures, target.last_ok_ns = True, 0, t_ns
            target.ms = sample.ms if finite(sample.ms) else None
            target.first_failure_ns = None
        else:
            target.failures += 1
            target.ms = None
            target.first_failure_ns = t_ns if target.first_failure_ns is None else target.first_failure_ns

    def note_sleep(self, start_ns: int, end_ns: int, words: str = "", patience_s: float = 0.0) -> None:
        """Nothing at all was measured in this time: a probe that was under way says nothing about a venue."""
        self._outages.append((start_ns, end_ns))
        self.awake_ns = self.recovered_ns = end_ns
        self.awake_words, self.patience_s = words, patience_s
        self._late.clear()
        self._lag_p50.items.clear()
        self._lag_p99.items.clear()
        self.loop_late_since_ns = None

    def just_awake(self, now_ns: int) -> bool:
        """We woke up so lately that what waited meanwhile still comes in."""
        return self.awake_ns is not None and now_ns - self.awake_ns < ns(CATCHING_UP_S)

    def judge(
        self, now_ns: int, contacts: Mapping[str, int], seen_ns: int, *, reached: bool, untrusted: Collection[str]
    ) -> None:
        """``contacts``: by venue, when bytes last came from it (or when we first asked). ``reached``: from any of them
        bytes have come. ``untrusted``: venues whose certificate does not verify here."""
        self.intercepted = len(untrusted) >= 2 and 2 * len(untrusted) >= len(contacts)
        self._begun_ns = now_ns if self._begun_ns is None else self._begun_ns
        self._lag_p50.trim(now_ns)
        self._lag_p99.trim(now_ns)
        while self._late and self._late[0][1] < now_ns - ns(2 * self._limits.figures_s):
            self._late.popleft()
        self._judge_loop(now_ns)
        self._judge_line(now_ns, contacts, seen_ns, reached)

    def _judge_loop(self, now_ns: int) -> None:
        limits = self._limits
        horizon = now_ns - ns(limits.own_late_window_s)
        recent = [(start, lag) for start, end, lag in self._late if end > horizon and lag >= limits.own_late_ms]
        stood_s = sum(lag for _, lag in recent) / 1e3
        late = len(recent) >= limits.own_late_min and stood_s >= limits.own_late_share * limits.own_late_window_s
        late = late or any(lag >= limits.own_late_at_once_ms for _, lag in recent)
        if late and self.loop_late_since_ns is None:
            self.loop_late_since_ns, self._loop_on_time_ns = recent[0][0], None
        elif not late and self.loop_late_since_ns is not None:
            self.loop_late_since_ns, self._loop_on_time_ns = None, now_ns

    def _judge_line(self, now_ns: int, contacts: Mapping[str, int], seen_ns: int, reached: bool) -> None:
        limits = self._limits
        out = [last for last in contacts.values() if seen_ns - last >= ns(limits.contact_s)]
        wavering = sum(seen_ns - last >= ns(limits.doubt_s) for last in contacts.values())
        self.line_in_doubt = wavering >= 2 and 2 * wavering > len(contacts)
        all_out = bool(contacts) and len(out) == len(contacts)
        self._judge_witness(now_ns, reached=len(out) < len(contacts))
        lost_ns = max(contacts.values(), default=now_ns)
        answered_since = any(
            t.last_ok_ns is not None and t.last_ok_ns > lost_ns + ns(1.0) and t.failures == 0
            for t in self._targets.values()
        )
        together = lost_ns - min(contacts.values(), default=now_ns) <= ns(TOGETHER_S)
        line_works = answered_since and (len(contacts) == 1 or not together)
        if all_out and not line_works:
            if self.uplink != "down":
                self.uplink, self.uplink_since_ns, self.recovered_ns = "down", lost_ns, None
        elif len(out) < len(contacts) or answered_since:
            if self.uplink == "down" and self.uplink_since_ns is not None:
                self._outages.append((self.uplink_since_ns - ns(0.5), now_ns))
                self.recovered_ns, self.patience_s = now_ns, limits.recover_s
            if self.uplink != "up":
                self.uplink, self.uplink_since_ns = "up", now_ns
        if not self.line_proven:
            self.line_proven = self._witness_heard(now_ns) if reached else all_out and line_works

    def _witness_heard(self, now_ns: int) -> bool:
        """Has a witness said whether our line works? Where none is asked, nobody waits for it."""
        targets, limits = self._targets.values(), self._limits
        if any(t.ever_ok for t in targets):
            return True
        if targets:
            return all(t.failures >= limits.witness_failures for t in targets)
        return self._begun_ns is not None and now_ns - self._begun_ns >= ns(limits.witness_patience_s)

    def _judge_witness(self, now_ns: int, reached: bool) -> None:
        limits = self._limits
        fresh = [t for t in self._targets.values() if now_ns - t.last_ns <= ns(limits.witness_fresh_s)]
        before = self.witness
        since_ns: int | None = now_ns
        if any(t.failures == 0 for t in fresh):
            self.witness = "up"
        elif fresh and all(t.failures >= limits.witness_failures for t in fresh):
            # a network that never let a witness through, while venues answer, is not a line that is down
            ever = any(t.ever_ok for t in self._targets.values())
            self.witness = "down" if ever or not reached else "unknown"
            since_ns = max((t.first_failure_ns for t in fresh if t.first_failure_ns is not None), default=now_ns)
        elif not fresh:
            self.witness = "unknown"
        if self.witness != before or self.witness_since_ns is None:
            self.witness_since_ns = since_ns if self._targets else None

    @property
    def witness_failed(self) -> bool:
        """A witness that used to answer does not: nothing bad about a venue can be concluded."""
        return self.witness == "down" and any(t.ever_ok for t in self._targets.values())

    @property
    def undisturbed(self) -> bool:
        """Nothing of ours can have spoilt any probe that is kept: no lag, no outage of our line, no sleep."""
        return not self._late and not self._outages and self.uplink != "down"

    def unreachable(self, start_ns: int, end_ns: int) -> bool:
        """Was our line down, or were we asleep, in any part of this time?"""
        if self.uplink == "down" and self.uplink_since_ns is not None and end_ns >= self.uplink_since_ns - ns(0.5):
            return True
        return any(start_ns < until and end_ns > begin for begin, until in self._outages)

    def lag_ms(self, start_ns: int, end_ns: int) -> float:
        """The worst lag of our event loop in this time; 0 where it is only noise."""
        if not self._late:
            return 0.0
        return max((lag for start, end, lag in self._late if start < end_ns and end > start_ns), default=0.0)

    def lag_of_probe_ms(self, start_ns: int, end_ns: int) -> float:
        """The most that our event loop can have added to a probe in this time."""
        return PROBE_TURNS * self.lag_ms(start_ns, end_ns)

    def note_age_shift(self, now_ns: int, shift_ms: float | None) -> None:
        """All venues' ages moved by this much at once while round trips did not; None: they did not."""
        if shift_ms is not None:
            self._shift_ns = now_ns if self._shift_ns is None else self._shift_ns
            self._shift_seen_ns, self._shift_ms = now_ns, shift_ms
        elif self._shift_seen_ns is not None and now_ns - self._shift_seen_ns > ns(self._limits.finding_clear_s):
            self._shift_ns = self._shift_seen_ns = None

    def clock_since_ns(self, now_ns: int) -> int | None:
        """Since when our clock makes ages meaningless; None: it does not."""
        if self._shift_ns is not None and now_ns - self._shift_ns >= ns(1.0):
            return self._shift_ns
        if self._step_ns is not None and now_ns - self._step_ns < ns(self._limits.clock_void_s):
            return self._step_ns
        return None

    def clock_text(self) -> str:
        if self._shift_ns is not None:
            return f"our clock: all feed ages moved by {self._shift_ms:+.0f} ms at once, round trips did not"
        return step_words(self._step_ms)

    @property
    def witness_ms(self) -> float | None:
        return median([t.ms for t in self._targets.values() if t.ms is not None])

    def worst_lag_ms(self, now_ns: int) -> float | None:
        """The worst lag of our event loop in the last 6 s."""
        horizon = now_ns - ns(self._limits.own_late_window_s)
        return max((lag for _, end, lag in self._late if end > horizon), default=None)

    def state(self, now_ns: int) -> OwnState:
        p50 = percentile(sorted(v for _, v in self._lag_p50.items), 0.5)
        p99 = percentile(sorted(v for _, v in self._lag_p99.items), 0.99)
        clock_ns = self.clock_since_ns(now_ns)
        measured = self._self_ns is not None
        return OwnState(
            witness=self.witness,
            witness_ms=self.witness_ms,
            witness_since_ns=self.witness_since_ns,
            uplink=self.uplink,
            uplink_since_ns=self.uplink_since_ns,
            loop="unknown" if not measured else "late" if self.loop_late_since_ns is not None else "ok",
            loop_since_ns=self.loop_late_since_ns or self._loop_on_time_ns or self._first_self_ns,
            loop_lag_p50_ms=p50,
            loop_lag_p99_ms=p99,
            clock="unknown" if not measured else "ok" if clock_ns is None else "stepped",
            clock_since_ns=clock_ns,
            text=self._text(now_ns, clock_ns),
        )

    def _text(self, now_ns: int, clock_ns: int | None) -> str:
        if self.uplink == "down":
            return "our uplink is down: no verdicts"
        if self.loop_late_since_ns is not None:
            return f"our own loop is late by up to {self.worst_lag_ms(now_ns) or 0:.0f} ms"
        if clock_ns is not None:
            return self.clock_text()
        if self.witness_failed:
            return "the witness does not answer: trouble at venues is inconclusive"
        return "nothing wrong with us" if self._self_ns is not None else "own lag not measured"
