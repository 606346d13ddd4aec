"""Whose fault it is: the judge accuses no venue of what is ours, the line's or everybody's."""

from __future__ import annotations

from dataclasses import replace

from feeds.judge.judge import Judge
from feeds.judge.own_side import OwnSide
from feeds.judge.rest_history import RestHistory
from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds
from feeds.model import Cause, State, venue_of
from feeds.samples import (
    ProbeSample,
)
from tests.feeds.judge.series import (
    ACCUSING,
    GATEWAY,
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
    shifted,
)


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


def test_a_start_on_a_busy_machine_does_not_make_what_is_normal_look_slow_later() -> None:
    """What our own lag can explain is taken off the evidence, never off what is normal."""
    result = play(World(calm, lambda t: Ourselves(lag_ms=60.0 if t < 30 else 0.5)), 100)
    assert not blamed(result)
    for route, usual_ms in {"binance.spot": (24.0, 20.0), "okx.spot": (61.0, 55.0)}.items():
        signals = result.judge.signals(route)
        assert signals.baseline_rest_ms is not None and abs(signals.baseline_rest_ms / usual_ms[0] - 1) < 0.3
        assert signals.baseline_age_ms is not None and abs(signals.baseline_age_ms / usual_ms[1] - 1) < 0.3


def test_lopsided_exchanges_that_are_slow_are_no_step_of_our_clock() -> None:
    """Where REST takes a second everywhere, offsets are off by up to half of it."""
    script = during(calm, 40, 90, lambda c, r, t: replace(c, rest_ms=900.0, offset_ms=c.offset_ms + 61.0))
    result = play(World(script), 100)
    assert Cause.SELF not in {v[route].cause for v in result.verdicts[20:] for route in ROUTES}


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
    samples = World(GATEWAY).samples(120)
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


def test_sockets_that_stay_away_while_nothing_connects_are_the_roads() -> None:
    script = during(calm, 40, 120, only("binance.spot", connected=False, lost_share=0.4, lost_at="connect"))
    verdict = play(World(script), 120).at(90, "binance.spot")
    assert (verdict.state, verdict.cause) == (State.STALLED, Cause.PATH)


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
    own, rest = OwnSide(limits), RestHistory(limits)
    own.note_sleep(50 * SECOND, 70 * SECOND)
    for start_s, connect_ms in ((10, 5.0), (40, 6.0), (68, 3_050.0), (69, 3_010.0)):
        end_ns = start_s * SECOND + ns(connect_ms / 1e3)
        sample = ProbeSample(
            route="okx.spot", t_ns=0, name="time", cold=True, total_ms=connect_ms + 1, connect_ms=connect_ms
        )
        rest.observe(sample, start_s * SECOND, end_ns)
    rest.update(own, 75 * SECOND)
    assert rest.recent.connect_ms == 5.5


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
