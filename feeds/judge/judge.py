"""The judge: samples with explicit times in, one verdict a route out. No clock, no I/O, no randomness.

Order of exclusion: our own line, event loop and clock first; then refusals and announcements; then what all venues
show at once; only what is left is held against a route. Judging goes in steps of half a second on the samples' own
timeline, so that verdicts do not depend on how often they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from feeds.consensus import market_of
from feeds.judge.attribution import Assessment, PeerContext, assess
from feeds.judge.channel_history import PeerSilences
from feeds.judge.clock_shift import ClockShift
from feeds.judge.consensus import Consensus
from feeds.judge.debounce import Debounce, StandingFinding
from feeds.judge.figures import RouteSignals, route_signals
from feeds.judge.finding import Finding
from feeds.judge.findings import EVERYTHING, abnormal_signals, route_findings
from feeds.judge.inconclusive import asleep, inconclusive, recovering
from feeds.judge.own_side import OwnSide, OwnState
from feeds.judge.peer_levels import PeerLevels, departure
from feeds.judge.rolling import finite, ns
from feeds.judge.route_history import RouteHistory
from feeds.judge.route_verdict import RouteVerdict, unknown
from feeds.judge.shared_domain import NETWORK_KEYS, SharedDomains
from feeds.judge.slow_line import SlowLine
from feeds.judge.storm import Storm
from feeds.judge.thresholds import Thresholds
from feeds.judge.time_words import sleep_words, step_words
from feeds.judge.timeline import Timeline
from feeds.model import SEVERITY, Cause, State, Verdict, venue_of
from feeds.samples import ProbeSample, RatesSample, Sample, SelfSample, WitnessSample

HOLD_S = 2.5
"""Without any sample for this long nothing is judged: the last verdicts stand."""
START_GRACE_S = 5.0
"""A venue that never answered counts as reached until this long after its first sample."""
LONGEST_PROBE_MS = 1e7
AGE_KINDS = frozenset({"age", "price"})
"""Findings that mean nothing while ages cannot be trusted."""


class _Route:
    """What the judge knows of one route."""

    __slots__ = ("debounce", "findings", "history", "standing", "verdict")

    def __init__(self, route: str, limits: Thresholds) -> None:
        self.history = RouteHistory(route, limits)
        self.findings: dict[str, Finding] = {}
        """Of this step, by key."""
        self.debounce = Debounce(limits)
        self.standing: list[StandingFinding] = []
        """Findings that have lasted."""
        self.verdict = RouteVerdict(route, limits)


class Judge:
    """``observe`` every sample, ask ``verdicts`` at any time; ``signals`` gives the figures for board and log.

    ``domains`` names the failure domain of a route or of a venue. Samples of unknown routes are ignored.
    """

    def __init__(
        self,
        routes: Sequence[str],
        thresholds: Thresholds | None = None,
        domains: Mapping[str, str] | None = None,
    ) -> None:
        self._limits = limits = thresholds or Thresholds()
        self._routes = {route: _Route(route, limits) for route in sorted(set(routes))}
        self._timeline = Timeline(limits)
        self._own = OwnSide(limits)
        self._levels = PeerLevels({}, limits)
        self._storm = Storm(limits)
        self._clock_shift = ClockShift(limits)
        self._slow_line = SlowLine(self._routes)
        self._shared = SharedDomains(domains, limits)
        self._consensus = Consensus({route: x.history for route, x in self._routes.items()})

    def observe(self, sample: Sample) -> None:
        """Takes one sample; they may come a few seconds out of order. Never raises on odd values."""
        took_ns = 0
        if isinstance(sample, ProbeSample) and 0 <= sample.total_ms < LONGEST_PROBE_MS:
            took_ns = ns(sample.total_ms / 1e3)
        t_ns = self._arrived(sample, took_ns)
        if isinstance(sample, SelfSample):
            self._observe_self(sample, t_ns)
        elif isinstance(sample, RatesSample):
            self._consensus.observe_rates(sample, t_ns)
        elif isinstance(sample, WitnessSample):
            self._own.observe_witness(sample, t_ns)
        elif (known := self._routes.get(sample.route)) is not None:
            known.history.observe(sample, t_ns, start_ns=t_ns - took_ns)

    def _observe_self(self, sample: SelfSample, t_ns: int) -> None:
        if finite(sample.slept_ms) and sample.slept_ms > 0 and self._own.awake_ns != t_ns:
            self._awoke(t_ns, t_ns, sleep_words(sample.slept_ms))  # the monotonic clock stood still
        step_ms = sample.clock_step_ms if finite(sample.clock_step_ms) else 0.0
        if abs(step_ms) >= self._limits.clock_step_ms:
            for known in self._routes.values():
                known.history.clock_was_set()
        if step_ms >= self._limits.asleep_s * 1e3:
            # a virtual machine that was paused knows no better: to it, its clock was set forward
            self._awoke(t_ns, t_ns, step_words(step_ms), self._limits.recover_s)
        self._own.observe_self(sample, t_ns)
        if sample.mono_ns is None:
            self._timeline.clock_went_back(step_ms)

    def _arrived(self, sample: Sample, took_ns: int) -> int:
        """Makes the steps that are due before a sample that took so long, and returns when it came."""
        seen_ns = self._timeline.seen_ns
        t_ns = self._timeline.time_of(sample.t_ns, sample.mono_ns, later_ns=took_ns)
        counted = isinstance(sample, ProbeSample) and sample.lost  # a timeout comes when it is due, not when it came
        if seen_ns is not None and t_ns - seen_ns > ns(self._limits.asleep_s) and not counted:
            self._advance(t_ns)
            self._awoke(seen_ns, t_ns, sleep_words((t_ns - seen_ns) / 1e6))
        self._advance(t_ns)
        self._timeline.saw(t_ns)
        return t_ns

    def _awoke(self, begin_ns: int, end_ns: int, words: str, patience_s: float | None = None) -> None:
        """Nothing was measured in between: what is known of the seconds before says nothing about those after."""
        self._own.note_sleep(begin_ns, end_ns, words, self._limits.awake_s if patience_s is None else patience_s)
        for known in self._routes.values():
            known.history.awoke(end_ns)
            known.debounce, known.standing, known.findings = Debounce(self._limits), [], {}
            known.verdict.awoke(asleep(self._own, begin_ns))

    def _advance(self, t_ns: int) -> None:
        for now_ns in self._timeline.steps(t_ns):
            self._step(now_ns)

    def verdicts(self, now_ns: int, mono_ns: int | None = None) -> Mapping[str, Verdict]:
        """Every route's verdict as of now, by route: ``now_ns`` on the wall clock, ``mono_ns`` on the monotonic one."""
        seen_ns = self._timeline.seen_ns
        if seen_ns is None:
            return {
                route: Verdict(route=route, state=State.UNKNOWN, cause=Cause.WARMING, score=None, since_ns=now_ns)
                for route in self._routes
            }
        t_ns = max(self._timeline.now_of(now_ns, mono_ns), seen_ns)
        self._advance(t_ns)
        if t_ns - seen_ns > ns(self._limits.asleep_s):
            why = inconclusive(Cause.SELF, seen_ns, "nothing has been measured since", signal="unmeasured")
            return {route: unknown(route, why, self._timeline) for route in self._routes}
        return {route: known.verdict.verdict(self._timeline) for route, known in self._routes.items()}

    def signals(self, route: str) -> RouteSignals:
        """The figures of one route, as of the last sample. Raises KeyError for a route not judged."""
        history = self._routes[route].history
        now_ns = max(self._timeline.seen_ns or 0, self._timeline.now_ns)
        history.trim(now_ns)
        return route_signals(history, now_ns)

    def own(self) -> OwnState:
        """Our own side: witness, line, event loop, clock."""
        state = self._own.state(self._timeline.now_ns)
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
        return self._wall(self._storm.since_ns)

    def _wall(self, t_ns: int | None) -> int | None:
        return None if t_ns is None else self._timeline.wall(t_ns)

    # one step of judging, top to bottom

    def _step(self, now_ns: int) -> None:
        seen_ns = self._timeline.seen_ns if self._timeline.seen_ns is not None else now_ns
        if now_ns - seen_ns > ns(HOLD_S):
            return
        routes = {r: x for r, x in self._routes.items() if x.history.first_ns is not None}
        self._look(routes, now_ns, seen_ns)
        self._compare(routes, now_ns)
        self._find(routes, now_ns)
        self._debounce(routes, now_ns)
        assessments = self._assess(routes, now_ns)
        for route, known in routes.items():
            known.verdict.conclude(known.history, self._own, assessments[route], self._slow_line.since_ns, now_ns)
            self._learn(known, now_ns)

    def _look(self, routes: Mapping[str, _Route], now_ns: int, seen_ns: int) -> None:
        """Our own line and loop first, then every route's last seconds without what was our fault."""
        reached = any(known.history.contact_ns is not None for known in routes.values())
        untrusted = {venue_of(route) for route, known in routes.items() if known.history.untrusted_text is not None}
        self._own.judge(now_ns, self._contacts(routes), seen_ns, reached=reached, untrusted=untrusted)
        for known in routes.values():
            known.history.trim(now_ns)
            known.history.update(self._own, now_ns)

    def _contacts(self, routes: Mapping[str, _Route]) -> dict[str, int]:
        """By venue: when anything last came from it."""
        contacts: dict[str, int] = {}
        for route, known in routes.items():
            contact_ns, venue = known.history.contact_ns, venue_of(route)
            if contact_ns is None:
                contact_ns = (known.history.first_ns or 0) + ns(START_GRACE_S)
            contacts[venue] = max(contact_ns, self._own.awake_ns or 0, contacts.get(venue, contact_ns))
        return contacts

    def _compare(self, routes: Mapping[str, _Route], now_ns: int) -> None:
        """What all routes show at once: a storm, a step of our clock, a slow line of ours."""
        levels = self._levels = PeerLevels({r: departure(x.history) for r, x in routes.items()}, self._limits)
        self._storm.step(now_ns, levels.by_venue("depth"), levels.by_venue("spread"))
        if self._clock_shift.step(now_ns, levels, self._own):
            for known in routes.values():
                known.history.offset.base.forget()
        self._slow_line.step(now_ns, levels.by_venue("kernel"))

    def _find(self, routes: Mapping[str, _Route], now_ns: int) -> None:
        """The findings of this moment, route by route; prices across routes."""
        peers = PeerSilences(((r, x.history.feed.channels) for r, x in routes.items()), self._limits)
        active = {route: known.debounce.active for route, known in routes.items()}
        wall_ns = self._timeline.wall(now_ns)
        for route, known in routes.items():
            known.findings = route_findings(known.history, self._own, active[route], peers, now_ns, wall_ns)
        late = frozenset(r for r, x in routes.items() if {"age", "silence", "links"} & x.findings.keys())
        storm = self._storm.since_ns is not None
        for route, odd in self._consensus.step(now_ns, storm, late, active):
            routes[route].findings[odd.key] = odd
        if self._clock_shift.ages_in_doubt(now_ns, self._own):
            for known in routes.values():
                for key in [k for k in known.findings if k.partition(".")[0] in AGE_KINDS]:
                    del known.findings[key]

    def _debounce(self, routes: Mapping[str, _Route], now_ns: int) -> None:
        """Findings that have lasted. While our line is down, or just back, they stay as they are."""
        for known in routes.values():
            if self._own.uplink != "down" and not recovering(known.history, self._own, now_ns):
                known.standing = known.debounce.step(now_ns, known.findings)

    def _assess(self, routes: Mapping[str, _Route], now_ns: int) -> dict[str, Assessment]:
        """What the standing findings say, once those that are common or shared are known."""
        common = {
            route: frozenset(
                s.finding.key for s in known.standing if self._levels.common(route, s.finding, self._storm)
            )
            for route, known in routes.items()
        }
        onsets = {
            route: min(own)
            for route, known in routes.items()
            if (own := [s.since_ns for s in known.standing if s.finding.key in NETWORK_KEYS - common[route]])
        }
        shared = self._shared.step(
            now_ns,
            onsets,
            judged=[r for r, x in routes.items() if x.verdict.warm or r in onsets],
            clear={r for r, x in routes.items() if x.verdict.state is State.OK},
            storm=self._storm.since_ns is not None,
        )
        assessments = {}
        for route, known in routes.items():
            steady = {s.finding.key: self._levels.steady_peers(route, s.finding) for s in known.standing}
            context = PeerContext(
                common=common[route],
                steady={key: count for key, count in steady.items() if count is not None},
                shared=shared.get(route),
                storm_since_ns=self._storm.since_ns,
            )
            assessments[route] = assess(self._limits, known.standing, known.findings, context, now_ns)
        return assessments

    def _learn(self, known: _Route, now_ns: int) -> None:
        """Baselines learn from calm moments only."""
        if self._nothing_to_learn(known, now_ns):
            known.history.learn(now_ns, EVERYTHING)
            return
        abnormal = abnormal_signals(known.findings)
        if self._consensus.disturbed:
            odd = (name for name in known.history.symbols if market_of(name) in self._consensus.disturbed)
            abnormal |= {f"price.{name}" for name in odd}
        known.history.learn(now_ns, abnormal)

    def _nothing_to_learn(self, known: _Route, now_ns: int) -> bool:
        return (
            self._own.uplink == "down"
            or self._own.just_awake(now_ns)
            or self._own.loop_late_since_ns is not None
            or self._own.clock_since_ns(now_ns) is not None
            or self._storm.since_ns is not None
            or SEVERITY[known.verdict.state] >= SEVERITY[State.CONGESTED]
        )
