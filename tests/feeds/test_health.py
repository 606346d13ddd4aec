"""The judge's promises, whatever comes in."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.health import Judge
from feeds.model import Cause, Evidence, Fault, State, Verdict, venue_of
from feeds.own import Own
from feeds.recent import recent
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
from feeds.thresholds import Thresholds
from feeds.track import RouteTrack
from feeds.windows import ns
from tests.feeds.series import (
    ROUTES,
    SECOND,
    START_NS,
    Condition,
    Ourselves,
    Played,
    World,
    arrival_ns,
    calm,
    during,
    fine,
    only,
    play,
)

ACCUSING = {State.SUSPECT, State.CONGESTED, State.STALLED, State.DOWN, State.HALTED, State.BLOCKED}
gateway = during(calm, 30, 70, only("binance.linear", rest_ms=400.0, error_share=0.25, age_ms=900.0))


def shifted(sample: Sample, by_ns: int) -> Sample:
    return msgspec.structs.replace(sample, t_ns=sample.t_ns + by_ns)


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
    world = World(gateway)
    result = play(world, 120)
    for second, verdicts in enumerate(result.verdicts, start=1):
        for verdict in verdicts.values():
            check(verdict, world.start_ns + second * SECOND)


def test_the_same_samples_give_the_same_verdicts() -> None:
    one, two = play(World(gateway), 90), play(World(gateway), 90)
    assert one.verdicts == two.verdicts


def test_how_often_one_asks_changes_nothing() -> None:
    seldom, often = play(World(gateway), 90, ask_every_s=1.0), play(World(gateway), 90, ask_every_s=0.25)
    assert [v for n, v in enumerate(often.verdicts, start=1) if n % 4 == 0] == seldom.verdicts


def test_the_order_in_which_routes_are_named_changes_nothing() -> None:
    forward = play(World(gateway), 90)
    backward = play(World(gateway), 90, routes=tuple(reversed(ROUTES)))
    assert forward.verdicts == backward.verdicts


@settings(max_examples=5, deadline=None)
@given(st.integers(-(10**9), 10**9))
def test_a_shift_in_time_shifts_the_verdicts(seconds: int) -> None:
    start_ns = START_NS + seconds * SECOND + 123_456_789
    here, there = play(World(gateway), 70), play(World(gateway, start_ns=start_ns), 70)
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
    result = play(World(gateway), 140)
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
    result = play(World(gateway), 70)
    since = {v["binance.linear"].since_ns for v in result.verdicts[45:70]}
    assert len(since) == 1


def test_reasons_can_be_argued_with() -> None:
    verdicts = play(World(gateway), 70).verdicts[45:70]
    by_signal = {r.signal: r for v in verdicts for r in v["binance.linear"].reasons}
    rest = by_signal["rest_p50_ms"]
    assert rest.evidence is Evidence.REST
    assert rest.value is not None and 350 < rest.value < 450
    assert rest.baseline is not None and 20 < rest.baseline < 28
    assert rest.ratio is not None and 14 < rest.ratio < 20
    assert "baseline 24" in rest.text or "baseline 23" in rest.text or "baseline 25" in rest.text
    assert "503 Service Unavailable" in by_signal["rest_error_share"].text
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
    result = play(World(gateway), 90)
    held = [
        v["binance.linear"]
        for v in result.verdicts[70:]
        if any(r.signal == "clearing_s" for r in v["binance.linear"].reasons)
    ]
    assert held and all(v.state is not State.OK for v in held)
    assert "cleared after 10" in held[0].reasons[-1].text


# whose fault


def blamed(result: Played, *but: str) -> set[str]:
    return {
        f"{second} s {route} {verdict.state.value}/{verdict.cause}"
        for second, verdicts in enumerate(result.verdicts, start=1)
        for route, verdict in verdicts.items()
        if verdict.state in ACCUSING
        and verdict.cause is not Cause.MARKET
        and route not in but
        and venue_of(route) not in but
    }


def test_a_stall_of_ours_does_not_excuse_a_failing_venue() -> None:
    script = during(calm, 40, 100, only("binance.linear", rest_ms=900.0, error_share=0.5))

    def late(t_s: float) -> Ourselves:
        return Ourselves(lag_ms=60.0) if t_s >= 40 else Ourselves()

    result = play(World(script, late), 100)
    assert result.at(90, "binance.linear").state is State.CONGESTED
    assert not blamed(result, "binance.linear")


def test_one_hiccup_of_ours_changes_no_verdict() -> None:
    result = play(World(calm, lambda t: Ourselves(lag_ms=400.0 if t == 40 else 0.5)), 60)
    assert result.states("okx.spot") == [("unknown", "warming"), ("ok", None)]


def test_what_we_sleep_through_is_nobodys_fault() -> None:
    judge = Judge(ROUTES)
    samples = World(calm).samples(120)
    for sample in samples:
        if not 40 <= (arrival_ns(sample) - START_NS) / SECOND < 80:
            judge.observe(sample)
            for verdict in judge.verdicts(arrival_ns(sample)).values():
                assert verdict.state in {State.OK, State.UNKNOWN}
    judge = Judge(ROUTES)
    for sample in samples:
        if (arrival_ns(sample) - START_NS) / SECOND < 40:
            judge.observe(sample)
    verdict = judge.verdicts(START_NS + 60 * SECOND)["okx.spot"]
    assert (verdict.state, verdict.cause) == (State.UNKNOWN, Cause.SELF)


def test_a_clock_that_goes_back_does_not_stop_the_judge() -> None:
    samples = World(gateway).samples(120)
    judge = Judge(ROUTES)
    back_ns = -3_600 * SECOND
    for sample in samples:
        judge.observe(sample if (sample.t_ns - START_NS) / SECOND < 20 else shifted(sample, back_ns))
        if (arrival_ns(sample) - START_NS) / SECOND > 60:
            break
    now_ns = START_NS + 60 * SECOND + back_ns
    verdict = judge.verdicts(now_ns)["binance.linear"]
    assert (verdict.state, verdict.cause) == (State.CONGESTED, Cause.GATEWAY)
    assert abs(verdict.since_ns - (START_NS + 32 * SECOND + back_ns)) < 6 * SECOND, "told in today's clock"


def test_a_single_venue_that_falls_silent_without_any_witness_is_inconclusive() -> None:
    dead = only("okx", lost_share=1.0, silent=("*",), keepalive=False)
    world = World(during(calm, 40, 100, dead), lambda t: Ourselves(witness=None), routes=("okx.spot", "okx.linear"))
    result = play(world, 100)
    assert not blamed(result)
    assert (result.at(80, "okx.spot").state, result.at(80, "okx.spot").cause) == (State.UNKNOWN, Cause.UPLINK)


def test_a_single_venue_that_falls_silent_is_down_when_the_witness_answers() -> None:
    dead = only("okx", lost_share=1.0, silent=("*",), keepalive=False)
    result = play(World(during(calm, 40, 100, dead), routes=("okx.spot", "okx.linear")), 100)
    assert result.at(80, "okx.spot").state in {State.DOWN, State.STALLED}


def test_a_slow_line_of_ours_blames_no_venue() -> None:
    def far(condition: Condition, route: str, t_s: float) -> Condition:
        return replace(
            condition,
            kernel_ms=condition.kernel_ms + 300.0,
            rest_ms=condition.rest_ms + 310.0,
            age_ms=condition.age_ms + 150.0,
        )

    result = play(World(during(calm, 40, 100, far)), 100)
    assert (result.at(80, "okx.spot").state, result.at(80, "okx.spot").cause) == (State.UNKNOWN, Cause.UPLINK)
    assert not blamed(result)


def test_own_state_for_the_header() -> None:
    def own(t_s: float) -> Ourselves:
        return Ourselves(lag_ms=900.0 if 40 <= t_s < 60 else 0.5, witness=not t_s >= 70)

    result = play(World(calm, own), 100)
    assert (result.own[30].witness, result.own[30].uplink, result.own[30].loop) == ("up", "up", "ok")
    assert result.own[30].witness_ms == 1.2
    assert result.own[50].loop == "late" and "late" in result.own[50].text
    assert result.own[90].witness == "down" and result.own[90].uplink == "up"
    since_ns = result.own[90].witness_since_ns
    assert since_ns is not None and 68 <= (since_ns - START_NS) / SECOND <= 76
    assert Judge(ROUTES).own().witness == "unknown" and Judge(ROUTES).own().loop == "unknown"


def test_an_unplanned_close_with_a_quick_return_is_no_trouble() -> None:
    script = during(calm, 50, 54, only("binance.spot", connected=False))
    assert not blamed(play(World(script, fine), 100))


def test_sockets_that_stay_away_are_a_stall_even_while_rest_answers() -> None:
    script = during(calm, 50, 90, only("binance.spot", connected=False))
    result = play(World(script), 100)
    verdict = result.at(70, "binance.spot")
    assert (verdict.state, verdict.cause) == (State.STALLED, Cause.FEED)
    assert not blamed(result, "binance.spot")


def test_sockets_that_stay_away_while_rest_fails_too_are_the_venues_door_and_not_its_feed() -> None:
    script = during(calm, 40, 120, only("binance.spot", connected=False, lost_share=0.4))
    result = play(World(script), 120)
    verdict = result.at(90, "binance.spot")
    assert (verdict.state, verdict.cause) == (State.STALLED, Cause.GATEWAY)
    assert not blamed(result, "binance.spot")


def test_a_domain_of_one_venue_is_not_shared() -> None:
    script = during(calm, 40, 100, only("binance", rest_ms=500.0, error_share=0.3))
    result = play(World(script), 100, domains={"binance": "aws-tokyo", "okx": "alibaba-hongkong"})
    assert result.at(80, "binance.spot").cause is Cause.GATEWAY


def test_numbers_are_written_for_people() -> None:
    script = during(calm, 30, 70, only("binance.linear", rest_ms=2_400.0))
    text = " ".join(r.text for r in play(World(script), 60).at(60, "binance.linear").reasons)
    assert "2\u2009" in text and "ms, baseline 2" in text


def test_a_storm_is_told_to_the_header() -> None:
    script = during(calm, 30, 80, lambda c, r, t: replace(c, depth=15_000.0, spread_bps=25.0))
    judge = play(World(script), 60).judge
    since_ns = judge.storm_since_ns
    assert since_ns is not None and 30 <= (since_ns - START_NS) / SECOND <= 35
    assert play(World(calm), 30).judge.storm_since_ns is None


def test_late_samples_are_taken_for_what_they_are() -> None:
    judge = Judge(["okx.spot"])
    samples = World(calm, routes=("okx.spot",)).samples(30)
    for n, sample in enumerate(samples):
        judge.observe(sample)
        if n % 5 == 0:
            judge.observe(shifted(sample, -ns(3.0)))
    assert judge.verdicts(START_NS + 30 * SECOND)["okx.spot"].state is State.OK


def test_age_that_grows_inside_one_of_our_connections_is_ours() -> None:
    script = during(calm, 40, 100, only("binance.linear", age_ms=720.0, own_lag_ms=700.0))
    assert not blamed(play(World(script), 100))


def test_errors_speak_of_the_gateway_even_where_the_road_is_longer_too() -> None:
    script = during(calm, 40, 100, only("binance.linear", rest_ms=330.0, kernel_ms=110.0, error_share=0.3))
    result = play(World(script), 100)
    assert {v["binance.linear"].cause for v in result.verdicts[60:100]} == {Cause.GATEWAY}


def test_a_suspicion_that_was_the_beginning_of_our_own_trouble_is_dropped() -> None:
    slow = during(calm, 45, 60, only("okx.spot", rest_ms=260.0))
    cut = during(slow, 60, 80, only("okx", "bybit", "binance", lost_share=1.0, silent=("*",), keepalive=False))
    result = play(World(cut, lambda t: Ourselves(witness=not 60 <= t < 80)), 110)
    assert result.at(59, "okx.spot").state is State.SUSPECT
    assert result.at(75, "okx.spot").cause is Cause.UPLINK
    after = {v["okx.spot"].state for v in result.verdicts[80:110]}
    assert after <= {State.UNKNOWN, State.OK}, "no suspicion is left to clear"


def test_handshakes_made_while_our_line_was_down_are_not_counted() -> None:
    limits = Thresholds()
    own, track = Own(limits), RouteTrack("okx.spot", limits)
    own.asleep(50 * SECOND, 70 * SECOND)
    for start_s, connect_ms in ((10, 5.0), (40, 6.0), (68, 3_050.0), (69, 3_010.0)):
        end_ns = start_s * SECOND + ns(connect_ms / 1e3)
        sample = ProbeSample(
            route="okx.spot", t_ns=0, name="time", cold=True, total_ms=connect_ms + 1, connect_ms=connect_ms
        )
        track.observe_probe(sample, start_s * SECOND, end_ns)
    assert recent(track, own, 75 * SECOND).connect_ms == 5.5


def test_where_the_kernel_tells_nothing_handshakes_do() -> None:
    def far(route: str, t_s: float) -> Condition:
        condition = replace(calm(route, t_s), kernel_ms=float("nan"))
        away = route == "okx.spot" and t_s >= 150
        return replace(condition, connect_ms=400.0, rest_ms=480.0) if away else condition

    result = play(World(far, routes=ROUTES[2:]), 330)
    assert result.at(320, "okx.spot").cause is Cause.PATH
    assert not blamed(result, "okx.spot")


def test_what_outlasts_the_rest_of_a_trouble_is_no_new_cause() -> None:
    slow = during(calm, 30, 60, only("binance.linear", rest_ms=400.0))
    late = during(slow, 30, 74, only("binance.linear", age_ms=1_400.0))
    result = play(World(late), 100)
    causes = {v["binance.linear"].cause for v in result.verdicts[40:100] if v["binance.linear"].state is not State.OK}
    assert causes == {Cause.GATEWAY}
