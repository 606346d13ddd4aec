"""Figures of rows: what a pair and a channel may be called."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from feeds.books.route_books import RouteBooks
from feeds.collector.rows import channel_row, pair_kind
from feeds.model import BookSnapshot, Channel
from feeds.transport.subscriptions import ChannelLife
from feeds.venues.sequence import Unsequenced
from tests.feeds.advise.routes import SYMBOL, instrument

STREAM = SimpleNamespace(label="ws 1")


def test_only_a_synced_book_of_a_route_that_speaks_is_live() -> None:
    books = RouteBooks(
        "okx.linear",
        SimpleNamespace(rule=lambda product: Unsequenced()),
        "linear",
        [instrument("okx.linear")],
        resync=lambda symbol, origin: None,
        notice=lambda text, within_s: None,
        log_event=lambda code, text: None,
    )
    pair = books.pairs[SYMBOL]
    assert pair_kind(pair, connected=True, silent=False) == "waiting"
    books.events(STREAM, [BookSnapshot(symbol=SYMBOL, bids=[(99.0, 1.0)], asks=[(101.0, 1.0)])], 1, 1)
    assert pair_kind(pair, connected=True, silent=False) == "live"
    assert pair_kind(pair, connected=False, silent=False) == "stale"
    assert pair_kind(pair, connected=True, silent=True) == "stale"
    books.disconnected([SYMBOL])
    assert pair_kind(pair, connected=True, silent=False) == "resyncing"
    pair.refused = "no such symbol"
    assert pair_kind(pair, connected=True, silent=False) == "refused"


@pytest.mark.parametrize(
    ("state", "silence_ms", "data", "refused"),
    [
        ("live", 10.0, True, False),
        ("quiet", 600.0, True, False),
        ("silent", 1200.0, True, False),
        ("waiting", 10.0, False, False),
        ("refused", 1200.0, True, True),
    ],
)
def test_a_channel_is_called_by_its_silence(state: str, silence_ms: float, data: bool, refused: bool) -> None:
    life = ChannelLife(
        channel=Channel.BOOK,
        symbol="BTC/USDT",
        silence_ms=silence_ms,
        limit_ms=1000.0,
        acked=True,
        refused=refused,
        data=data,
        resubscribed=0,
    )
    row = channel_row(life)
    assert (row.channel, row.state) == ("book:BTC/USDT", state)
    assert row.silence_ms == (silence_ms if data else None)
