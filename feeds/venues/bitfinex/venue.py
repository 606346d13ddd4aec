"""Bitfinex (v2), public data: spot in dollars and USDt, and perpetuals settled in USDt.

Sources: https://docs.bitfinex.com/docs (ws-general, ws-public books, trades, status; requirements and limits) and
https://docs.bitfinex.com/reference (rest-public-book, conf, platform-status), ccxt 4.5.90, cryptofeed 2.4.1, captures
of 2019 to 2026. Fees: the venue's announcement of 2025-12-17.

Books: P0, the best 250 levels per side and every change of them. One counter numbers all messages of a connection. A
checksum of the best 25 levels follows every change. Trades carry the engine's time, books only the time of sending. The
ticker comes every 5 to 10 s and sources disagree about its sizes, so best prices are read from a book of one level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from feeds.model import BookSnapshot, Channel, Fault, Instrument, Product, Rail, StatusNotice
from feeds.venues.answers import http_fault, unreadable
from feeds.venues.base import (
    Answer,
    Probe,
    ProbeReading,
    ProductFacts,
    RateLimit,
    RestRequest,
    SocketPlan,
    VenueDefaults,
    VenueError,
)
from feeds.venues.best_levels import BestLevels
from feeds.venues.bitfinex import wire
from feeds.venues.bitfinex.session import BitfinexSession
from feeds.venues.reading import UNREADABLE
from feeds.venues.sequence import BookSides, PrevEquals, SequenceRule
from feeds.venues.sockets import SocketKind, plan_sockets

_CHANNELS_A_SOCKET = 25  # the documents say 25 on one page and 30 on another
_LIMIT = RateLimit(240, 60.0)  # of books; other paths have lower limits, expressed as a weight
_CONF_WEIGHT, _STATUS_WEIGHT = 240 / 90, 240 / 15
_BLOCKED_S = 60.0
_REST_LEVELS = 100

_SPOT = ProductFacts(
    rest="https://api-pub.bitfinex.com",
    ws="wss://api-pub.bitfinex.com",
    taker_fee=0.0,  # for makers and takers on every market since 2025-12-17
    rest_limit=_LIMIT,
    quotes=("USDT", "USD"),
    push_ms={Channel.BOOK: 0, Channel.BBO: 0, Channel.TRADES: 0},
    quiet_s={Channel.BOOK: 20, Channel.BBO: 60, Channel.TRADES: 600},
    sequence="SEQ + 1, over all of a connection",
    checksum="CRC32 of 25 levels",
    clocks="gateway TS; trades: engine MTS",
    checked="2026-11",
    ws_ping_s=None,  # the venue's application ping tells its time too
    app_ping_s=10.0,
    server_ping="hb on each channel that is quiet for 15 s",
    idle_cut_s=45.0,
    connects=RateLimit(20, 60.0),
    sends=RateLimit(20, 1.0),
    max_streams=_CHANNELS_A_SOCKET,
)
_LINEAR = structs.replace(
    _SPOT,
    quotes=("USDT",),
    push_ms={**_SPOT.push_ms, Channel.LIQUIDATIONS: 0, Channel.MARK: 0},
    quiet_s={**_SPOT.quiet_s, Channel.MARK: 60},
    sizes_in_contracts=False,
)


class _Checked(PrevEquals):
    def __init__(self) -> None:
        self._best = BestLevels(wire.CHECKED_LEVELS)

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        bids, asks = book.bids, book.asks
        return wire.checksum(
            [(price, bids[price]) for price in self._best.bids(instrument.symbol, bids)],
            [(price, asks[price]) for price in self._best.asks(instrument.symbol, asks)],
        )


class Bitfinex(VenueDefaults):
    name = "bitfinex"
    title = "Bitfinex"
    ccxt: Mapping[Product, str] = {"spot": "bitfinex", "linear": "bitfinex"}
    products: Mapping[Product, ProductFacts] = {"spot": _SPOT, "linear": _LINEAR}

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        whole = () if product == "spot" else (Channel.LIQUIDATIONS,)
        channels = [channel for channel in self.products[product].push_ms if channel not in whole]
        kind = SocketKind(path="/ws/2", channels=channels, product_channels=whole)
        return plan_sockets(product, instruments, [kind], room=_CHANNELS_A_SOCKET // len(channels))

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> BitfinexSession:
        return BitfinexSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return _Checked()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        """No REST path tells the time, and the Date header only its second. Pongs of the websocket tell it."""
        name = instruments[0].venue_id if instruments else "tBTCUSD"
        return (Probe(name="book", request=_book_request(name, 1)),)

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        error = wire.error_of(answer)
        if error is not None:
            fault, code, text = error
            wait_s = _BLOCKED_S if fault is Fault.OUR_LIMIT else None
            return ProbeReading(fault=fault, code=code, text=text, retry_after_s=wait_s)
        try:
            wire.read_rows(answer.body)
        except UNREADABLE:
            return unreadable(answer)
        return ProbeReading(fault=http_fault(answer))

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _book_request(instrument.venue_id, _REST_LEVELS)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        _raise_for(answer)
        try:
            bids, asks = wire.sides(wire.read_rows(answer.body))
        except UNREADABLE as error:
            raise VenueError(f"bitfinex book: HTTP {answer.status}, {error}") from error
        return BookSnapshot(symbol=instrument.symbol, bids=bids, asks=asks, levels_limit=_REST_LEVELS)

    def status_request(self, product: Product) -> RestRequest | None:
        return RestRequest(path="/v2/platform/status", weight=_STATUS_WEIGHT)

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        _raise_for(answer)
        try:
            [operative] = wire.read_platform(answer.body)
        except UNREADABLE as error:
            raise VenueError(f"bitfinex status: HTTP {answer.status}, {error}") from error
        return () if operative else (StatusNotice(state="ongoing", text="the platform is in maintenance"),)

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        """One request for all coins: state of every transfer method, the coins of each method, and usual names of
        coins."""
        path = "/v2/conf/pub:info:tx:status,pub:map:tx:method,pub:map:currency:sym"
        return [RestRequest(path=path, weight=_CONF_WEIGHT)]

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        _raise_for(answer)
        try:
            rows, methods, names = wire.read_transfers(answer.body)
        except UNREADABLE as error:
            raise VenueError(f"bitfinex transfers: HTTP {answer.status}, {error}") from error
        states, known = {row.method: row for row in rows}, dict(names)
        return [
            Rail(
                coin=known.get(coin, coin).upper(),
                chain=method,
                deposit=_open(row.deposit),
                withdraw=_open(row.withdraw),
            )
            for method, coins in methods
            for row in [states.get(method) or wire.TxRow(method)]
            for coin in coins
        ]


def _open(state: int | None) -> bool | None:
    return None if state not in (0, 1) else state == 1


def _book_request(name: str, levels: int) -> RestRequest:
    return RestRequest(path=f"/v2/book/{name}/P0?len={levels}")


def _raise_for(answer: Answer) -> None:
    error = wire.error_of(answer)
    if error is not None:
        raise VenueError(f"bitfinex: HTTP {answer.status}, {error[1]}: {error[2]}")
