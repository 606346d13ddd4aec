from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings

from feeds.books.book import Book, Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Garbled,
    Heartbeat,
    Instrument,
    Notice,
    Pong,
    Product,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, Session
from feeds.venues.kraken.spot_rule import KrakenV2Rule
from feeds.venues.kraken.venue import Kraken
from feeds.venues.sequence import SequenceRule
from tests.feeds.venues.captures import (
    assert_ends_in,
    events,
    instrument,
    needs_wire,
    rebuild,
    recording,
    truth,
)
from tests.feeds.venues.mutations import hostile

KRAKEN = Kraken(lambda: 1_795_305_600.0)  # 22 November 2026
BTC = instrument("kraken.spot", "BTC/USD", "XXBTZUSD", tick=0.1, lot=1e-8)
GONE = instrument("kraken.spot", "GONE/USD", "GONEUSD", tick=0.1, lot=1e-8)
PERP = instrument("kraken.linear", "BTC/USD:USD", "PF_XBTUSD", tick=1.0, lot=0.0001)
S = 1_000_000_000
T0 = 1_791_579_600 * S  # 9 October 2026, 21:00 UTC


def session(product: Product, *instruments: Instrument) -> Session:
    return KRAKEN.session(KRAKEN.plan(product, instruments)[0], instruments)


def sent(payloads: Sequence[Payload]) -> list[Any]:
    return [json.loads(payload) for payload in payloads]


# captures


class Old(Kraken):
    """Kraken with the depth of the captures."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self._depth = depth

    def rule(self, product: Product) -> SequenceRule:
        rule = KrakenV2Rule()
        rule.depth_limit = self._depth
        return rule


class FromFirst:
    """Converts messages of spot's websocket v1 to v2. Detour uses v2, but the captures are of v1."""

    def __init__(self, inner: Session) -> None:
        self._inner = inner
        self.foreign = 0
        self.subscribe, self.resubscribe, self.ping = inner.subscribe, inner.resubscribe, inner.ping

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        message = json.loads(raw)
        if not isinstance(message, list) or not message[-2].startswith("book"):
            self.foreign += 1
            return ()
        sides: dict[str, list[str]] = {"a": [], "b": []}
        checksum = ""
        for part in message[1:-2]:
            checksum = part.get("c", checksum)
            for key, rows in part.items():
                if key != "c":
                    sides[key[0]] += [f'{{"price":{row[0]},"qty":{row[1]}}}' for row in rows]
        kind = "snapshot" if "as" in message[1] else "update"
        row = f'"symbol":"{message[-1]}","bids":[{",".join(sides["b"])}],"asks":[{",".join(sides["a"])}]'
        end = f',"checksum":{checksum}' if checksum else ""
        text = f'{{"channel":"book","type":"{kind}","data":[{{{row}{end}}}]}}'
        return self._inner.receive(text.encode(), received_ns)


@needs_wire
@pytest.mark.parametrize(
    ("capture", "depth"),
    [("kraken/spot_cryptofeed_20210417_v1", 1000), ("kraken/spot_python-kraken-sdk_xbtusd_20230830_v1", 10)],
)
def test_spot_books_of_the_first_websocket_agree_with_every_checksum(capture: str, depth: int) -> None:
    found = []
    for name, expected in truth(capture).items():
        assert expected.best_bid is not None
        decimals = [len(text.partition(".")[2]) for text in expected.best_bid]
        steps = [float(f"1e-{n}") for n in decimals]
        found.append(instrument("kraken.spot", name, name, tick=steps[0], lot=steps[1]))
    rebuilt = rebuild(Old(depth), "spot", capture, found, session=FromFirst(session("spot", *found)))
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    for one in found:
        expected = truth(capture)[one.symbol]
        assert rebuilt.outcomes[one.symbol] == {Outcome.APPLIED: expected.updates_applied + 1}
        assert rebuilt.checksums[one.symbol] == expected.checksums_ok
        assert_ends_in(rebuilt.books[one.symbol], expected)


# spot


def test_spot_channels_and_their_checksum() -> None:
    reader = session("spot", BTC, GONE)
    reader.subscribe()
    got = events(reader, recording("kraken/spot_channels"))
    book = Book(BTC, KRAKEN.rule("spot"))
    outcomes = [book.apply(e, T0) for e in got if isinstance(e, BookSnapshot | BookDelta)]
    assert outcomes == [Outcome.APPLIED] * 2
    assert book.engine_ns == T0 + S + 1_000
    assert (max(book.bids), min(book.asks)) == (105944.2, 105944.4)
    [first] = [e for e in got if isinstance(e, BookSnapshot)]
    assert (first.levels_limit, first.engine_ns) == (500, T0 + 800_001_000)
    assert [e for e in got if isinstance(e, Ack)] == [
        Ack(channel=channel, symbol="BTC/USD") for channel in (Channel.BOOK, Channel.BBO, Channel.TRADES)
    ]
    [quote] = [e for e in got if isinstance(e, Quote)]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (105944.2, 2.5, 105944.3, 3.2)
    assert quote.engine_ns == T0 + 800_002_000
    [trade] = [e for e in got if isinstance(e, Trade)]
    assert (trade.price, trade.size, trade.side, trade.trade_id) == (105944.3, 3.2, "buy", "10218208")
    [pong] = [e for e in got if isinstance(e, Pong)]
    assert (pong.token, pong.server_in_ns, pong.server_out_ns) == (42, T0 + 2_123_456_000, T0 + 2_123_500_000)
    assert [e.text for e in got if isinstance(e, Notice)] == ["system maintenance"]
    gone, fast = [e for e in got if isinstance(e, Refusal)]
    assert (gone.channel, gone.symbol, gone.fault) == (Channel.BOOK, "GONE/USD", Fault.BAD_REQUEST)
    assert (fast.symbol, fast.fault) == (None, Fault.OUR_LIMIT)
    assert not [e for e in got if isinstance(e, Unknown | Garbled)]


def test_a_wrong_checksum_empties_the_book_and_asks_again() -> None:
    frames = [raw for raw in recording("kraken/spot_channels") if b'"book","type"' in raw]
    book = Book(BTC, KRAKEN.rule("spot"))
    reader = session("spot", BTC)
    spoilt = frames[1].replace(b'"qty":2.25', b'"qty":2.26')
    outcomes = [
        book.apply(e, T0) for e in events(reader, [frames[0], spoilt]) if isinstance(e, BookSnapshot | BookDelta)
    ]
    assert outcomes == [Outcome.APPLIED, Outcome.BAD_CHECKSUM]
    assert (book.bids, book.synced) == ({}, False)
    leave, ask = sent(reader.resubscribe(Channel.BOOK, "BTC/USD"))
    assert (leave["method"], ask["method"]) == ("unsubscribe", "subscribe")
    assert ask["params"] == {"channel": "book", "symbol": ["BTC/USD"], "depth": 500, "snapshot": True}


def test_a_book_message_that_cannot_be_read_is_a_lost_one() -> None:
    frames = [raw for raw in recording("kraken/spot_channels") if b'"book","type"' in raw]
    book = Book(BTC, KRAKEN.rule("spot"))
    spoilt = frames[1].replace(b'"qty":2.25', b'"qty":-2.25')
    got = events(session("spot", BTC), [frames[0], spoilt])
    assert book.rule.blind
    doubts = [(e.channel, e.symbol) for e in got if isinstance(e, Garbled)]
    assert doubts == [(Channel.BOOK, None)], "of which book is not known"
    [doubt] = session("spot", BTC).receive(b'{"channel":"book"', T0)
    assert isinstance(doubt, Garbled) and doubt.channel is None, "a frame that is no JSON may have been any"
    [other] = session("spot", BTC).receive(b'{"channel":"trade","data":[{"symbol":3}]}', T0)
    assert isinstance(other, Garbled) and other.channel is Channel.TRADES


def test_levels_beyond_the_depth_are_cut_by_us() -> None:
    rule = Old(10).rule("spot")
    book = Book(BTC, rule)
    bids = [(100.0 - n, 1.0) for n in range(10)]
    book.apply(BookSnapshot(symbol="BTC/USD", bids=bids, asks=[(101.0, 1.0)]), T0)
    book.apply(BookDelta(symbol="BTC/USD", bids=[(100.5, 2.0)], asks=[]), T0)
    assert (max(book.bids), min(book.bids), len(book.bids)) == (100.5, 92.0, 10)


class Sides:
    def __init__(self, bids: dict[float, float], asks: dict[float, float]) -> None:
        self.bids, self.asks = bids, asks


def test_the_checksum_has_the_decimals_of_the_pair_and_is_silent_where_a_float_is_too_short() -> None:
    small = instrument("kraken.spot", "SHIB/USD", "SHIBUSD", tick=1e-8, lot=1e-5)
    rule = KrakenV2Rule()
    text = "1241" + "12345678901" + "1240" + "50000"
    assert rule.checksum(Sides({0.0000124: 0.5}, {0.00001241: 123456.78901}), small) == crc32(text.encode())
    assert rule.checksum(Sides({0.0000124: 0.5}, {0.00001241: 5e10}), small) is None


def test_coins_are_asked_for_by_krakens_own_names() -> None:
    """Our symbols are ccxt's: ccxt's LUNC is Kraken's LUNA, and their LUNAs are different coins."""
    old = instrument("kraken.spot", "LUNC/USD", "LUNAUSD")
    new = instrument("kraken.spot", "LUNA/USD", "LUNA2USD")
    reader = session("spot", BTC, old, new)
    assert sent(reader.subscribe())[0]["params"]["symbol"] == ["BTC/USD", "LUNA/USD", "LUNA2/USD"]
    [ack] = reader.receive(
        b'{"method":"subscribe","result":{"channel":"trade","symbol":"LUNA/USD"},"success":true,"req_id":3}', 0
    )
    assert ack == Ack(channel=Channel.TRADES, symbol="LUNC/USD")


def test_trades_of_the_past_only_prove_that_we_hear() -> None:
    [frame] = [raw for raw in recording("kraken/spot_channels") if b'"channel":"trade","type"' in raw]
    [event] = session("spot", BTC).receive(frame.replace(b'"update"', b'"snapshot"'), 0)
    assert event == Heartbeat(channel=Channel.TRADES, symbol="BTC/USD")


def test_a_refusal_of_theirs_is_asked_again_later() -> None:
    reader = session("spot", BTC)
    reader.subscribe()
    busy = b'{"error":"EService:Busy","method":"subscribe","success":false,"symbol":"BTC/USD","req_id":1}'
    [refusal] = reader.receive(busy, 0)
    assert isinstance(refusal, Refusal)
    assert (refusal.channel, refusal.symbol, refusal.fault) == (Channel.BOOK, "BTC/USD", Fault.OVERLOAD)
    later = reader.receive(b'{"channel":"heartbeat"}', 31 * S)
    [reply] = [e for e in later if isinstance(e, Reply)]
    assert json.loads(reply.payload)["params"]["channel"] == "book"


# REST and plans


FRAMES = {
    "spot": recording("kraken/spot_channels"),
    "linear": recording("kraken/futures_channels"),
}


@pytest.mark.parametrize("product", ["spot", "linear"])
def test_hostile_bytes_never_raise(product: Product) -> None:
    reader = session(product, BTC, PERP)

    @settings(max_examples=300, deadline=None)
    @given(hostile(FRAMES[product]))
    def run(raw: bytes) -> None:
        for event in reader.receive(raw, T0):
            if isinstance(event, BookSnapshot | BookDelta):
                for price, size in (*event.bids, *event.asks):
                    assert 0 < price < 1e18
                    assert 0 <= size < 1e18
            if isinstance(event, Quote):
                assert event.bid is None or event.bid > 0

    run()
