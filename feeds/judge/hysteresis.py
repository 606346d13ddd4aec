"""Hysteresis of a route's state: it rises at once and falls late, so that it does not flap."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds
from feeds.model import SEVERITY, Cause, State

ALARMS_KEPT = 64
EXONERATING = frozenset({Cause.SHARED, Cause.MARKET, Cause.PLANNED})
"""Causes that take the blame from a venue replace an accusation at once."""
QUIET_STATES = frozenset({State.OK, State.SUSPECT})
"""States that are no alarm."""


class Candidate(Struct, frozen=True, kw_only=True):
    """State and cause that the standing findings alone would give."""

    state: State
    cause: Cause | None
    since_ns: int
    points: int = 0
    """Points of all findings together."""


class StateHysteresis:
    """The state and cause that are shown. Rises at once, since findings have lasted already. Falls only after the
    evidence has stayed away; each further alarm makes that time longer."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self.state = State.OK
        self.cause: Cause | None = None
        self.since_ns: int | None = None
        self.lower_since_ns: int | None = None
        self._clear_since_ns: int | None = None
        self._other_cause_ns: int | None = None
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
        """Takes what the findings give now, and changes what is shown if it is time."""
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
            # trouble that comes back before it was cleared is another alarm, though the state shown stays the same
            away_ns = now_ns - self.lower_since_ns if self.lower_since_ns is not None else 0
            if self.state not in QUIET_STATES and away_ns >= ns(self._limits.clear_s):
                self._alarms.append(now_ns)
            self._clear_since_ns = self.lower_since_ns = None
            self._change_cause(now_ns, wanted)
        else:
            self._fall(now_ns, wanted)

    def forget(self) -> None:
        """Nobody saw whether the state has lasted: it starts anew. Earlier alarms still count."""
        self.state, self.cause, self.since_ns = State.OK, None, None
        self._clear_since_ns = self.lower_since_ns = self._other_cause_ns = None

    def drop_suspicion(self) -> None:
        """Our own trouble has begun: a mere suspicion just before it was its first sign."""
        if self.state is State.SUSPECT:
            self.state, self.cause = State.OK, None
            self._clear_since_ns = self.lower_since_ns = self._other_cause_ns = None

    def _change_cause(self, now_ns: int, wanted: Candidate) -> None:
        if wanted.cause is self.cause:
            self._other_cause_ns, self._points = None, wanted.points
            return
        self._other_cause_ns = now_ns if self._other_cause_ns is None else self._other_cause_ns
        needed_s = self._limits.recause_s if wanted.points >= self._points else self._limits.remainder_s
        if wanted.cause in EXONERATING or now_ns - self._other_cause_ns >= ns(needed_s):
            self._show(wanted)

    def _fall(self, now_ns: int, wanted: Candidate) -> None:
        self._other_cause_ns = None
        # findings stand for finding_clear_s after they end: what goes now ended then
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
        # a worse state with the same cause is the same trouble: it keeps its beginning
        same = wanted.cause is self.cause and self.state is not State.OK and wanted.state is not State.OK
        self.since_ns = min(self.since_ns, wanted.since_ns) if same and self.since_ns is not None else wanted.since_ns
        self.state, self.cause, self._points = wanted.state, wanted.cause, wanted.points
        self._clear_since_ns = self.lower_since_ns = self._other_cause_ns = None
