from __future__ import annotations

import gzip

import msgspec

from feeds.model import (
    Ack,
    BookDelta,
    Channel,
    Garbled,
    Instrument,
    Mark,
    Pong,
    Product,
    Refusal,
    Trade,
)
from feeds.venues.base import Session
from feeds.venues.mexc.venue import Mexc
from tests.feeds.venues.captures import events, instrument, recording

MEXC = Mexc()
SPOT = instrument("mexc.spot", "BTC/USDT", "BTCUSDT")
PERP = instrument("mexc.linear", "BTC/USDT:USDT", "BTC_USDT", contract_size=0.0001)
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def session(*instruments: Instrument) -> Session:
    product: Product = "spot" if instruments[0].settle is None else "linear"
    return MEXC.session(MEXC.plan(product, instruments)[0], instruments)


def test_every_channel_of_perpetuals() -> None:
    reader = session(PERP)
    reader.subscribe()
    found = events(reader, recording("mexc/linear_channels"))
    ack, merged, single, sell, buy, older, fair, index, funding, ticker, pong = found
    assert ack == Ack(channel=Channel.BOOK, symbol="BTC/USDT:USDT")
    assert merged == BookDelta(
        symbol="BTC/USDT:USDT",
        bids=[(75.48, 5.0)],
        asks=[(100.6, 2.0), (100.7, 0.0)],
        first_seq=1001,
        last_seq=1003,
        engine_ns=T0 - 10 * MS,
        gateway_ns=T0 + 12 * MS,
    )
    assert isinstance(single, BookDelta)
    assert (single.first_seq, single.last_seq, single.engine_ns) == (1004, 1004, None)
    assert [(t.side, t.size, t.trade_id) for t in (sell, buy, older) if isinstance(t, Trade)] == [
        ("sell", 49.0, "13064218826"),
        ("buy", 3.0, None),
        ("sell", 8.0, None),
    ]
    marks = [m for m in (fair, index, funding, ticker) if isinstance(m, Mark)]
    assert [(m.mark, m.index, m.funding_rate) for m in marks] == [
        (100.55, None, None),
        (None, 100.52, None),
        (None, None, -0.0001),
        (100.56, 100.53, 0.0002),
    ]
    assert marks[2].next_funding_ns == T0 + 6_400_000 * MS
    assert pong == Pong(server_out_ns=T0 + 700 * MS)


def test_an_acknowledgement_without_a_name_is_of_the_request_that_was_first() -> None:
    eth = instrument("mexc.linear", "ETH/USDT:USDT", "ETH_USDT")
    reader = session(PERP, eth)
    assert len(reader.subscribe()) == 10
    frames = [b'{"channel":"rs.sub.depth","data":"success","ts":1}',
              b'{"channel":"rs.error","data":"Contract [ETH_USDT] not exists","ts":1}',
              b'{"channel":"rs.error","data":"Contract [ETH_USDT] not exists","ts":1}']  # fmt: skip
    assert [(type(e), e.channel, e.symbol) for e in events(reader, frames) if isinstance(e, Ack | Refusal)] == [
        (Ack, Channel.BOOK, "BTC/USDT:USDT"),
        (Refusal, Channel.BOOK, "ETH/USDT:USDT"),
        (Refusal, Channel.TRADES, "ETH/USDT:USDT"),
    ]


def test_compressed_messages_are_read_within_bounds() -> None:
    raw = recording("mexc/linear_channels")[1]
    assert [type(e) for e in session(PERP).receive(gzip.compress(raw), 0)] == [BookDelta]
    bomb = gzip.compress(b" " * (64 << 20))
    assert [type(e) for e in session(PERP).receive(bomb, 0)] == [Garbled]


def test_resubscribing_leaves_the_channel_first() -> None:
    asked = [msgspec.json.decode(p)["method"] for p in session(PERP).resubscribe(Channel.BOOK, PERP.symbol)]
    assert asked == ["unsub.depth", "sub.depth"]
    asked = [msgspec.json.decode(p)["method"] for p in session(SPOT).resubscribe(Channel.BOOK, SPOT.symbol)]
    assert asked == ["UNSUBSCRIPTION", "SUBSCRIPTION"]
    assert list(session(SPOT).resubscribe(Channel.MARK, SPOT.symbol)) == []
