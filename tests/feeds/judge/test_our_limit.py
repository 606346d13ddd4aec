"""A venue that closes a websocket because we exceeded its limit is not to blame for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from feeds.model import Cause, Fault, State
from tests.feeds.judge.series import Condition, World, calm, during, only, play

ROUTE = "binance.spot"


def cut_every_10_s(fault: Fault | None) -> Callable[[str, float], Condition]:
    def script(route: str, t_s: float) -> Condition:
        away = route == ROUTE and t_s > 60 and t_s % 10 < 2
        return replace(calm(route, t_s), connected=not away, link_fault=fault)

    return script


@pytest.mark.parametrize(("fault", "counted"), [(None, True), (Fault.OUR_LIMIT, False)])
def test_closes_for_our_limit_are_no_reconnects_of_the_venues(fault: Fault | None, counted: bool) -> None:
    reasons = play(World(cut_every_10_s(fault)), 130).at(128, ROUTE).reasons
    assert any(r.signal == "reconnects_last120s" for r in reasons) is counted


def test_sockets_that_stay_closed_for_our_limit_are_our_fault_and_not_fine() -> None:
    result = play(World(during(calm, 50, 90, only(ROUTE, connected=False, link_fault=Fault.OUR_LIMIT))), 130)
    verdict = result.at(75, ROUTE)
    assert (verdict.state, verdict.cause) == (State.BLOCKED, Cause.SELF)
    assert "1 of 1 websockets closed by the venue for our limit" in [r.text for r in verdict.reasons]
    assert result.at(128, ROUTE).state is State.OK
