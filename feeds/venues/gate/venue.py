"""Gate v4, public data: spot, and perpetuals settled in USDT, whose sizes are contracts.

Sources: https://www.gate.com/docs/developers/apiv4/ws/en/ and .../futures/ws/en/ (system API, order book v2, book
ticker, trades, public liquidates, tickers; error codes), .../apiv4/en/ (time, order book, rate limits, labels), state
of 2026-05 with the changes of 2026-07; ccxt 4.5.90; a third party's measurements on the wire of 2026-09.

Books: ``obu`` (400 levels, 100 ms), which sends its own first book. Every message carries the time at which the book
was generated (``t``) and the gateway's (``time_ms``), so the venue's internal lag is measured without our clock.
Without the header ``X-Gate-Size-Decimal`` futures sizes are rounded down to whole contracts. There is no official
status.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence

from feeds.model import BookDelta, BookSnapshot, Channel, Fault, Instrument, Product, Rail
from feeds.venues.answers import http_fault, share_used, unreadable
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
from feeds.venues.gate.session import GateSession
from feeds.venues.gate.wire import ONE_CHAIN, pairs, read_body, read_currencies, read_rest_book, stamp_ns
from feeds.venues.reading import UNREADABLE
from feeds.venues.sequence import RuleDefaults, SequenceRule, Step
from feeds.venues.sockets import SocketKind, plan_sockets

_SYMBOLS_A_SOCKET = 40  # no limit is published, but slow readers are cut without a message
_REST_LIMIT = RateLimit(200, 10.0)  # per path and IP
_REST_LEVELS = 100
_DECIMALS = {"X-Gate-Size-Decimal": "1"}

_FAULTS: Mapping[str, Fault] = {
    "TOO_MANY_REQUESTS": Fault.OUR_LIMIT,
    "TOO_FAST": Fault.OUR_LIMIT,
    "SERVER_ERROR": Fault.OVERLOAD,
    "INTERNAL": Fault.OVERLOAD,
    "TOO_BUSY": Fault.OVERLOAD,
}
_MAINTENANCE = re.compile(r"maintenance|upgrad", re.IGNORECASE)


class GateRule(RuleDefaults):
    """``U`` is one more than the last ``u``. Many messages have ids and no levels. A first book can come again at any
    time."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        return Step.APPLY if last_seq is not None and delta.first_seq == last_seq + 1 else Step.GAP


_PUSH_MS: Mapping[Channel, float] = {Channel.BOOK: 100, Channel.BBO: 10, Channel.TRADES: 0}
_QUIET_S: Mapping[Channel, float] = {Channel.BOOK: 10, Channel.BBO: 20, Channel.TRADES: 60}


def _facts(
    ws: str,
    taker_fee: float,
    push_ms: Mapping[Channel, float] = _PUSH_MS,
    quiet_s: Mapping[Channel, float] = _QUIET_S,
) -> ProductFacts:
    return ProductFacts(
        rest="https://api.gateio.ws",
        ws=ws,
        taker_fee=taker_fee,
        rest_limit=_REST_LIMIT,
        push_ms=push_ms,
        quiet_s=quiet_s,
        sequence="U = last u + 1; a full message replaces the book",
        clocks="engine t, gateway time_ms",
        checked="2026-09",
        ws_ping_s=10.0,
        app_ping_s=10.0,  # the official client: 5 to 10 s
        server_ping="documented, none seen in 150 s; cuts an unsubscribed, silent socket after 30 s",
        idle_cut_s=30.0,
        sends=RateLimit(10, 1.0),  # no limit is published; ours, to avoid bursts
        max_streams=_SYMBOLS_A_SOCKET * 5,
    )


class Gate(VenueDefaults):
    name = "gate"
    title = "Gate"
    ccxt: Mapping[Product, str] = {"spot": "gate", "linear": "gate"}
    products: Mapping[Product, ProductFacts] = {
        "spot": _facts(
            "wss://api.gateio.ws", 0.002
        ),  # tier 0; later schedules say 0.1 %, the higher fee is the safe default
        "linear": _facts(
            "wss://fx-ws.gateio.ws",
            0.0005,
            {**_PUSH_MS, Channel.LIQUIDATIONS: 1_000, Channel.MARK: 1_000},
            {**_QUIET_S, Channel.MARK: 30},
        ),
    }

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        """``now_s``: our wall clock. Every websocket request must carry it; it may be wrong by a minute at most."""
        self._now_s = now_s

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        spot = product == "spot"
        kind = SocketKind(
            path="/ws/v4/" if spot else "/v4/ws/usdt",
            channels=tuple(self.products[product].push_ms),
            headers={} if spot else _DECIMALS,
        )
        return plan_sockets(product, instruments, [kind], room=_SYMBOLS_A_SOCKET)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> GateSession:
        return GateSession(plan, instruments, self._now_s)

    def rule(self, product: Product) -> SequenceRule:
        return GateRule()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        """Futures have no path for the time; their book tells when it was answered."""
        clock = Probe(name="time", request=RestRequest(path="/api/v4/spot/time"), gives_time=True)
        if not instruments:
            return (clock,)
        return (clock, Probe(name="book", request=_book_request(product, instruments[0], 5), gives_time=True))

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        try:
            body = read_body(answer.body)
            label, server_ns = body.label, stamp_ns(body.server_time or body.current)
            fault = _FAULTS.get(label) or http_fault(answer)
        except UNREADABLE:
            label, server_ns, fault = "", None, unreadable(answer).fault
        if fault is None and (label or server_ns is None):
            fault = Fault.UNKNOWN
        text = "" if fault is None else answer.body[:200].decode(errors="replace")
        if fault is Fault.OVERLOAD and _MAINTENANCE.search(text):
            fault = Fault.MAINTENANCE
        share = share_used(answer, "x-gate-ratelimit-limit", "x-gate-ratelimit-requests-remain")
        return ProbeReading(
            fault=fault,
            code="" if fault is None else label[:32] or str(answer.status),
            text=text,
            server_ns=server_ns,
            weight_used=None if share is None else share * _REST_LIMIT.weight,
            retry_after_s=_REST_LIMIT.window_s if fault is Fault.OUR_LIMIT else None,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _book_request(product, instrument, _REST_LEVELS)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        try:
            row = read_rest_book(answer.body)
        except UNREADABLE as error:
            excerpt = answer.body[:200].decode(errors="replace")
            raise VenueError(f"gate book: HTTP {answer.status}, {error}: {excerpt}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=pairs(row.bids),
            asks=pairs(row.asks),
            seq=row.id,
            engine_ns=stamp_ns(row.update),
            gateway_ns=stamp_ns(row.current),
            levels_limit=_REST_LEVELS,
        )

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        """One request for all coins: the answer for a single one does not name the coin."""
        return [RestRequest(path="/api/v4/spot/currencies")]

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        try:
            rows = read_currencies(answer.body)
        except UNREADABLE as error:
            raise VenueError(f"gate currencies: HTTP {answer.status}, {error}") from error
        return [
            Rail(
                coin=row.currency,
                chain=chain.name,
                deposit=not (row.delisted or row.deposit_disabled or chain.deposit_disabled),
                withdraw=not (row.withdraw_disabled or chain.withdraw_disabled),
                slow=row.withdraw_delayed or chain.withdraw_delayed,
            )
            for row in rows
            for chain in row.chains or [ONE_CHAIN]
        ]


def _book_request(product: Product, instrument: Instrument, levels: int) -> RestRequest:
    query = f"{instrument.venue_id}&limit={levels}&with_id=true"
    if product == "spot":
        return RestRequest(path=f"/api/v4/spot/order_book?currency_pair={query}")
    return RestRequest(path=f"/api/v4/futures/usdt/order_book?contract={query}&interval=0", headers=_DECIMALS)
