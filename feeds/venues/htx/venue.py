"""HTX (Huobi), public data: spot, and perpetuals settled in USDT, whose sizes are contracts.

Sources: https://www.htx.com/en-us/opend/newApiPages/ and https://huobiapi.github.io/docs/{spot,usdt_swap}/v1/en/
(market data, notifications, error codes, limits), ccxt 4.5.90, a third party's measurements of swaps and of a spot
venue with the same protocol (2026-09-23), captures of 2019 to 2022.

Every message is one gzip member. Spot books (``mbp``) are on ``/feed``, all other spot channels on ``/ws``. Swaps have
three sockets: market data, mark prices (``/ws_index``) and notifications (funding, liquidations). Spot books carry only
the gateway's time, all other channels the engine's too. The v5 upgrade of 2026-07 retired v1 for accounts and orders;
its notice excludes market data, and v1 answered on 2026-09-23. Only ccxt's listing uses ``linear-swap-api/v1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from feeds.model import BookSnapshot, Channel, Fault, Instrument, Product, Rail, StatusNotice
from feeds.venues.answers import header_float, http_fault, share_used, unreadable
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
from feeds.venues.htx.mbp_rule import MbpRule
from feeds.venues.htx.session import BOOK_LEVELS, NOTIFICATION, TOPICS, HtxSession
from feeds.venues.htx.wire import (
    NO_CHAIN,
    RestBody,
    fault_of,
    read_body,
    read_book,
    read_currencies,
    read_market_status,
    read_swap_status,
    read_time,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import Contiguous, SequenceRule
from feeds.venues.sockets import SocketKind, plan_sockets

_SYMBOLS_A_SOCKET = 20  # every symbol needs a snapshot at once; a venue with the same protocol refused 21 of 45
_LABELS: Mapping[Product, Mapping[str, str]] = {
    "spot": {"/feed": "book", "/ws": "public"},
    "linear": {"/linear-swap-ws": "public", "/ws_index": "index", NOTIFICATION: "notification"},
}
_PROBES: Mapping[Product, tuple[str, str]] = {
    "spot": ("/v1/common/timestamp", "/market/depth?symbol=%s&type=step0&depth=5"),
    "linear": ("/api/v1/timestamp", "/linear-swap-ex/market/depth?contract_code=%s&type=step6"),
}
_BOOKS: Mapping[Product, str] = {
    "spot": "/market/depth?symbol=%s&type=step0",
    "linear": "/linear-swap-ex/market/depth?contract_code=%s&type=step0",
}
_SPOT_LIMIT = RateLimit(10, 1.0)  # of reference data, per path and IP; market data: 4500 per 5 min
_SWAP_LIMIT = RateLimit(240, 3.0)  # all public data except market data, which has 800 a second
_MAINTENANCE = re.compile(r"maintenance|upgrad", re.IGNORECASE)
_HALTS: Mapping[int, str] = {2: "trading halted", 3: "orders can only be cancelled"}

_PUSH_MS: Mapping[Channel, float] = {Channel.BOOK: 100, Channel.BBO: 0, Channel.TRADES: 0}
_QUIET_S: Mapping[Channel, float] = {Channel.BOOK: 20, Channel.BBO: 20, Channel.TRADES: 60}


def _facts(
    rest: str,
    ws: str,
    taker_fee: float,
    rest_limit: RateLimit,
    sequence: str,
    clocks: str,
    sends: RateLimit,
    push_ms: Mapping[Channel, float] = _PUSH_MS,
    quiet_s: Mapping[Channel, float] = _QUIET_S,
) -> ProductFacts:
    return ProductFacts(
        rest=rest,
        ws=ws,
        taker_fee=taker_fee,
        rest_limit=rest_limit,
        push_ms=push_ms,
        quiet_s=quiet_s,
        sequence=sequence,
        clocks=clocks,
        checked="2026-11",
        ws_ping_s=10.0,
        server_ping="JSON ping every 5 s, with its clock; cuts 16 to 20 s after the last answer (1003)",
        idle_cut_s=20.0,  # four intervals of the venue's own pings
        sends=sends,
        max_streams=_SYMBOLS_A_SOCKET * 3,
        compression="gzip, every frame",
    )


class Htx(VenueDefaults):
    name = "htx"
    title = "HTX"
    ccxt: Mapping[Product, str] = {"spot": "htx", "linear": "htx"}
    products: Mapping[Product, ProductFacts] = {
        "spot": _facts(
            "https://api.huobi.pro",
            "wss://api.huobi.pro",
            0.002,
            _SPOT_LIMIT,
            "prevSeqNum = last seqNum; the first book is asked for on the socket",
            "books: gateway only; bbo and trades: engine quoteTime or ts, gateway ts",
            RateLimit(20, 1.0),  # 50 a second are allowed; the rest is left for requests of snapshots
        ),
        "linear": _facts(
            "https://api.hbdm.com",
            "wss://api.hbdm.com",
            0.0006,  # tier 0; 0.05 or 0.06 % by schedule, the higher fee is the safe default
            _SWAP_LIMIT,
            "version = last + 1, per connection",
            "engine tick.ts, gateway ts",
            RateLimit(30, 1.0),  # 40 subscriptions a second are allowed
            {**_PUSH_MS, Channel.BOOK: 30, Channel.LIQUIDATIONS: 0, Channel.MARK: 1_000},
            {**_QUIET_S, Channel.MARK: 120},  # funding comes at least once a minute
        ),
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        kinds = [
            SocketKind(path=path, label=label, channels=[channel for at, channel in TOPICS if at == path])
            for path, label in _LABELS[product].items()
        ]
        return plan_sockets(product, instruments, kinds, room=_SYMBOLS_A_SOCKET)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> HtxSession:
        return HtxSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return MbpRule() if product == "spot" else Contiguous()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        time, book = _PROBES[product]
        clock = Probe(name="time", request=RestRequest(path=time), gives_time=True)
        if not instruments:
            return (clock,)
        return (clock, Probe(name="book", request=RestRequest(path=book % instruments[0].venue_id)))

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        try:
            body = read_body(answer.body)
            server_ns = _time_ns(product, body) if body.good and probe.gives_time else None
        except UNREADABLE:
            return unreadable(answer)
        limit = self.products[product].rest_limit
        used = share_used(answer, "ratelimit-limit", "ratelimit-remaining")
        left = header_float(answer, "x-hb-ratelimit-requests-remain")
        if used is None and left is not None and 0 <= left <= limit.weight:
            used = 1.0 - left / limit.weight
        fault, code, text = http_fault(answer), "", ""
        if not body.good:
            code, text = body.error
            fault = fault_of(code, text) or fault or Fault.UNKNOWN
            if fault is Fault.OVERLOAD and _MAINTENANCE.search(text):
                fault = Fault.MAINTENANCE
        return ProbeReading(
            fault=fault,
            code=code,
            text=text,
            server_ns=server_ns or None,
            weight_used=None if used is None else used * limit.weight,
            retry_after_s=limit.window_s if fault is Fault.OUR_LIMIT else None,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return RestRequest(path=_BOOKS[product] % instrument.venue_id)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        body = _good_content(answer)
        try:
            row = read_book(body.tick)
        except UNREADABLE as error:
            raise VenueError(f"htx book: {error}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=row.bids or (),
            asks=row.asks or (),
            seq=row.version
            if product == "spot"
            else None,  # on swaps it is a time in seconds, not the websocket's version
            engine_ns=row.made_ms * NS_PER_MS or None,
            gateway_ns=body.ts * NS_PER_MS or None,
            levels_limit=BOOK_LEVELS,
        )

    def status_request(self, product: Product) -> RestRequest | None:
        return RestRequest(path="/v2/market-status" if product == "spot" else "/heartbeat/")

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        body = _good_content(answer)
        try:
            if product == "spot":
                spot = read_market_status(body.data)
                text = _HALTS.get(spot.market_status)
                begin_ms, end_ms = spot.halt_start_time, spot.halt_end_time
            else:
                swaps = read_swap_status(body.data)
                text = None if swaps.heartbeat else "swaps are not available"
                begin_ms, end_ms = None, swaps.recovery_ms
        except UNREADABLE as error:
            raise VenueError(f"htx status: {error}") from error
        if text is None:
            return ()
        begin_ns, end_ns = ((ms or 0) * NS_PER_MS or None for ms in (begin_ms, end_ms))
        return (StatusNotice(state="ongoing", text=text, products=(product,), begin_ns=begin_ns, end_ns=end_ns),)

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        return [RestRequest(path=f"/v2/reference/currencies?currency={quote(coin.lower())}") for coin in coins]

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        try:
            rows = read_currencies(_good_content(answer).data)
        except UNREADABLE as error:
            raise VenueError(f"htx currencies: {error}") from error
        return [
            Rail(
                coin=row.currency.upper(),
                chain=chain.display_name,
                deposit=chain.deposit_status == "allowed",
                withdraw=chain.withdraw_status == "allowed",
            )
            for row in rows
            for chain in row.chains or [NO_CHAIN]
        ]

    def read_close(self, code: int) -> Fault | None:
        """1003, "ping check expired": our answers to its pings were late."""
        return Fault.OUR_LIMIT if code == 1003 else None


def _time_ns(product: Product, body: RestBody) -> int:
    return (read_time(body.data) if product == "spot" else body.ts) * NS_PER_MS


def _good_content(answer: Answer) -> RestBody:
    """Raises VenueError."""
    try:
        body = read_body(answer.body)
    except UNREADABLE as error:
        raise VenueError(f"htx: HTTP {answer.status}, unreadable body: {error}") from error
    if not body.good:
        raise VenueError(f"htx: HTTP {answer.status}, {': '.join(body.error)}")
    return body
