"""Kraken, public data: spot, and perpetuals of the multi-collateral kind, quoted in dollars.

Sources: https://docs.kraken.com/api/docs/websocket-v2/ (book, its checksum guide, ticker, trade, status, ping),
.../api/docs/rest-api/ (Time, SystemStatus, Depth, AssetPairs, errors), .../api/docs/futures-api/ (websocket v1 feeds,
orderbook, tickers), state of autumn 2026; ccxt 4.5.90, cryptofeed 2.4.1, python-kraken-sdk 3.5.1.

Spot books are not numbered: only a CRC32 over the ten best levels per side tells a damaged book, and it needs the
decimals of the pair. Levels that fall out of the subscribed depth get no message.

The derivatives' websocket v1 and REST end on 1 March 2027. Until then they are used, since they work and can be
checked. From that day on (by our clock) the Unified websocket is used; ``unified_session.py`` says what is known of it.
The v1 websocket has no channel of best prices: its ``ticker`` is throttled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from feeds.model import BookSnapshot, Channel, Fault, Instrument, Product, Rail, StatusNotice
from feeds.venues.answers import http_fault, unreadable
from feeds.venues.base import (
    Answer,
    Listing,
    Probe,
    ProbeReading,
    ProductFacts,
    RateLimit,
    RestRequest,
    Session,
    SocketPlan,
    VenueDefaults,
    VenueError,
)
from feeds.venues.kraken.futures_session import KrakenFuturesSession
from feeds.venues.kraken.spot_rule import BOOK_LEVELS, KrakenV2Rule
from feeds.venues.kraken.spot_session import KrakenSpotSession
from feeds.venues.kraken.unified_session import UNIFIED_PATH, KrakenUnifiedSession
from feeds.venues.kraken.unified_wire import read_listing
from feeds.venues.kraken.wire import (
    TimeRow,
    coin_of,
    fault_of,
    read_assets,
    read_futures_book,
    read_reply,
    read_spot_book,
    read_status,
)
from feeds.venues.reading import UNREADABLE, stamp_ns
from feeds.venues.sequence import Contiguous, SequenceRule
from feeds.venues.sockets import SocketKind, plan_sockets

_SYMBOLS_A_SOCKET = 20  # no limit is published; the number that cryptofeed uses
_LONGEST_RETRY_S = 60.0  # "temporary lockout" lasts minutes


_FUNDING: Mapping[str, tuple[bool, bool]] = {
    "enabled": (True, True),
    "deposit_only": (True, False),
    "withdrawal_only": (False, True),
    "funding_temporarily_disabled": (False, False),
}
"""(deposits open, withdrawals open) by status of an asset. Any other word tells neither."""


_SPOT = ProductFacts(
    rest="https://api.kraken.com",
    ws="wss://ws.kraken.com",
    taker_fee=0.004,
    rest_limit=RateLimit(120, 60.0),  # about 1 a second per path; two paths are used
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
    rest_limit=RateLimit(300, 60.0),  # not published for public requests; 5 a second is a cautious value
    push_ms={Channel.BOOK: 0, Channel.TRADES: 0, Channel.LIQUIDATIONS: 0, Channel.MARK: 1_000},
    quiet_s={Channel.BOOK: 15, Channel.TRADES: 300, Channel.MARK: 30},
    sequence="seq = last seq + 1",
    clocks="engine timestamp (ms)",
    checked="2026-10",
    ws_ping_s=10.0,  # the venue wants one at least every minute
    server_ping="a feed of its own, heartbeat",
    idle_cut_s=60.0,
    connects=RateLimit(100, 600.0),
    sends=RateLimit(50, 1.0),
    max_streams=_SYMBOLS_A_SOCKET * 4,
)
UNIFIED_STARTS_S = 1_803_859_200.0
"""1 March 2027, 00:00 UTC, when the websocket v1 ends."""
UNIFIED_NOTE = (
    "Kraken ended this feed on 2027-03-01. Its Unified websocket is read instead: books and trades, "
    "no mark price, no funding, no liquidations, no REST times."
)
UNIFIED_FACTS = ProductFacts(
    rest="https://api.kraken.com",  # that of spot: derivatives have no REST then
    ws="wss://uws.kraken.com",
    taker_fee=0.0005,
    rest_limit=RateLimit(120, 60.0),
    push_ms={Channel.BOOK: 0, Channel.TRADES: 0},
    quiet_s={Channel.BOOK: 15, Channel.TRADES: 300},
    sequence="none; a checksum on every message",
    checksum="CRC32 of 10 levels a side",
    clocks="engine timestamp (µs)",
    checked="2026-11",
    app_ping_s=10.0,
    server_ping="heartbeat each second when nothing else was sent",
    idle_cut_s=15.0,
    connects=RateLimit(150, 600.0),
    max_streams=40,
)
UNIFIED_LISTING = Listing(
    url=f"{UNIFIED_FACTS.ws}{UNIFIED_PATH}",
    ask='{"method":"subscribe","params":{"channel":"instrument","asset_class":"derivatives","snapshot":true},"req_id":1}',
)


class _ByDate(Mapping[Product, ProductFacts]):
    """Facts by product. Those of derivatives change on the day that the websocket v1 ends."""

    def __init__(self, unified: Callable[[Product], bool]) -> None:
        self._unified = unified

    def __getitem__(self, product: Product) -> ProductFacts:
        if self._unified(product):
            return UNIFIED_FACTS
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
        return product == "linear" and self._now_s() >= UNIFIED_STARTS_S

    def feed_note(self, product: Product) -> str:
        return UNIFIED_NOTE if self._unified(product) else ""

    def listing(self, product: Product) -> Listing | None:
        return UNIFIED_LISTING if self._unified(product) else None

    def read_listing(self, product: Product, raw: bytes) -> Sequence[Instrument] | None:
        return read_listing(f"{self.name}.{product}", UNIFIED_FACTS.taker_fee, raw)

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        path = "/v2" if product == "spot" else UNIFIED_PATH if self._unified(product) else "/ws/v1"
        kind = SocketKind(path=path, channels=tuple(self.products[product].push_ms))
        return plan_sockets(product, instruments, [kind], room=_SYMBOLS_A_SOCKET)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> Session:
        if plan.product == "spot":
            return KrakenSpotSession(plan, instruments)
        if plan.path == UNIFIED_PATH:
            return KrakenUnifiedSession(plan, instruments)
        return KrakenFuturesSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return KrakenV2Rule() if product == "spot" or self._unified(product) else Contiguous()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        """Derivatives have no cheap book (only the whole one), and a ticker tells their time. The Unified websocket:
        none."""
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
        """Errors can have HTTP 200."""
        try:
            reply = read_reply(answer.body)
        except UNREADABLE:
            return unreadable(answer)
        error_text = reply.error if isinstance(reply.error, str) else " ".join(reply.error[:4])
        if product == "spot":
            seconds = reply.result.unixtime if isinstance(reply.result, TimeRow) else 0
            server_ns, resolution_ns = seconds * 1_000_000_000 if 0 < seconds < 1 << 33 else None, 1_000_000_000
        else:
            server_ns, resolution_ns = stamp_ns(reply.server_time), 1_000_000
        fault = fault_of(error_text) if error_text else None
        if fault in (None, Fault.UNKNOWN):
            fault = http_fault(answer) or fault
        if fault is None and probe.gives_time and server_ns is None:
            fault = Fault.UNKNOWN
        return ProbeReading(
            fault=fault,
            code="" if fault is None else error_text[:32] or str(answer.status),
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
        """Spot answers with another name of the pair, so the only book in the answer is taken."""
        try:
            if product != "spot":
                whole = read_futures_book(answer.body)
                sides, at_ns = whole.book, stamp_ns(whole.server_time)
                return BookSnapshot(symbol=instrument.symbol, bids=sides.bids, asks=sides.asks, gateway_ns=at_ns)
            [row] = read_spot_book(answer.body).result.values()
        except UNREADABLE as error:
            excerpt = answer.body[:200].decode(errors="replace")
            raise VenueError(f"kraken book: HTTP {answer.status}, {error}: {excerpt}") from error
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
            word = read_status(answer.body).result.status
        except UNREADABLE as error:
            raise VenueError(f"kraken status: HTTP {answer.status}, {error}") from error
        if word in ("", "online"):
            return ()
        return (StatusNotice(state="ongoing", text=f"system {word[:64]}", products=("spot",)),)

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        """One request for all coins: with a list, one unknown name would make the whole answer an error."""
        return [RestRequest(path="/0/public/Assets", host=_SPOT.rest)]

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        """By coin only; chains are listed only to clients with a key."""
        try:
            assets = read_assets(answer.body).result.values()
        except UNREADABLE as error:
            raise VenueError(f"kraken assets: HTTP {answer.status}, {error}") from error
        states = ((coin_of(one.altname), *_FUNDING.get(one.status, (None, None))) for one in assets)
        return [Rail(coin=coin, chain="", deposit=deposit, withdraw=withdraw) for coin, deposit, withdraw in states]
