"""Kraken, public data: spot, and perpetuals of the multi-collateral kind, quoted in dollars.

Sources: https://docs.kraken.com/api/docs/websocket-v2/ (book, its checksum guide, ticker, trade, status, ping),
.../api/docs/rest-api/ (Time, SystemStatus, Depth, AssetPairs, errors), .../api/docs/futures-api/ (websocket v1 feeds,
orderbook, tickers), state of autumn 2026; ccxt 4.5.90, cryptofeed 2.4.1, python-kraken-sdk 3.5.1.

Spot books are numbered by nothing: a CRC32 over the ten best levels a side is all there is to tell a whole book from a
damaged one, and it needs the decimals of the pair. Levels that fall out of the subscribed depth get no message.

The derivatives' websocket and REST end on 1 March 2027. Until then they are what works and can be checked; from then on
the Unified websocket is read (``unified_session.py``: what is known of it and what is not), by our clock. The
older feed has no channel for best prices of its own: ``ticker`` is throttled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.json import Decoder

from feeds.model import BookSnapshot, Channel, Fault, Instrument, Product, Rail, StatusNotice
from feeds.venues.base import (
    Answer,
    Contiguous,
    Listing,
    Price,
    Probe,
    ProbeReading,
    ProductFacts,
    RateLimit,
    RestRequest,
    SequenceRule,
    Session,
    Size,
    SocketPlan,
    Subscription,
    VenueDefaults,
    VenueError,
    http_fault,
)
from feeds.venues.kraken import futures_session, spot_session, unified_session
from feeds.venues.kraken.spot_rule import BOOK_LEVELS, KrakenV2Rule
from feeds.venues.reading import UNREADABLE, Stamp, stamp_ns, unreadable

_SYMBOLS_A_SOCKET = 20  # no limit is published; cryptofeed's
_LONGEST_RETRY_S = 60.0  # "temporary lockout" lasts minutes


class _Time(Struct):
    unixtime: int = 0


class _Status(Struct):
    status: str = ""


class _Reply(Struct):
    """What of any answer is read to judge it: spot has a list of errors, derivatives have one."""

    error: list[str] | str = []
    result: _Time | str | None = None
    server_time: Stamp | None = field(name="serverTime", default=None)


class _SpotBook(Struct):
    bids: list[tuple[Price, Size, float]]
    asks: list[tuple[Price, Size, float]]


class _SpotBooks(Struct):
    error: list[str]
    result: dict[str, _SpotBook] = {}


class _Sides(Struct):
    bids: list[tuple[Price, Size]]
    asks: list[tuple[Price, Size]]


class _FuturesBook(Struct):
    book: _Sides = field(name="orderBook")
    server_time: Stamp | None = field(name="serverTime", default=None)


class _StatusReply(Struct):
    result: _Status


class _Asset(Struct):
    altname: str
    status: str = ""


class _Assets(Struct):
    result: dict[str, _Asset]


_read_reply = Decoder(_Reply, strict=False).decode
_read_spot_book = Decoder(_SpotBooks, strict=False).decode
_read_futures_book = Decoder(_FuturesBook, strict=False).decode
_read_status = Decoder(_StatusReply).decode
_read_assets = Decoder(_Assets).decode

_FUNDING: Mapping[str, tuple[bool, bool]] = {
    "enabled": (True, True),
    "deposit_only": (True, False),
    "withdrawal_only": (False, True),
    "funding_temporarily_disabled": (False, False),
}
"""An asset's status -> deposits open, withdrawals open. Any other word tells neither."""


_SPOT = ProductFacts(
    rest="https://api.kraken.com",
    ws="wss://ws.kraken.com",
    taker_fee=0.004,
    rest_limit=RateLimit(120, 60.0),  # about 1 a second and path; two paths are asked
    push_ms={Channel.BOOK: 0, Channel.BBO: 0, Channel.TRADES: 0},
    quiet_s={Channel.BOOK: 15, Channel.BBO: 30, Channel.TRADES: 120},
    sequence="none; a checksum on every message",
    checksum="CRC32 of 10 levels a side",
    clocks="engine timestamp (µs)",
    checked="2026-10",
    app_ping_s=10.0,
    server_ping="heartbeat each second when nothing else was sent",
    idle_cut_s=15.0,
    connects=RateLimit(150, 600.0),
    max_streams=_SYMBOLS_A_SOCKET * 3,
)
_LINEAR = ProductFacts(
    rest="https://futures.kraken.com",
    ws="wss://futures.kraken.com",
    taker_fee=0.0005,
    rest_limit=RateLimit(300, 60.0),  # nothing is published for public calls; 5 a second is the sheet's advice
    push_ms={Channel.BOOK: 0, Channel.TRADES: 0, Channel.LIQUIDATIONS: 0, Channel.MARK: 1_000},
    quiet_s={Channel.BOOK: 15, Channel.TRADES: 300, Channel.MARK: 30},
    sequence="seq = last seq + 1",
    clocks="engine timestamp (ms)",
    checked="2026-10",
    ws_ping_s=10.0,  # wanted at least each minute
    server_ping="a feed of its own, heartbeat",
    idle_cut_s=60.0,
    connects=RateLimit(100, 600.0),
    sends=RateLimit(50, 1.0),
    max_streams=_SYMBOLS_A_SOCKET * 4,
)


class _ByDate(Mapping[Product, ProductFacts]):
    """Derivatives change their host, channels and rules on the day that the older feed ends."""

    def __init__(self, unified: Callable[[Product], bool]) -> None:
        self._unified = unified

    def __getitem__(self, product: Product) -> ProductFacts:
        if self._unified(product):
            return unified_session.FACTS
        return {"spot": _SPOT, "linear": _LINEAR}[product]

    def __iter__(self) -> Iterator[Product]:
        return iter(("spot", "linear"))

    def __len__(self) -> int:
        return 2


class Kraken(VenueDefaults):
    name = "kraken"
    title = "Kraken"
    ccxt: Mapping[Product, str] = {"spot": "kraken", "linear": "krakenfutures"}

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        """``now_s``: our wall clock."""
        self._now_s = now_s
        self.products: Mapping[Product, ProductFacts] = _ByDate(self._unified)

    def _unified(self, product: Product) -> bool:
        return product == "linear" and self._now_s() >= unified_session.STARTS_S

    def feed_note(self, product: Product) -> str:
        return unified_session.NOTE if self._unified(product) else ""

    def listing(self, product: Product) -> Listing | None:
        return unified_session.LISTING if self._unified(product) else None

    def read_listing(self, product: Product, raw: bytes) -> Sequence[Instrument] | None:
        return unified_session.read_listing(f"{self.name}.{product}", raw)

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        parts = [instruments[n : n + _SYMBOLS_A_SOCKET] for n in range(0, len(instruments), _SYMBOLS_A_SOCKET)]
        return [
            SocketPlan(
                product=product,
                label=f"public-{number}" if number > 1 else "public",
                path="/v2" if product == "spot" else unified_session.PATH if self._unified(product) else "/ws/v1",
                subscriptions=tuple(Subscription(c, i.symbol) for i in part for c in self.products[product].push_ms),
            )
            for number, part in enumerate(parts, 1)
        ]

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> Session:
        if plan.product == "spot":
            return spot_session.KrakenSpotSession(plan, instruments)
        if plan.path == unified_session.PATH:
            return unified_session.KrakenUnifiedSession(plan, instruments)
        return futures_session.KrakenFuturesSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return KrakenV2Rule() if product == "spot" or self._unified(product) else Contiguous()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        """Derivatives have no cheap book (it comes whole), and their time comes with a ticker; later they have none."""
        if self._unified(product):
            return ()
        if product != "spot":
            name = instruments[0].venue_id if instruments else "PF_XBTUSD"
            ticker = RestRequest(path=f"/derivatives/api/v3/tickers/{name}")
            return (Probe(name="time", request=ticker, gives_time=True),)
        clock = Probe(name="time", request=RestRequest(path="/0/public/Time"), gives_time=True)
        if not instruments:
            return (clock,)
        book = RestRequest(path=f"/0/public/Depth?pair={instruments[0].venue_id}&count=1")
        return (clock, Probe(name="book", request=book))

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        """Errors come with HTTP 200 too."""
        try:
            reply = _read_reply(answer.body)
        except UNREADABLE:
            return unreadable(answer)
        words = reply.error if isinstance(reply.error, str) else " ".join(reply.error[:4])
        if product == "spot":
            seconds = reply.result.unixtime if isinstance(reply.result, _Time) else 0
            server_ns, resolution_ns = seconds * 1_000_000_000 if 0 < seconds < 1 << 33 else None, 1_000_000_000
        else:
            server_ns, resolution_ns = stamp_ns(reply.server_time), 1_000_000
        fault = spot_session.fault_of(words) if words else None
        if fault in (None, Fault.UNKNOWN):
            fault = http_fault(answer) or fault
        if fault is None and probe.gives_time and server_ns is None:
            fault = Fault.UNKNOWN
        return ProbeReading(
            fault=fault,
            code="" if fault is None else words[:32] or str(answer.status),
            text="" if fault is None else answer.body[:200].decode(errors="replace"),
            server_ns=server_ns,
            server_resolution_ns=resolution_ns,
            retry_after_s=_LONGEST_RETRY_S if fault is Fault.OUR_LIMIT else None,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        if product == "spot":
            return RestRequest(path=f"/0/public/Depth?pair={instrument.venue_id}&count={BOOK_LEVELS}")
        if self._unified(product):
            return None
        return RestRequest(path=f"/derivatives/api/v3/orderbook?symbol={instrument.venue_id}")

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        """Spot answers by a name of its own choice: the only one there is taken."""
        try:
            if product != "spot":
                whole = _read_futures_book(answer.body)
                sides, at_ns = whole.book, stamp_ns(whole.server_time)
                return BookSnapshot(symbol=instrument.symbol, bids=sides.bids, asks=sides.asks, gateway_ns=at_ns)
            [row] = _read_spot_book(answer.body).result.values()
        except UNREADABLE as error:
            said = answer.body[:200].decode(errors="replace")
            raise VenueError(f"kraken book: HTTP {answer.status}, {error}: {said}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=[(price, size) for price, size, _ in row.bids],
            asks=[(price, size) for price, size, _ in row.asks],
            levels_limit=BOOK_LEVELS,
        )

    def status_request(self, product: Product) -> RestRequest | None:
        return RestRequest(path="/0/public/SystemStatus") if product == "spot" else None

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        try:
            word = _read_status(answer.body).result.status
        except UNREADABLE as error:
            raise VenueError(f"kraken status: HTTP {answer.status}, {error}") from error
        if word in ("", "online"):
            return ()
        return (StatusNotice(state="ongoing", text=f"system {word[:64]}", products=("spot",)),)

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        """All coins in one answer: one unknown name among several would be an error instead of an answer."""
        return [RestRequest(path="/0/public/Assets", host=_SPOT.rest)]

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        """By coin only; the chains are told to those with a key."""
        try:
            assets = _read_assets(answer.body).result.values()
        except UNREADABLE as error:
            raise VenueError(f"kraken assets: HTTP {answer.status}, {error}") from error
        told = ((spot_session.coin_of(one.altname), *_FUNDING.get(one.status, (None, None))) for one in assets)
        return [Rail(coin=coin, chain="", deposit=deposit, withdraw=withdraw) for coin, deposit, withdraw in told]
