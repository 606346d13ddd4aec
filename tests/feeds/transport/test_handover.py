import asyncio
from collections.abc import Sequence

import pytest

from feeds.model import BookDelta, Channel, Event, Liquidation, Trade
from feeds.transport import handover
from feeds.transport.connection import Connection, StreamTiming
from feeds.transport.handover import Handover
from feeds.transport.stream_stats import StreamStats
from feeds.venues.base import Subscription
from tests.feeds.loopback import FakeClock, FakeSession, facts

PLAN = (Subscription(Channel.BOOK, "A"), Subscription(Channel.BOOK, "B"), Subscription(Channel.TRADES, "A"))


class Rig:
    """Two connections of one stream, fed by hand."""

    def __init__(self) -> None:
        self.clock, self.stats = FakeClock(), StreamStats()
        self.told: list[Event] = []
        self.old = self.connection(self.stats, self.tell)
        self.hear(self.old, b"snap A", b"delta A")
        self.told.clear()
        self.handover = Handover(self.old, self.tell)
        self.new = self.connection(StreamStats(), self.handover.from_new)
        self.new.on_data = lambda: self.handover.check(self.new)

    def connection(self, stats: StreamStats, emit: object) -> Connection:
        return Connection(
            FakeSession(),
            facts(),
            PLAN,
            self.clock,
            StreamTiming(),
            stats,
            emit,  # type: ignore[arg-type] # one of our own methods
        )

    def tell(self, events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        self.told += events

    def hear(self, line: Connection, *messages: bytes) -> None:
        line.burst_begins()
        for raw in messages:
            line.message(raw, False)
        line.burst_ends(sum(map(len, messages)))

    def hand_over(self) -> None:
        self.handover.take_over(self.new, self.stats, self.clock)
        self.handover.flush(self.new, self.clock)

    @property
    def trades(self) -> list[str | None]:
        return [e.trade_id for e in self.told if isinstance(e, Trade)]


async def test_nothing_of_the_successor_is_told_before_it_takes_over_and_everything_after() -> None:
    rig = Rig()
    rig.hear(rig.new, b"snap A", b"trade A 7")
    rig.hear(rig.old, b"trade A 6")
    assert rig.trades == ["6"]
    rig.hand_over()
    assert rig.trades == ["6", "7"]
    rig.hear(rig.new, b"trade A 8")
    rig.hear(rig.old, b"trade A 8")
    assert rig.trades == ["6", "7", "8"]
    assert rig.stats.messages == 4, "what was held is not counted twice"


async def test_it_is_ready_when_it_has_what_was_alive() -> None:
    rig = Rig()
    rig.hear(rig.new, b"trade A 1", b"snap B")
    assert not rig.handover.ready.done()
    rig.hear(rig.new, b"snap A")
    assert rig.handover.ready.done(), "B and the trades were silent before, too"


@pytest.mark.parametrize("word", ["delta A 101", "chained A 100"])
async def test_a_successor_that_is_ahead_waits_until_the_old_one_has_told_what_came_before(word: str) -> None:
    rig = Rig()
    rig.hear(rig.new, f"{word} 110".encode(), b"delta A 111 120")
    assert not rig.handover.ready.done()
    rig.hear(rig.old, b"delta A 91 99")
    assert not rig.handover.ready.done()
    rig.hear(rig.old, b"delta A 100 104")
    assert rig.handover.ready.done()
    rig.hand_over()
    seqs = [e.last_seq for e in rig.told if isinstance(e, BookDelta)]
    assert seqs == [99, 104, 110, 120], "a book that skips what it knows has no gap"


async def test_a_stalled_predecessor_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "CATCH_UP_S", 0.01)
    rig = Rig()
    rig.hear(rig.new, b"delta A 101 110")
    await asyncio.wait_for(rig.handover.ready, 5)


async def test_trades_that_the_old_one_told_are_left_out_even_when_the_new_one_is_behind() -> None:
    rig = Rig()
    rig.hear(rig.old, b"trade A 1", b"trade A 2", b"trade A 3")
    rig.hear(rig.new, b"trade A 1")
    rig.hand_over()
    rig.hear(rig.new, b"trade A 2")
    rig.hear(rig.new, b"trade A 3")
    rig.hear(rig.new, b"trade A 4")
    assert rig.trades == ["1", "2", "3", "4"]


async def test_after_a_while_nobody_looks_for_echoes_any_more() -> None:
    rig = Rig()
    rig.hear(rig.old, b"trade A 1")
    rig.hand_over()
    rig.clock.advance(handover.OVERLAP_S + 1)
    rig.hear(rig.new, b"trade A 9")
    rig.hear(rig.new, b"trade A 1")
    assert rig.trades == ["1", "9", "1"]


def liquidation(price: float) -> Liquidation:
    return Liquidation(symbol="A", price=price, size=1.0, side="sell", engine_ns=5)


async def test_equal_events_without_an_id_are_left_out_as_often_as_they_were_told() -> None:
    rig = Rig()
    rig.handover.from_old((liquidation(1.0), liquidation(1.0)), 0, 0)
    rig.handover.from_new((liquidation(1.0), liquidation(1.0), liquidation(1.0), liquidation(2.0)), 0, 0)
    rig.hand_over()
    prices = [e.price for e in rig.told if isinstance(e, Liquidation)]
    assert prices == [1.0, 1.0, 1.0, 2.0]


async def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    monkeypatch.setattr(handover, "MAX_HELD", 3)
    rig.hear(rig.new, b"delta B", b"delta B")
    assert not rig.handover.ready.done()
    rig.hear(rig.new, b"delta B")
    assert rig.handover.ready.done()

    rig = Rig()
    monkeypatch.setattr(handover, "MAX_HELD_BYTES", 20)
    rig.hear(rig.new, b"delta B", b"delta B", b"delta B")
    assert rig.handover.ready.done()


async def test_a_bug_on_a_held_message_does_not_lose_the_others() -> None:
    rig = Rig()
    rig.hear(rig.new, b"trade A 1", b"trade A 2")

    def broken(events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        rig.told += events
        raise RuntimeError("a bug of ours")

    rig.handover._emit = broken
    rig.hand_over()
    assert rig.trades == ["1", "2"] and rig.stats.handler_errors == 2
