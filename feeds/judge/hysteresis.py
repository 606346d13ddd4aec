"""Persistence: what must last before it is said, and stay away longer before it is unsaid."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from msgspec import Struct

from feeds.judge.finding import Finding
from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds
from feeds.model import SEVERITY, Cause, State

ABSENCE_S = 1.2
"""A finding that has not yet been raised may be absent for this long without starting anew."""
ALARMS_KEPT = 64
EXONERATING = frozenset({Cause.SHARED, Cause.MARKET, Cause.PLANNED})
"""Causes that take blame from a venue replace an accusation at once."""


class Standing(Struct, frozen=True, kw_only=True):
    """A finding that lasted, and since when."""

    finding: Finding
    since_ns: int


class _Latch:
    __slots__ = ("active", "finding", "first_ns", "last_ns")

    def __init__(self, finding: Finding, now_ns: int) -> None:
        self.finding = finding
        self.first_ns = finding.onset_ns if finding.onset_ns is not None else now_ns
        self.last_ns = now_ns
        self.active = False


class Latches:
    """All findings of one route through time."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._latches: dict[str, _Latch] = {}

    @property
    def held(self) -> frozenset[str]:
        return frozenset(key for key, latch in self._latches.items() if latch.active)

    def step(self, now_ns: int, found: Mapping[str, Finding]) -> list[Standing]:
        """Findings of this moment -> findings that stand, oldest first."""
        limits = self._limits
        for key, finding in found.items():
            latch = self._latches.get(key)
            if latch is None:
                latch = self._latches[key] = _Latch(finding, now_ns)
            latch.finding, latch.last_ns = finding, now_ns
            needed_s = limits.raise_s if finding.raise_s is None else finding.raise_s
            latch.active = latch.active or now_ns - latch.first_ns >= ns(needed_s)
        for key in [k for k in self._latches if k not in found]:
            latch = self._latches[key]
            patience_s = limits.finding_clear_s if latch.active else ABSENCE_S
            if now_ns - latch.last_ns >= ns(patience_s):
                del self._latches[key]
        standing = [Standing(finding=x.finding, since_ns=x.first_ns) for x in self._latches.values() if x.active]
        return sorted(standing, key=lambda s: (s.since_ns, s.finding.key))

    def drop(self) -> None:
        """Forget everything: what was seen was our own fault."""
        self._latches.clear()


class Candidate(Struct, frozen=True, kw_only=True):
    """What the standing findings alone would say."""

    state: State
    cause: Cause | None
    since_ns: int
    points: int = 0
    """What the findings weigh together."""


QUIET_STATES = frozenset({State.OK, State.SUSPECT})


class Stance:
    """The state on show. Rises at once (findings have lasted already), falls only after the evidence has stayed away,
    and later each time it happens again."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self.state = State.OK
        self.cause: Cause | None = None
        self.since_ns: int | None = None
        self.lower_since_ns: int | None = None
        self._clear_since_ns: int | None = None
        self._recause_ns: int | None = None
        self._points = 0
        self._alarms: deque[int] = deque(maxlen=ALARMS_KEPT)
        self._suspicions: deque[int] = deque(maxlen=ALARMS_KEPT)

    def clear_after_s(self, now_ns: int) -> float:
        """How long evidence must stay away now: longer with every recent alarm."""
        limits = self._limits
        horizon = now_ns - ns(limits.flap_window_s)
        for raised in (self._alarms, self._suspicions):
            while raised and raised[0] < horizon:
                raised.popleft()
        if self.state is State.SUSPECT:
            grown = limits.clear_s * limits.suspect_clear_growth ** max(len(self._suspicions) - 1, 0)
            return min(grown, limits.suspect_clear_max_s)
        grown = limits.clear_s * limits.alarm_clear_growth ** max(len(self._alarms) - 1, 0)
        return float(min(grown, limits.alarm_clear_max_s))

    @property
    def alarms(self) -> int:
        """Alarms within the flap window."""
        return len(self._alarms)

    def step(self, now_ns: int, wanted: Candidate) -> None:
        if self.since_ns is None:
            self.since_ns = wanted.since_ns
        rank, now_rank = SEVERITY[wanted.state], SEVERITY[self.state]
        if rank > now_rank:
            if wanted.state not in QUIET_STATES and self.state in QUIET_STATES:
                self._alarms.append(now_ns)
            elif self.state is State.OK:
                self._suspicions.append(now_ns)
            self._show(wanted)
        elif rank == now_rank:
            # trouble that comes back before it was cleared is another alarm, only not a new one to the reader
            away_ns = now_ns - self.lower_since_ns if self.lower_since_ns is not None else 0
            if self.state not in QUIET_STATES and away_ns >= ns(self._limits.clear_s):
                self._alarms.append(now_ns)
            self._clear_since_ns = self.lower_since_ns = None
            self._recause(now_ns, wanted)
        else:
            self._fall(now_ns, wanted)

    def forgive(self) -> None:
        """What was a mere suspicion when our own trouble began was its beginning."""
        if self.state is State.SUSPECT:
            self.state, self.cause = State.OK, None
            self._clear_since_ns = self.lower_since_ns = self._recause_ns = None

    def _recause(self, now_ns: int, wanted: Candidate) -> None:
        if wanted.cause is self.cause:
            self._recause_ns, self._points = None, wanted.points
            return
        self._recause_ns = now_ns if self._recause_ns is None else self._recause_ns
        needed_s = self._limits.recause_s if wanted.points >= self._points else self._limits.remainder_s
        if wanted.cause in EXONERATING or now_ns - self._recause_ns >= ns(needed_s):
            self._show(wanted)

    def _fall(self, now_ns: int, wanted: Candidate) -> None:
        self._recause_ns = None
        # findings are held a little after they end: what ends now ended then
        ended_ns = now_ns - ns(self._limits.finding_clear_s)
        self.lower_since_ns = ended_ns if self.lower_since_ns is None else self.lower_since_ns
        if wanted.state is State.OK:
            self._clear_since_ns = ended_ns if self._clear_since_ns is None else self._clear_since_ns
        else:
            self._clear_since_ns = None
        since_ns = self._clear_since_ns if wanted.state is State.OK else self.lower_since_ns
        if since_ns is not None and now_ns - since_ns >= ns(self.clear_after_s(now_ns)):
            ended = Candidate(state=State.OK, cause=None, since_ns=since_ns)
            self._show(ended if wanted.state is State.OK else wanted)

    def _show(self, wanted: Candidate) -> None:
        # worse for the same cause is the same trouble: it began when it began
        same = wanted.cause is self.cause and self.state is not State.OK and wanted.state is not State.OK
        self.since_ns = min(self.since_ns, wanted.since_ns) if same and self.since_ns is not None else wanted.since_ns
        self.state, self.cause, self._points = wanted.state, wanted.cause, wanted.points
        self._clear_since_ns = self.lower_since_ns = self._recause_ns = None
