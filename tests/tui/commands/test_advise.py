"""``detour advise``: the answer in words."""

from __future__ import annotations

from feeds.frame import AdviceRow, Excluded, Share
from tui.commands.advise import in_words


def test_advice_in_words_says_where_why_and_what_is_out() -> None:
    row = AdviceRow(
        symbol="BTC/USDT:USDT",
        side="sell",
        notional=100_000.0,
        home="binance.linear",
        home_cost_bps=10.0,
        best="okx.linear",
        best_cost_bps=5.94,
        saving_bps=4.06,
        split=(
            Share(route="okx.linear", share=0.6, cost_bps=5.0),
            Share(route="bybit.linear", share=0.4, cost_bps=5.2),
        ),
        split_cost_bps=5.1,
        excluded=(Excluded(route="htx.linear", why="silent 8.4 s"),),
    )
    assert in_words(row).splitlines() == [
        "sell 100,000 BTC/USDT:USDT: okx.linear, 5.9 bp all in, saves 4.1 bp",
        "split: okx.linear 60%, bybit.linear 40%: 5.1 bp",
        "home: binance.linear, 10.0 bp",
        "out: htx.linear, silent 8.4 s",
    ]


def test_when_nothing_can_be_recommended_it_says_so() -> None:
    row = AdviceRow(
        symbol="BTC/USDT",
        side="buy",
        notional=5.0,
        home=None,
        home_cost_bps=None,
        best=None,
        best_cost_bps=None,
        saving_bps=None,
        unallocated=5.0,
    )
    assert in_words(row).splitlines() == ["buy 5 BTC/USDT: no route can be recommended", "unallocated: 5"]
