import pytest

from feeds.clock import MS, SECOND
from feeds.model import Ack, BookDelta, BookSnapshot, Channel, Heartbeat, Mark, Quote, Refusal, Trade
from feeds.transport.subscriptions import ChannelLife, Channels
from feeds.venues.base import Subscription

BOOK_A = Subscription(Channel.BOOK, "A")
BOOK_B = Subscription(Channel.BOOK, "B")
TRADES_A = Subscription(Channel.TRADES, "A")
QUIET = {Channel.BOOK: 5.0, Channel.TRADES: 30.0}


def life(channels: Channels, now_s: float, subscription: Subscription) -> ChannelLife:
    (found,) = [
        x
        for x in channels.silences(int(now_s * SECOND))
        if (x.channel, x.symbol) == (subscription.channel, subscription.symbol)
    ]
    return found


def hear(channels: Channels, kind: type, symbol: str | None, at_s: float) -> None:
    channels.last_data_ns[kind][symbol] = int(at_s * SECOND)


def test_acknowledged_but_silent_is_noticed_for_that_channel_only() -> None:
    channels = Channels([BOOK_A, BOOK_B], QUIET, 0)
    channels.acked(Ack(channel=Channel.BOOK, symbol="A"))
    channels.acked(Ack(channel=Channel.BOOK, symbol="B"))
    hear(channels, BookDelta, "A", 5.5)
    assert not life(channels, 4.9, BOOK_B).late
    a, b = life(channels, 6.0, BOOK_A), life(channels, 6.0, BOOK_B)
    assert not a.late and a.silence_ms == pytest.approx(500)
    assert b.acked and b.late and b.never_data and b.silence_ms == pytest.approx(6000)
    assert (b.key, b.limit_ms) == ("book:B", 5000)


def test_one_that_had_data_is_late_but_not_never() -> None:
    channels = Channels([BOOK_A], QUIET, 0)
    hear(channels, BookSnapshot, "A", 1)
    found = life(channels, 10, BOOK_A)
    assert found.late and found.data and not found.never_data


def test_snapshots_and_deltas_are_one_channel_and_a_quote_is_another() -> None:
    channels = Channels([BOOK_A, Subscription(Channel.BBO, "A")], QUIET, 0)
    assert channels.last_data_ns[BookSnapshot] is channels.last_data_ns[BookDelta]
    assert channels.last_data_ns[Quote] is not channels.last_data_ns[BookDelta]
    assert channels.last_data_ns[Mark] == {}, "not subscribed: nothing to be silent"


def test_without_a_published_limit_nothing_is_late() -> None:
    channels = Channels([TRADES_A], {}, 0)
    found = life(channels, 10_000, TRADES_A)
    assert found.limit_ms is None and not found.late and not found.never_data


def test_a_refused_channel_is_refused_and_not_silent() -> None:
    channels = Channels([BOOK_A, BOOK_B], QUIET, 0)
    channels.refused(Refusal(channel=Channel.BOOK, symbol="A"))
    assert life(channels, 60, BOOK_A).refused and not life(channels, 60, BOOK_A).late
    assert not life(channels, 60, BOOK_B).refused
    assert channels.overdue(60 * SECOND) == [(Channel.BOOK, "B")]
    channels.refused(Refusal(text="some complaint"))
    assert not life(channels, 60, BOOK_B).refused, "a complaint about nothing in particular refuses nothing"
    channels.acked(Ack(channel=Channel.BOOK, symbol="A"))
    assert not life(channels, 60, BOOK_A).refused


def test_an_ack_without_names_is_of_everything_asked() -> None:
    channels = Channels([BOOK_A, TRADES_A], QUIET, 0)
    channels.acked(Ack())
    assert all(x.acked for x in channels.silences(0))


def test_a_heartbeat_is_life_of_its_channel_and_of_no_other() -> None:
    channels = Channels([BOOK_A, BOOK_B], QUIET, 0)
    channels.beat(Heartbeat(channel=Channel.BOOK, symbol="A"), 9 * SECOND)
    channels.beat(Heartbeat(), 9 * SECOND)
    assert not life(channels, 10, BOOK_A).late
    assert life(channels, 10, BOOK_B).late


def test_a_silent_channel_is_asked_for_once_then_ever_more_rarely_and_data_forgives() -> None:
    channels = Channels([BOOK_A, BOOK_B], QUIET, 0)
    asked = []
    for tick in range(200):
        hear(channels, BookDelta, "A", tick)
        asked += [tick for c, s in channels.overdue(tick * SECOND) if s == "B"]
    assert asked == [6, 27, 108]
    assert life(channels, 200, BOOK_B).resubscribed == 3
    hear(channels, BookDelta, "B", 200)
    assert channels.overdue(201 * SECOND) == []
    assert life(channels, 201, BOOK_B).resubscribed == 0
    hear(channels, BookDelta, "A", 207)
    assert channels.overdue(207 * SECOND) == [(Channel.BOOK, "B")]


def test_quiet_trades_are_not_asked_for_again_but_ones_that_never_came_are() -> None:
    channels = Channels([BOOK_A, TRADES_A], QUIET, 0)
    hear(channels, BookDelta, "A", 40)
    assert channels.overdue(40 * SECOND) == [(Channel.TRADES, "A")]
    hear(channels, Trade, "A", 41)
    hear(channels, BookDelta, "A", 500)
    assert channels.overdue(500 * SECOND) == []


def test_when_everything_has_stopped_the_venue_is_left_alone() -> None:
    channels = Channels([BOOK_A, BOOK_B], QUIET, 0)
    hear(channels, BookDelta, "A", 1)
    hear(channels, BookDelta, "B", 1)
    assert channels.overdue(30 * SECOND) == []


def test_silence_is_counted_across_connections() -> None:
    first = Channels([BOOK_A], QUIET, 0)
    hear(first, BookDelta, "A", 2)
    second = Channels([BOOK_A], QUIET, 10 * SECOND, first.last())
    found = life(second, 12, BOOK_A)
    assert found.silence_ms == pytest.approx(10_000) and not found.data
    assert second.last() == {(Channel.BOOK, "A"): 2 * SECOND}


def test_a_successor_is_ready_when_it_has_what_was_alive() -> None:
    old = Channels([BOOK_A, BOOK_B, TRADES_A], QUIET, 0)
    hear(old, BookDelta, "A", 1)
    hear(old, Trade, "A", 1)
    new = Channels([BOOK_A, BOOK_B, TRADES_A], QUIET, 2 * SECOND)
    assert old.alive() == [(Channel.BOOK, "A")]
    assert new.missing(old.alive())
    hear(new, BookSnapshot, "A", 3)
    assert not new.missing(old.alive())


def test_silence_is_in_milliseconds_and_never_negative() -> None:
    channels = Channels([BOOK_A], QUIET, 5 * SECOND)
    assert channels.silences(4 * SECOND)[0].silence_ms == 0
    assert channels.silences(5 * SECOND + 3 * MS)[0].silence_ms == pytest.approx(3)
