"""What a screen sees of the time before it came."""

from __future__ import annotations

from msgspec import structs

from feeds.collector.history import FrameHistory
from feeds.link_messages import HISTORY_S
from tests.feeds.frames import SECOND_NS, T0_NS, frame, pair_row


def keeper_of(*seconds: float) -> FrameHistory:
    keeper = FrameHistory()
    for n, at in enumerate(seconds):
        one = frame(n, T0_NS + int(at * SECOND_NS), pairs=(pair_row(spread_bps=float(at)),))
        if keeper.due(one):
            keeper.add(one)
    return keeper


SPREAD = "spread:binance.linear:BTC/USDT:USDT"


def test_one_step_a_second_oldest_first() -> None:
    history = keeper_of(0, 0.25, 0.5, 1.0, 1.25, 2.0).history()
    assert history.series[SPREAD] == [0.0, 1.0, 2.0]
    assert history.end_ns == T0_NS + 2 * SECOND_NS


def test_a_stall_of_ours_leaves_a_hole_not_a_line() -> None:
    assert keeper_of(0, 1, 4.2).history().series[SPREAD] == [0.0, 1.0, None, None, 4.2]


def test_no_more_than_half_an_hour_is_kept() -> None:
    series = keeper_of(*range(HISTORY_S + 10)).history().series[SPREAD]
    assert len(series) == HISTORY_S and series[0] == 10.0 and series[-1] == HISTORY_S + 9.0


def test_a_stale_pair_leaves_no_figure() -> None:
    keeper = keeper_of(0)
    keeper.add(frame(1, T0_NS + SECOND_NS, pairs=(pair_row(state="stale"),)))
    assert keeper.history().series[SPREAD] == [0.0, None]


def test_a_clock_that_is_set_neither_stops_the_history_nor_tears_it() -> None:
    """Steps go by the monotonic clock; what is behind lies as long ago as it does, by the clock of now."""
    for set_s in (3_600, -3_600, 30, -30):
        keeper = FrameHistory()
        for second in range(6):
            wall_ns = T0_NS + (second + (set_s if second >= 3 else 0)) * SECOND_NS
            pairs = (pair_row(spread_bps=float(second)),)
            one = structs.replace(frame(second, wall_ns, pairs=pairs), mono_ns=7 + second * SECOND_NS)
            if keeper.due(one):
                keeper.add(one)
        assert keeper.history().series[SPREAD] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        assert keeper.history().end_ns == T0_NS + (5 + set_s) * SECOND_NS
