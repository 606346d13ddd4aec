"""Our wall clock is set by half a minute or an hour, or we sleep for five minutes: nobody is accused, then or in the
ten minutes after, and what is normal stays what it was."""

from __future__ import annotations

import pytest

from feeds.judge.judge import Judge
from feeds.judge.time_words import sleep_words, step_words
from feeds.model import Cause, State
from feeds.samples import SelfSample
from tests.feeds.judge.series import ACCUSING, GATEWAY, SECOND, START_NS, World, arrival_ns, calm, during, only
from tests.feeds.judge.time_breaks import MONO_NS, Break, Lived, live

ROUTES = ("binance.linear", "okx.linear", "okx.spot")
AT_S = 60.5
AFTER_S = 600
BREAKS = {
    "forward 30 s": Break(AT_S, step_s=30.0),
    "back 30 s": Break(AT_S, step_s=-30.0),
    "forward an hour": Break(AT_S, step_s=3_600.0),
    "back an hour": Break(AT_S, step_s=-3_600.0),
    "sleep, clock runs on": Break(AT_S, sleep_s=300.0),
    "sleep, clock stands still": Break(AT_S, sleep_s=300.0, runs_on=False),
    "paused machine that knows of no sleep": Break(AT_S, step_s=300.0),
}


def accused(result: Lived) -> list[str]:
    return [
        f"{n} s {route}: {v.state}/{v.cause}: " + "; ".join(r.text for r in v.reasons)
        for n, verdicts in enumerate(result.seconds, start=1)
        for route, v in verdicts.items()
        if v.state in ACCUSING
    ]


@pytest.mark.parametrize("name", list(BREAKS))
def test_nobody_is_accused_and_what_is_normal_stays(name: str) -> None:
    broken = BREAKS[name]
    seconds = int(AT_S + broken.sleep_s + AFTER_S)
    result = live(World(calm, routes=ROUTES, symbols=("BTC/USDT",)), seconds, broken)
    assert not accused(result)
    just_after = [v["okx.spot"] for v in result.seconds[60:64]]
    assert {(v.state, v.cause) for v in just_after} <= {(State.UNKNOWN, Cause.SELF), (State.OK, None)}
    assert (State.UNKNOWN, Cause.SELF) in {(v.state, v.cause) for v in just_after}, "it is said"
    assert {v["okx.spot"].state for v in result.seconds[90:]} == {State.OK}, "and over in half a minute"
    for signals in result.signals[60:]:
        shown = signals["okx.spot"]
        assert shown.rest_p99_ms is None or shown.rest_p99_ms < 200, "nothing measured across it is shown"
        assert shown.feed_age_p99_ms is None or 0 <= shown.feed_age_p99_ms < 200
        assert shown.ws_p99_ms is None or shown.ws_p99_ms < 200
    last = result.signals[-1]["okx.spot"]
    assert last.baseline_age_ms == pytest.approx(55.0, rel=0.1)
    assert last.baseline_rest_ms == pytest.approx(61.0, rel=0.1)
    assert last.baseline_msgs_s == pytest.approx(40.0, rel=0.15)


def test_a_venue_that_falls_silent_after_a_sleep_is_still_found() -> None:
    """What we slept through is not taken for the usual length of a silence."""
    script = during(calm, 480, 600, only("okx.spot", silent=("*",)))
    result = live(World(script, routes=ROUTES, symbols=("BTC/USDT",)), 520, BREAKS["sleep, clock runs on"])
    assert result.seconds[-1]["okx.spot"].state is State.STALLED


@pytest.mark.parametrize("step_s", [30.0, -30.0, 3_600.0, -3_600.0])
def test_real_trouble_goes_on_over_a_step_of_our_clock(step_s: float) -> None:
    """And its beginning is told in today's clock."""
    result = live(World(GATEWAY), 66, Break(50.5, step_s=step_s))
    verdict, wall_ns = result.seconds[-1]["binance.linear"], result.wall_ns[-1]
    assert (verdict.state, verdict.cause) == (State.CONGESTED, Cause.GATEWAY)
    assert 0 <= (wall_ns - verdict.since_ns) / SECOND <= 36
    if step_s < 5:
        assert (wall_ns - verdict.since_ns) / SECOND > 28


def test_a_question_asked_with_a_wall_time_of_before_the_step_is_answered_as_of_now() -> None:
    broken = Break(30.5, step_s=-3_600.0)
    result = live(World(calm, routes=ROUTES), 40, broken)
    verdict = result.judge.verdicts(START_NS + 40 * SECOND, MONO_NS + 40 * SECOND)["okx.spot"]
    assert all("nothing has been measured" not in reason.text for reason in verdict.reasons)


def test_what_happened_to_our_time_in_words() -> None:
    assert step_words(3_600_000.0) == "our clock was set forward by 3\u2009600 s"
    assert step_words(-30_000.0) == "our clock was set back by 30 s"
    assert step_words(250.0) == "our clock was set forward by 250 ms"
    assert sleep_words(300_000.0) == "we slept for 5 min"
    assert sleep_words(7_200_000.0) == "we slept for 2 h"
    assert sleep_words(9_000.0) == "we slept for 9 s"


def test_a_sample_without_a_notice_wakes_the_judge_too() -> None:
    """The gap between two samples tells of a sleep, whoever notices first."""
    judge = Judge(ROUTES)
    for sample in World(calm, routes=ROUTES).samples(60):
        judge.observe(sample)
        last_ns = arrival_ns(sample)
    judge.observe(SelfSample(t_ns=last_ns + 300 * SECOND, loop_lag_p50_ms=None, loop_lag_p99_ms=None))
    verdict = judge.verdicts(last_ns + 300 * SECOND)["okx.spot"]
    assert (verdict.state, verdict.cause) == (State.UNKNOWN, Cause.SELF)
    assert "we slept for 5 min" in verdict.reasons[0].text
