"""Routes that must not be used, each with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.model import Cause, State
from tests.feeds.advise.routes import BINANCE, OKX, SLOW, SYMBOL, ask, excluded, three, view


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": State.DOWN, "cause": Cause.GATEWAY}, "down (gateway) for 60 s"),
        ({"state": State.HALTED, "cause": Cause.PLANNED}, "halted (planned) for 60 s"),
        ({"state": State.UNKNOWN, "cause": Cause.WARMING}, "unknown (warming) for 60 s"),
        ({"state": State.STALLED, "reasons": (SLOW,)}, "stalled for 60 s: first byte p50 842 ms, baseline 24"),
        ({"state": State.SUSPECT, "cause": Cause.PRICE}, "its prices cannot be trusted: suspect (price) for 60 s"),
        ({"instrument": None}, f"{SYMBOL} is not among its known instruments"),
        ({"instrument": None, "state": State.UNKNOWN, "cause": Cause.UPLINK}, "unknown (uplink) for 60 s"),
        ({"listing": {"active": False}}, f"the venue does not trade {SYMBOL} at present"),
        ({"ladder": None}, "no book yet"),
        ({"synced": False}, "its book is being rebuilt"),
        ({"fresh": False}, "its book is stale"),
        ({"feed_age_ms": 7_300.0}, "its data is 7.3 s old"),
        ({"spread_bps": -1.0}, "its book is crossed"),
        ({"count": 0}, "a side of its book is empty"),
        ({"mid": 99_000.0}, "its price is 100 bp below the others"),
        ({"mid": 101_000.0}, "its price is 100 bp above the others"),
        ({"listing": {"quote": "USDC"}}, "quoted in USDC, and what that costs in USDT is not known"),
        ({"listing": {"min_size": 50.0}}, "less than its smallest order would be filled"),
    ],
)
def test_a_route_that_must_not_be_used_is_out_with_the_reason(changes: dict[str, Any], why: str) -> None:
    row = ask(three(binance=view(BINANCE, **{"size": 50.0, **changes})))
    assert excluded(row) == {BINANCE: why}
    assert row.best == OKX
    assert row.home_cost_bps is None and row.saving_bps is None
    assert row.why == f"binance.linear is out: {why}"
    assert BINANCE not in {part.route for part in row.split}
    assert "binance" not in {entry.without for entry in row.n_minus_1}


def test_of_two_prices_nobody_can_tell_which_is_wrong() -> None:
    row = ask({BINANCE: view(BINANCE, size=50.0), OKX: view(OKX, mid=102_000.0, size=50.0)})
    assert row.excluded == ()
    # but the dear one is not made cheap by measuring it against itself
    assert row.best == BINANCE


NOT_THE_SAME = "not the same coin, or one price is wrong: not compared"


def test_two_coins_of_one_name_save_nobody_anything() -> None:
    """Seen: NEIRO on two venues, "saves 551 188 bp"."""
    row = ask({BINANCE: view(BINANCE, size=50.0), OKX: view(OKX, mid=1_800.0, size=50.0)})
    assert excluded(row) == dict.fromkeys((BINANCE, OKX), NOT_THE_SAME)
    assert row.best is None and row.saving_bps is None


def test_one_other_coin_among_many_is_out_alone() -> None:
    row = ask(three(binance=view(BINANCE, mid=1_800.0, size=50.0)))
    assert excluded(row) == {BINANCE: NOT_THE_SAME}
    assert row.best == OKX
