import pytest

from feeds.model import Fault
from feeds.transport.rest_budget import FIRST_HOLD_S, LONGEST_HOLD_S, RestBudget
from feeds.venues.base import ProbeReading, RateLimit

LIMIT = RateLimit(1000, 60.0)


def test_probes_never_take_more_than_their_share_of_any_window() -> None:
    budget = RestBudget(LIMIT, probe_share=0.05)
    sent: list[float] = []
    for tick in range(60_000):
        now_s = tick / 100
        if budget.probe_wait_s(1, now_s) == 0:
            budget.probe_spent(1, now_s)
            sent.append(now_s)
    for at_s in sent:
        assert sum(1 for s in sent if at_s <= s < at_s + 60) <= 50
    assert len(sent) >= 450, "and what is allowed is used"


def test_the_pace_leaves_room_for_the_cold_probes() -> None:
    budget = RestBudget(RateLimit(20, 2.0), probe_share=0.05)
    assert budget.pace_s(1.0) == pytest.approx(1 / 0.45)
    assert budget.pace_s(1.0, reserved=1 / 60) > budget.pace_s(1.0)
    assert budget.pace_s(1.0, reserved=100.0) > 0


def test_probes_and_requests_do_not_take_from_each_other() -> None:
    budget = RestBudget(LIMIT)
    budget.request_spent(150, 0.0)
    assert budget.request_wait_s(1, 0.0) > 0
    assert budget.probe_wait_s(1, 0.0) == 0
    assert budget.used_share(0.0) == pytest.approx(0.15)


def test_refusals_hold_everything_back_ever_longer_and_good_answers_forgive() -> None:
    budget = RestBudget(LIMIT)
    refused = ProbeReading(fault=Fault.OUR_LIMIT)
    budget.learn(refused, 0.0)
    assert budget.held_s(0.0) == pytest.approx(FIRST_HOLD_S)
    assert budget.probe_wait_s(1, 1.0) == pytest.approx(FIRST_HOLD_S - 1)
    assert budget.request_wait_s(1, 1.0) == pytest.approx(FIRST_HOLD_S - 1)
    budget.learn(refused, 1.0)
    assert budget.held_s(1.0) == pytest.approx(FIRST_HOLD_S - 1), "answers already under way do not lengthen it"
    budget.learn(refused, 100.0)
    assert budget.held_s(100.0) == pytest.approx(2 * FIRST_HOLD_S)
    now_s = 1000.0
    for _ in range(50):
        budget.learn(refused, now_s)
        assert budget.held_s(now_s) <= LONGEST_HOLD_S
        now_s += LONGEST_HOLD_S
    budget.learn(ProbeReading(), now_s)
    budget.learn(refused, now_s + 1)
    assert budget.held_s(now_s + 1) == pytest.approx(FIRST_HOLD_S)


def test_a_venue_that_asks_for_a_day_is_asked_again_after_minutes() -> None:
    budget = RestBudget(RateLimit(1200, 60.0))
    budget.learn(ProbeReading(fault=Fault.OUR_LIMIT, retry_after_s=1e9), 0.0)
    assert budget.held_s(0.0) == 900.0


def test_retry_after_is_honoured_even_while_held() -> None:
    budget = RestBudget(LIMIT)
    budget.learn(ProbeReading(fault=Fault.OUR_LIMIT), 0.0)
    budget.learn(ProbeReading(fault=Fault.OUR_LIMIT, retry_after_s=300.0), 1.0)
    assert budget.held_s(1.0) == pytest.approx(300.0)


def test_an_overloaded_venue_is_still_watched() -> None:
    budget = RestBudget(LIMIT)
    budget.learn(ProbeReading(fault=Fault.OVERLOAD), 0.0)
    assert budget.probe_wait_s(1, 0.0) == 0


def test_when_others_on_this_ip_have_used_the_limit_we_step_aside() -> None:
    budget = RestBudget(LIMIT)
    budget.learn(ProbeReading(weight_used=500), 0.0)
    assert budget.held_s(0.0) == 0 and budget.used_share(0.0) == pytest.approx(0.5)
    budget.learn(ProbeReading(weight_used=900), 1.0)
    assert budget.held_s(1.0) == pytest.approx(60.0)
    assert budget.used_share(100.0) == 0.0, "what the venue told has aged, and we asked nothing since"
