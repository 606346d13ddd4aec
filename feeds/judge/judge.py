"""The judge: samples with explicit times in, one verdict a route out. No clock, no I/O, no randomness.

Order of exclusion: our own line, event loop and clock first; then refusals and announcements; then what all venues
show at once; only what is left is held against a route. Judging goes in steps of half a second on the samples' own
timeline, so that verdicts do not depend on how often they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from feeds.consensus import market_of
from feeds.judge.attribution import Circumstances, Opinion, compose
from feeds.judge.consensus import Consensus
from feeds.judge.evidence_books import book_findings, refusal_finding, status_findings
from feeds.judge.evidence_feed import feed_findings
from feeds.judge.evidence_latency import age_findings, kernel_findings, rest_findings
from feeds.judge.figures import RouteSignals, route_signals
from feeds.judge.finding import Finding, figure
from feeds.judge.hysteresis import Latches, Stance, Standing
from feeds.judge.inconclusive import Excuse, excuse_of, own_excuse, recovering, warming
from feeds.judge.own_side import OwnSide, OwnState
from feeds.judge.peers import NETWORK_KEYS, Together, moves
from feeds.judge.recent import Recent, learn, recent
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.judge.thresholds import Thresholds
from feeds.model import SEVERITY, Cause, Evidence, Reason, State, Verdict, venue_of
from feeds.samples import (
    BookSample,
    FeedSample,
    LinkSample,
    ProbeSample,
    RatesSample,
    Sample,
    SelfSample,
    StatusSample,
    WitnessSample,
)

BACKWARDS_S = 5.0
"""Samples may be this late; what is older means that our clock went back."""
HOLD_S = 2.5
"""Without any sample for this long nothing is judged: the last word stands."""
CATCH_UP_S = 20.0
LONGEST_STEP_MS = 1e12
START_GRACE_S = 5.0
HOLD_POINTS = {State.SUSPECT: 10}
HOLD_POINTS_ELSE = 30
SHARED_KEPT_S = 300.0
"""Trouble that was shared stays so for this long after the others had it too, unless it clears: edges flap."""
SHARED_ALONE_S = 20.0
"""A route that is in trouble for this long without the others has its own."""
AGE_KEYS = frozenset({"age", "price"})


class _Route:
    """One route's memory inside the judge."""

    __slots__ = (
        "found",
        "latches",
        "latest",
        "opinion",
        "override",
        "shared",
        "shared_ns",
        "stance",
        "standing",
        "track",
        "warm",
    )

    def __init__(self, route: str, limits: Thresholds) -> None:
        self.track = RouteHistory(route, limits)
        self.latches = Latches(limits)
        self.stance = Stance(limits)
        self.standing: list[Standing] = []
        self.latest = Recent()
        self.opinion: Opinion | None = None
        self.found: dict[str, Finding] = {}
        self.override: Excuse | None = None
        self.warm = False
        self.shared: tuple[str, int] | None = None
        self.shared_ns = 0


class Judge:
    """``observe`` every sample, ask ``verdicts`` whenever; ``signals`` gives the figures they were made from.

    ``domains`` names the failure domain of a route or of a venue. Samples of unknown routes are ignored.
    """

    def __init__(
        self,
        routes: Sequence[str],
        thresholds: Thresholds | None = None,
        domains: Mapping[str, str] | None = None,
    ) -> None:
        self._limits = thresholds or Thresholds()
        self._routes = {route: _Route(route, self._limits) for route in sorted(set(routes))}
        self._own = OwnSide(self._limits)
        self._together = Together(tuple(self._routes), self._limits, domains)
        self._consensus = Consensus({r: x.track for r, x in self._routes.items()})
        self._shift_ns = 0
        self._seen_ns: int | None = None
        self._next_ns: int | None = None
        self._now_ns = 0
        self._slow_line_ns: int | None = None
        self._ages_moved_ns: int | None = None

    def observe(self, sample: Sample) -> None:
        """Takes one sample; they may come a few seconds out of order. Never raises on odd values."""
        arrival_ns = sample.t_ns
        if isinstance(sample, ProbeSample) and 0 <= sample.total_ms < 1e7:
            arrival_ns += ns(sample.total_ms / 1e3)
        t_ns = self._arrived(arrival_ns)
        if isinstance(sample, SelfSample):
            self._own.observe_self(sample, t_ns)
            if -LONGEST_STEP_MS < sample.clock_step_ms < 0:
                self._shift_ns += ns(-sample.clock_step_ms / 1e3)
            return
        if isinstance(sample, RatesSample):
            self._consensus.observe_rates(sample, t_ns)
            return
        if isinstance(sample, WitnessSample):
            self._own.observe_witness(sample, t_ns)
            return
        known = self._routes.get(sample.route)
        if known is None:
            return
        match sample:
            case ProbeSample():
                known.track.observe_probe(sample, sample.t_ns + self._shift_ns, t_ns)
            case FeedSample():
                known.track.observe_feed(sample, t_ns)
            case LinkSample():
                known.track.observe_link(sample, t_ns)
            case BookSample():
                known.track.observe_book(sample, t_ns)
            case StatusSample():
                known.track.observe_status(sample, t_ns)

    def _arrived(self, wall_ns: int) -> int:
        """Wall time -> the judge's own timeline, which never goes back."""
        t_ns = wall_ns + self._shift_ns
        if self._seen_ns is not None:
            if t_ns < self._seen_ns - ns(BACKWARDS_S):
                self._shift_ns += self._seen_ns - t_ns
                t_ns = self._seen_ns
            elif t_ns - self._seen_ns > ns(self._limits.asleep_s):
                self._own.asleep(self._seen_ns, t_ns)
        self._advance(t_ns)
        self._seen_ns = t_ns if self._seen_ns is None else max(self._seen_ns, t_ns)
        return t_ns

    def _advance(self, t_ns: int) -> None:
        step_ns = ns(self._limits.step_s)
        if self._next_ns is None:
            self._next_ns, self._now_ns = t_ns + step_ns, t_ns
            return
        if t_ns - self._next_ns > ns(CATCH_UP_S):
            skipped = (t_ns - self._next_ns - ns(CATCH_UP_S)) // step_ns
            self._next_ns += skipped * step_ns
        while self._next_ns <= t_ns:
            self._step(self._next_ns)
            self._next_ns += step_ns

    def verdicts(self, now_ns: int) -> Mapping[str, Verdict]:
        """Every route's verdict as of ``now_ns``, by route."""
        if self._seen_ns is None:
            return {
                route: Verdict(route=route, state=State.UNKNOWN, cause=Cause.WARMING, score=None, since_ns=now_ns)
                for route in self._routes
            }
        t_ns = max(now_ns + self._shift_ns, self._seen_ns)
        self._advance(t_ns)
        asleep = t_ns - self._seen_ns > ns(self._limits.asleep_s)
        return {route: self._asleep(route, t_ns) if asleep else self._verdict(route) for route in self._routes}

    def signals(self, route: str) -> RouteSignals:
        """The rolling figures of one route, as of the last sample. Raises KeyError for a route not judged."""
        track = self._routes[route].track
        now_ns = max(self._seen_ns or 0, self._now_ns)
        track.trim(now_ns)
        return route_signals(track, now_ns)

    def own(self) -> OwnState:
        """Our own side: witness, line, event loop, clock."""
        state = self._own.state(self._now_ns)
        return msgspec.structs.replace(
            state,
            witness_since_ns=self._wall(state.witness_since_ns),
            uplink_since_ns=self._wall(state.uplink_since_ns),
            loop_since_ns=self._wall(state.loop_since_ns),
            clock_since_ns=self._wall(state.clock_since_ns),
        )

    @property
    def storm_since_ns(self) -> int | None:
        """Since when the whole market has been under stress; None: it is not."""
        return self._wall(self._together.storm_since_ns)

    def _wall(self, t_ns: int | None) -> int | None:
        return None if t_ns is None else t_ns - self._shift_ns

    # one step of judging

    def _step(self, now_ns: int) -> None:
        self._now_ns = now_ns
        seen_ns = self._seen_ns if self._seen_ns is not None else now_ns
        if now_ns - seen_ns > ns(HOLD_S):
            return
        measured = {r: x for r, x in self._routes.items() if x.track.first_ns is not None}
        for known in measured.values():
            known.track.trim(now_ns)
        self._own.judge(now_ns, self._contacts(measured), seen_ns)
        for known in measured.values():
            known.latest = recent(known.track, self._own, now_ns)
        self._together.step(now_ns, {r: moves(x.track, x.latest, now_ns) for r, x in measured.items()})
        shift_ms = self._together.common_shift_ms()
        self._ages_moved_ns = (self._ages_moved_ns or now_ns) if shift_ms is not None else None
        confirmed = shift_ms is not None and self._together.clock_confirmed(shift_ms)
        self._own.shifted(now_ns, shift_ms if confirmed else None)
        step_ms = self._together.clock_step_ms()
        if step_ms is not None:
            self._own.stepped(now_ns, step_ms)
            for known in measured.values():
                known.track.base_offset.forget()
        slow_line = self._together.line_slow()
        self._slow_line_ns = (self._slow_line_ns or now_ns) if slow_line else None
        found = self._find(measured, now_ns)
        for route, known in measured.items():
            known.found = found[route]
            if self._own.uplink != "down" and not recovering(known.track, self._own, now_ns):
                known.standing = known.latches.step(now_ns, found[route])
        self._compose(measured, now_ns)
        for route, known in measured.items():
            self._conclude(known, now_ns)
            abnormal = _abnormal(found[route])
            if self._consensus.disturbed:
                odd = (n for n in known.track.symbols if market_of(n) in self._consensus.disturbed)
                abnormal |= {f"price.{name}" for name in odd}
            learn(known.track, known.latest, now_ns, abnormal, self._frozen(known))

    def _contacts(self, measured: Mapping[str, _Route]) -> dict[str, int]:
        contacts: dict[str, int] = {}
        for route, known in measured.items():
            track = known.track
            at_ns = track.contact_ns if track.contact_ns is not None else (track.first_ns or 0) + ns(START_GRACE_S)
            contacts[venue_of(route)] = max(at_ns, contacts.get(venue_of(route), at_ns))
        return contacts

    def _find(self, measured: Mapping[str, _Route], now_ns: int) -> dict[str, dict[str, Finding]]:
        found: dict[str, dict[str, Finding]] = {}
        doubt_ns = ns(self._limits.doubt_lasts_s)
        shifting = self._ages_moved_ns is not None and now_ns - self._ages_moved_ns < doubt_ns
        clock = shifting or self._own.clock_since_ns(now_ns) is not None
        tracks = {route: known.track for route, known in measured.items()}
        held = {route: known.latches.held for route, known in measured.items()}
        for route, known in measured.items():
            track, latest = known.track, known.latest
            rules = [
                *rest_findings(track, latest, held[route]),
                *kernel_findings(track, latest, held[route]),
                *age_findings(track, latest, held[route]),
                *feed_findings(track, latest, self._own, now_ns, self._together.usual_gaps_s(route, tracks)),
                *book_findings(track, now_ns, held[route]),
                *status_findings(track, route.partition(".")[2], now_ns - self._shift_ns),
            ]
            refused = refusal_finding(track, now_ns)
            found[route] = {f.key: f for f in ([*rules, refused] if refused is not None else rules)}
            silence = found[route].get("silence")
            if silence is not None and self._own.doubted and now_ns - (silence.onset_ns or now_ns) < doubt_ns:
                del found[route]["silence"]
        late = frozenset(r for r, f in found.items() if {"age", "silence", "links"} & f.keys())
        storm = self._together.storm_since_ns is not None
        for route, odd in self._consensus.step(now_ns, storm, late, held):
            found[route][odd.key] = odd
        if clock:
            for findings in found.values():
                for key in [k for k in findings if k.partition(".")[0] in AGE_KEYS]:
                    del findings[key]
        return found

    def _compose(self, measured: Mapping[str, _Route], now_ns: int) -> None:
        commons = {
            route: frozenset(s.finding.key for s in known.standing if self._together.common(route, s.finding))
            for route, known in measured.items()
        }
        onsets: dict[str, int] = {}
        for route, known in measured.items():
            bad = [
                s.since_ns
                for s in known.standing
                if s.finding.key in NETWORK_KEYS and s.finding.key not in commons[route]
            ]
            if bad:
                onsets[route] = min(bad)
        shared = self._together.shared(onsets, [r for r, x in measured.items() if x.warm or r in onsets])
        if self._together.storm_since_ns is not None:
            shared = {}  # in a storm everybody slows down a little: too little to accuse what they have in common
        for route, known in measured.items():
            if route in shared:
                known.shared, known.shared_ns = shared[route], now_ns
            elif known.stance.state is State.OK or now_ns - known.shared_ns > ns(
                SHARED_ALONE_S if route in onsets else SHARED_KEPT_S
            ):
                known.shared = None
            steady = {s.finding.key: self._together.steady_peers(route, s.finding) for s in known.standing}
            around = Circumstances(
                common=commons[route],
                steady={key: count for key, count in steady.items() if count is not None},
                shared=known.shared,
                storm_since_ns=self._together.storm_since_ns,
            )
            known.opinion = compose(known.track, known.standing, known.found, around, now_ns)

    def _frozen(self, known: _Route) -> bool:
        return (
            self._own.uplink == "down"
            or self._own.late_since_ns is not None
            or self._own.clock_since_ns(self._now_ns) is not None
            or self._together.storm_since_ns is not None
            or SEVERITY[known.stance.state] >= SEVERITY[State.CONGESTED]
        )

    def _conclude(self, known: _Route, now_ns: int) -> None:
        """Ourselves first; then warm-up; then what the findings say, with hysteresis."""
        opinion = known.opinion
        if opinion is None:
            return
        own = own_excuse(known.track, self._own, opinion, self._slow_line_ns, now_ns)
        if own is None and not known.warm:
            known.warm, own = warming(known.track, opinion.candidate, now_ns)
        if own is None:
            if known.override is not None and known.stance.state is State.OK:
                known.stance.since_ns = None
            known.override = None
            known.stance.step(now_ns, opinion.candidate)
            return
        before = known.override
        if before is not None and before.cause is own.cause:
            own = msgspec.structs.replace(own, since_ns=min(own.since_ns, before.since_ns))
        known.override = own
        if own.cause is not Cause.WARMING:
            known.stance.forgive()

    def _asleep(self, route: str, now_ns: int) -> Verdict:
        since_ns = self._seen_ns if self._seen_ns is not None else now_ns
        excuse = excuse_of(Cause.SELF, since_ns - self._shift_ns, "unmeasured", "nothing has been measured since")
        return Verdict(
            route=route,
            state=State.UNKNOWN,
            cause=Cause.SELF,
            score=None,
            since_ns=since_ns - self._shift_ns,
            reasons=excuse.reasons,
        )

    def _verdict(self, route: str) -> Verdict:
        known = self._routes[route]
        if known.opinion is None or known.override is not None:
            excuse = known.override or excuse_of(Cause.WARMING, self._now_ns, "warming", "no sample yet")
            return Verdict(
                route=route,
                state=State.UNKNOWN,
                cause=excuse.cause,
                score=None,
                since_ns=excuse.since_ns - self._shift_ns,
                reasons=self._dated(excuse.reasons),
            )
        stance, reasons = known.stance, known.opinion.reasons
        held = self._holding(known)
        if held is not None:
            reasons = (*reasons, held)
        since_ns = stance.since_ns if stance.since_ns is not None else self._now_ns
        return Verdict(
            route=route,
            state=stance.state,
            cause=stance.cause,
            score=min(100, sum(r.points for r in reasons)),
            since_ns=since_ns - self._shift_ns,
            reasons=self._dated(reasons),
        )

    def _holding(self, known: _Route) -> Reason | None:
        """Why a state is still shown although its evidence has gone."""
        stance = known.stance
        if stance.lower_since_ns is None:
            return None
        quiet_s = max(self._now_ns - stance.lower_since_ns, 0) / 1e9
        words = (
            f"evidence ended {figure(round(quiet_s))} s ago, cleared after {figure(stance.clear_after_s(self._now_ns))}"
        )
        if stance.alarms > 1:
            words += f": {stance.alarms} alarms lately"
        return Reason(
            signal="clearing_s",
            evidence=Evidence.OWN,
            value=quiet_s,
            since_ns=stance.lower_since_ns,
            points=HOLD_POINTS.get(stance.state, HOLD_POINTS_ELSE),
            text=words,
        )

    def _dated(self, reasons: Sequence[Reason]) -> tuple[Reason, ...]:
        if not self._shift_ns:
            return tuple(reasons)
        return tuple(msgspec.structs.replace(r, since_ns=r.since_ns - self._shift_ns) for r in reasons)


def _abnormal(found: Mapping[str, Finding]) -> frozenset[str]:
    """Baselines that must not learn from this moment, by the name ``learn`` knows them by."""
    names: set[str] = set()
    for key in found:
        kind, _, name = key.partition(".")
        match kind:
            case "rest" | "lost" | "errors" | "failing":
                names.add("rest")
            case "link_kernel":
                names.add("kernel")
            case "depth" | "spread":
                names.add(f"liquidity.{name}")
            case "links":
                names.add("silence")
            case _:
                names.add(key)
    return frozenset(names)
