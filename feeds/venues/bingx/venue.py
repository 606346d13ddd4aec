"""BingX, public data: spot, and perpetuals settled in USDT and USDC, whose sizes are base coin.

Sources: https://bingx-api.github.io/docs-v3/ (spot and swap: websocket market data, error codes; market data REST);
ccxt 4.5.90 and BingX.Net; a third party's measurements of the perpetuals on the wire of 2026-09.

Books: ``incrDepth``. Its ids skip numbers without any loss, so a loss cannot be seen from them. The channel of best
prices is slow (0.5 to 2.7 s between messages); it is the only one with both engine and gateway time. Spot books carry
no time. BingX publishes no liquidations, no official status and (without a key) no state of networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.model import BookDelta, BookSnapshot, Channel, Fault, Instrument, Product
from feeds.venues.answers import header_float, http_fault, unreadable
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
from feeds.venues.bingx.session import BOOK_LEVELS, CROSSED, UNCROSSED, BingxSession
from feeds.venues.bingx.wire import fault_of, read_body, read_rest_book, read_time
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import BookSides, RuleDefaults, SequenceRule, Step
from feeds.venues.sockets import SocketKind, plan_sockets

_TOPICS_A_SOCKET = 200
_REST_LIMIT = RateLimit(500, 10.0)  # per IP, for all market data together; older documents say 100
_REST_LEVELS = 1_000
_BAN_S = 300.0
_PATHS: Mapping[Product, str] = {"spot": "/market", "linear": "/swap-market"}
_TIME: Mapping[Product, str] = {"spot": "/openApi/spot/v1/server/time", "linear": "/openApi/swap/v2/server/time"}
_BOOK: Mapping[Product, str] = {"spot": "/openApi/spot/v1/market/depth", "linear": "/openApi/swap/v2/quote/depth"}


class BingxRule(RuleDefaults):
    """Any higher id follows: ids skip 2 to 9 numbers without loss (measured). Lower ids are old.

    A loss shows when the book is crossed. Every delta is checked for that in place of a checksum.
    """

    blind = True
    own_check = True

    def __init__(self, levels: int) -> None:
        """``levels``: per side of the first book. Nothing documents that levels pushed out of it are removed."""
        self.depth_limit = levels

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        if last_seq is None or delta.last_seq is None:
            return Step.GAP
        return Step.APPLY if delta.last_seq > last_seq else Step.SKIP

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        crossed = bool(book.bids) and bool(book.asks) and max(book.bids) >= min(book.asks)
        return CROSSED if crossed else UNCROSSED


def _facts(
    ws: str, taker_fee: float, clocks: str, push_ms: Mapping[Channel, float], quiet_s: Mapping[Channel, float]
) -> ProductFacts:
    return ProductFacts(
        rest="https://open-api.bingx.com",
        ws=ws,
        taker_fee=taker_fee,
        rest_limit=_REST_LIMIT,
        quotes=("USDT", "USDC"),
        push_ms=push_ms,
        quiet_s=quiet_s,
        sequence="lastUpdateId > last, skips are normal; a crossed book is asked for anew",
        clocks=clocks,
        checked="2026-09",
        ws_ping_s=None,  # not documented that PING frames are answered
        app_ping_s=10.0,
        server_ping="Ping (spot: JSON with an id) every 5 s; cuts 30 s after the last answer",
        idle_cut_s=20.0,  # four intervals of the venue's own pings
        sends=RateLimit(9, 1.0),  # fewer than 10 subscriptions a second
        max_streams=_TOPICS_A_SOCKET,
        compression="gzip, every frame",
        sizes_in_contracts=False,
    )


class Bingx(VenueDefaults):
    name = "bingx"
    title = "BingX"
    ccxt: Mapping[Product, str] = {"spot": "bingx", "linear": "bingx"}
    products: Mapping[Product, ProductFacts] = {
        "spot": _facts(
            "wss://open-api-ws.bingx.com",
            0.001,
            "books: none; best prices: gateway E; trades: engine T, gateway E",
            {Channel.BOOK: 500, Channel.BBO: 0, Channel.TRADES: 0},
            {Channel.BOOK: 10, Channel.BBO: 30, Channel.TRADES: 60},
        ),
        "linear": _facts(
            "wss://open-api-swap.bingx.com",
            0.0005,
            "books and trades: engine; best prices: engine T, gateway E",
            {
                Channel.BOOK: 200,
                Channel.BBO: 0,
                Channel.TRADES: 0,
                Channel.MARK: 0,
            },  # books: 400 to 800 for coins other than BTC and ETH
            {Channel.BOOK: 10, Channel.BBO: 30, Channel.TRADES: 60, Channel.MARK: 30},
        ),
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        """One topic of the limit is kept free for the ping on spot (``BingxSession.ping``)."""
        channels = tuple(self.products[product].push_ms)
        kind = SocketKind(path=_PATHS[product], channels=channels)
        return plan_sockets(product, instruments, [kind], room=(_TOPICS_A_SOCKET - 1) // len(channels))

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> BingxSession:
        return BingxSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return BingxRule(BOOK_LEVELS[product])

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        clock = Probe(name="time", request=RestRequest(path=_TIME[product]), gives_time=True)
        return (clock, *(Probe(name="book", request=_book_request(product, one, 5)) for one in instruments[:1]))

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        try:
            body = read_body(answer.body)
            fault = fault_of(body.code, body.msg)
            server_ns = read_time(body.data).server_ms * NS_PER_MS if probe.gives_time and fault is None else None
        except UNREADABLE:
            return unreadable(answer)
        if fault in (None, Fault.UNKNOWN):
            fault = http_fault(answer) or fault
        left = header_float(answer, "x-ratelimit-requests-remain")
        return ProbeReading(
            fault=fault,
            code=str(body.code or answer.status) if fault else "",
            text=body.msg[:200] if fault else "",
            server_ns=server_ns,
            weight_used=None if left is None or not 0 <= left <= _REST_LIMIT.weight else _REST_LIMIT.weight - left,
            retry_after_s=_BAN_S if fault is Fault.OUR_LIMIT else None,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _book_request(product, instrument, _REST_LEVELS)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        """Perpetuals have no sequence number here. That of spot is the same counter as in the stream."""
        try:
            body = read_body(answer.body)
            if body.code:
                raise VenueError(f"bingx book: HTTP {answer.status}, code {body.code}: {body.msg[:200]}")
            row = read_rest_book(body.data)
        except VenueError:
            raise
        except UNREADABLE as error:
            raise VenueError(f"bingx book: HTTP {answer.status}, {error}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=sorted(row.bids, reverse=True),
            asks=sorted(row.asks),
            seq=row.last,
            engine_ns=row.made_ms * NS_PER_MS or None,
            gateway_ns=row.sent_ms * NS_PER_MS or None,
            levels_limit=_REST_LEVELS,
        )


def _book_request(product: Product, instrument: Instrument, levels: int) -> RestRequest:
    return RestRequest(path=f"{_BOOK[product]}?symbol={instrument.venue_id}&limit={levels}")
