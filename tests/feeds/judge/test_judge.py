"""The judge's promises, whatever comes in."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.judge.judge import Judge
from feeds.model import Cause, Evidence, Fault, State, Verdict
from feeds.samples import (
    BookSample,
    FeedSample,
    LinkSample,
    ProbeSample,
    Sample,
    SelfSample,
    StatusSample,
    WitnessSample,
)
from tests.feeds.judge.series import (
    ACCUSING,
    GATEWAY,
    ROUTES,
    SECOND,
    START_NS,
    Condition,
    World,
    calm,
    during,
    only,
    play,
)


def said(verdict: Verdict) -> tuple[object, ...]:
    """Everything but the times."""
    reasons = tuple((r.signal, r.value, r.baseline, r.points, r.text) for r in verdict.reasons)
    return verdict.state, verdict.cause, verdict.score, reasons


def check(verdict: Verdict, now_ns: int) -> None:
    """What holds of every verdict."""
    assert verdict.since_ns <= now_ns
    if verdict.state is State.UNKNOWN:
        assert verdict.score is None
        assert verdict.cause in {Cause.WARMING, Cause.UPLINK, Cause.SELF}
        return
    assert verdict.score is not None and 0 <= verdict.score <= 100
    assert verdict.score == min(100, sum(r.points for r in verdict.reasons))
    if verdict.state in ACCUSING:
        assert verdict.reasons, f"{verdict} without a reason"
        assert verdict.score > 0
        assert all(r.text and r.since_ns <= now_ns for r in verdict.reasons)
        assert verdict.cause is not None or verdict.state is State.BLOCKED
    else:
        assert verdict.cause is None


# invariants


TIMES = st.integers(0, 90 * SECOND)
ROUTE_NAMES = st.sampled_from(ROUTES[:4])
FIGURES = st.one_of(
    st.none(), st.floats(0, 1e5), st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 0.0, 1e300]), st.floats(0, 50)
)
SURE = FIGURES.map(lambda v: 1.0 if v is None else v)
FAULTS = st.one_of(st.none(), st.sampled_from(list(Fault)))
T = TIMES.map(lambda t: START_NS + t)
SAMPLES: st.SearchStrategy[Sample] = st.one_of(
    st.builds(
        ProbeSample,
        route=ROUTE_NAMES,
        t_ns=T,
        name=st.just("time"),
        cold=st.booleans(),
        total_ms=SURE,
        wait_ms=SURE,
        first_byte_ms=FIGURES,
        connect_ms=FIGURES,
        tcp_rtt_ms=FIGURES,
        lost=st.booleans(),
        failed_at=st.sampled_from([None, "connect", "first_byte"]),
        fault=FAULTS,
        text=st.text(max_size=20),
        offset_ms=FIGURES,
    ),
    st.builds(
        FeedSample,
        route=ROUTE_NAMES,
        t_ns=T,
        interval_ms=SURE,
        messages=st.integers(0, 100),
        bursts=st.integers(0, 100),
        age_p50_ms=FIGURES,
        age_max_ms=FIGURES,
        engine_lag_ms=FIGURES,
        own_lag_ms=FIGURES,
        silence_ms=FIGURES,
        channel_silence_ms=st.dictionaries(st.sampled_from(["book:A/B", "trades:A/B", "mark"]), SURE, max_size=3),
        keepalive_ok=st.sampled_from([None, True, False]),
        never_data=st.sampled_from([(), ("trades:A/B",)]),
    ),
    st.builds(
        LinkSample,
        route=ROUTE_NAMES,
        t_ns=T,
        label=st.sampled_from(["public", "market"]),
        connected=st.booleans(),
        gaps=st.integers(0, 9),
        tcp_rtt_ms=FIGURES,
        fault=FAULTS,
    ),
    st.builds(
        BookSample,
        route=ROUTE_NAMES,
        symbol=st.sampled_from(["A/B", "C/B"]),
        t_ns=T,
        mid=FIGURES,
        spread_bps=FIGURES,
        depth_bid=FIGURES,
        depth_ask=FIGURES,
        crossed=st.booleans(),
        disagrees=st.booleans(),
        synced=st.booleans(),
    ),
    st.builds(StatusSample, route=ROUTE_NAMES, t_ns=T, notices=st.just(())),
    st.builds(
        SelfSample,
        t_ns=T,
        loop_lag_p50_ms=FIGURES,
        loop_lag_p99_ms=FIGURES,
        loop_lag_max_ms=FIGURES,
        clock_step_ms=SURE,
    ),
    st.builds(WitnessSample, t_ns=T, target=st.just("1.1.1.1:443"), ok=st.booleans(), ms=FIGURES),
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(SAMPLES, max_size=120))
def test_whatever_comes_in_a_verdict_is_sound(samples: list[Sample]) -> None:
    judge = Judge(ROUTES[:4])
    now_ns = START_NS
    for sample in samples:
        judge.observe(sample)
        now_ns = max(now_ns, sample.t_ns)
        for route, verdict in judge.verdicts(now_ns + 120 * SECOND if sample.t_ns % 7 == 0 else now_ns).items():
            assert verdict.route == route
            assert verdict.score is None or 0 <= verdict.score <= 100
            assert verdict.state not in ACCUSING or verdict.reasons
        for route in ROUTES[:4]:
            judge.signals(route)
        judge.own()


def test_every_verdict_of_an_incident_is_sound() -> None:
    world = World(GATEWAY)
    result = play(world, 120)
    for second, verdicts in enumerate(result.verdicts, start=1):
        for verdict in verdicts.values():
            check(verdict, world.start_ns + second * SECOND)


def test_the_same_samples_give_the_same_verdicts() -> None:
    one, two = play(World(GATEWAY), 90), play(World(GATEWAY), 90)
    assert one.verdicts == two.verdicts


def test_how_often_one_asks_changes_nothing() -> None:
    seldom, often = play(World(GATEWAY), 90, ask_every_s=1.0), play(World(GATEWAY), 90, ask_every_s=0.25)
    assert [v for n, v in enumerate(often.verdicts, start=1) if n % 4 == 0] == seldom.verdicts


def test_the_order_in_which_routes_are_named_changes_nothing() -> None:
    forward = play(World(GATEWAY), 90)
    backward = play(World(GATEWAY), 90, routes=tuple(reversed(ROUTES)))
    assert forward.verdicts == backward.verdicts


@settings(max_examples=5, deadline=None)
@given(st.integers(-(10**9), 10**9))
def test_a_shift_in_time_shifts_the_verdicts(seconds: int) -> None:
    start_ns = START_NS + seconds * SECOND + 123_456_789
    here, there = play(World(GATEWAY), 70), play(World(GATEWAY, start_ns=start_ns), 70)
    for before, after in zip(here.verdicts, there.verdicts, strict=True):
        for route in ROUTES:
            assert said(before[route]) == said(after[route])
            assert after[route].since_ns - before[route].since_ns == start_ns - START_NS


def test_a_route_without_samples_is_unknown_and_not_ok() -> None:
    result = play(World(calm, routes=ROUTES[:4]), 60, routes=ROUTES)
    for route in ROUTES[4:]:
        assert result.at(60, route).state is State.UNKNOWN
        assert result.at(60, route).score is None
    assert result.at(60, ROUTES[0]).state is State.OK


def test_samples_without_figures_are_unknown_and_not_ok() -> None:
    judge = Judge(["okx.spot"])
    for t in range(60):
        t_ns = START_NS + t * SECOND
        judge.observe(FeedSample(route="okx.spot", t_ns=t_ns, interval_ms=1_000.0, messages=0, bursts=0))
    assert judge.verdicts(START_NS + 60 * SECOND)["okx.spot"].state is not State.OK


def test_before_any_sample_everything_is_unknown() -> None:
    verdicts = Judge(ROUTES).verdicts(START_NS)
    assert {v.state for v in verdicts.values()} == {State.UNKNOWN}
    assert {v.cause for v in verdicts.values()} == {Cause.WARMING}


def test_samples_of_strange_routes_are_ignored() -> None:
    judge = Judge(["okx.spot"])
    judge.observe(ProbeSample(route="mexc.spot", t_ns=START_NS, name="time", cold=False, total_ms=3.0))
    assert set(judge.verdicts(START_NS)) == {"okx.spot"}


# when, since when, how long


def test_raised_within_ten_seconds_with_its_onset_and_cleared_only_after_a_while() -> None:
    result = play(World(GATEWAY), 140)
    states = [result.at(t, "binance.linear").state for t in range(1, 140)]
    raised = states.index(State.CONGESTED) + 1
    assert 33 <= raised <= 40, "three seconds of evidence at least, ten seconds at most"
    verdict = result.at(raised, "binance.linear")
    assert 30 <= (verdict.since_ns - START_NS) / SECOND <= raised - 3
    cleared = states.index(State.OK, raised) + 1
    assert 80 <= cleared <= 100
    assert State.OK not in states[raised : cleared - 1]
    assert (result.at(cleared, "binance.linear").since_ns - START_NS) / SECOND < cleared


def test_since_stays_while_the_trouble_lasts() -> None:
    result = play(World(GATEWAY), 70)
    since = {v["binance.linear"].since_ns for v in result.verdicts[45:70]}
    assert len(since) == 1


def test_reasons_can_be_argued_with() -> None:
    verdicts = play(World(GATEWAY), 70).verdicts[45:70]
    by_signal = {r.signal: r for v in verdicts for r in v["binance.linear"].reasons}
    rest = by_signal["rest_rtt_last5_ms"]
    assert rest.evidence is Evidence.REST
    assert rest.value is not None and 350 < rest.value < 450
    assert rest.baseline is not None and 20 < rest.baseline < 28
    assert rest.ratio is not None and 14 < rest.ratio < 20
    assert "baseline 24" in rest.text or "baseline 23" in rest.text or "baseline 25" in rest.text
    assert "503 Service Unavailable" in by_signal["rest_error_last30s_share"].text
    assert by_signal["peers_unmoved"].evidence is Evidence.PEERS


def test_a_short_spike_says_nothing() -> None:
    script = during(calm, 40, 42, only("binance.linear", rest_ms=900.0, age_ms=2_000.0))
    assert play(World(script), 80).states("binance.linear") == [("unknown", "warming"), ("ok", None)]


def test_one_class_of_evidence_is_a_suspicion() -> None:
    script = during(calm, 40, 90, only("binance.linear", rest_ms=80.0))
    result = play(World(script), 90)
    assert result.at(80, "binance.linear").state is State.SUSPECT
    assert result.at(80, "binance.linear").cause is Cause.GATEWAY


def test_square_waves_do_not_flap() -> None:
    def wave(route: str, t_s: float) -> Condition:
        bad = route == "okx.spot" and t_s > 30 and t_s % 60 < 30
        return replace(calm(route, t_s), rest_ms=900.0, error_share=0.4) if bad else calm(route, t_s)

    result = play(World(wave), 720)
    states = [state for state, _ in result.states("okx.spot")]
    assert sum(b == "congested" and a != "congested" for a, b in pairwise(states)) <= 4
    assert result.at(715, "okx.spot").state is State.CONGESTED, "held: it comes back every minute"


def test_a_held_state_says_why() -> None:
    result = play(World(GATEWAY), 90)
    held = [
        v["binance.linear"]
        for v in result.verdicts[70:]
        if any(r.signal == "clearing_s" for r in v["binance.linear"].reasons)
    ]
    assert held and all(v.state is not State.OK for v in held)
    assert "cleared after 10" in held[0].reasons[-1].text
