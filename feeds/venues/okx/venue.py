"""OKX v5, public data: spot, USDT/USDC-margined and coin-margined swaps.

Sources: https://www.okx.com/docs-v5/en/ (websocket: order book, trades, mark price, funding rate, liquidation orders,
status; REST: market data, public data, status; error codes), read 2026-05 to 2026-07; ccxt 4.5.90; third parties' live
captures of 2026-08 and 2026-09.

Books: channel ``books`` (400 levels, 100 ms) and ``bbo-tbt`` (10 ms). ``books`` carries the gateway's time, ``bbo-tbt``
the matching engine's; no message carries both. Book checksums are always 0 since 2026-06-23 and are not checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Raw

from feeds.model import (
    BookSnapshot,
    Channel,
    Fault,
    Instrument,
    Product,
    StatusNotice,
)
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
from feeds.venues.okx.session import OkxSession
from feeds.venues.okx.wire import (
    BOOK_LEVELS,
    BookRow,
    fault_of,
    read_body,
    read_books,
    read_statuses,
    read_times,
    status_notice,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import PrevEquals, SequenceRule
from feeds.venues.sockets import SocketKind, plan_sockets

_SYMBOLS_A_SOCKET = 29  # OKX advises fewer than 30 deep book channels per connection

_CLOSES: Mapping[int, Fault] = {
    1009: Fault.BAD_REQUEST,  # our message was too long
    4002: Fault.BAD_REQUEST,
    4003: Fault.OUR_LIMIT,  # more subscriptions than allowed
    4004: Fault.OUR_LIMIT,  # nothing sent for 30 s and no ping from us
    4005: Fault.OUR_LIMIT,  # their send buffer is full: we read too slowly
    4008: Fault.OUR_LIMIT,
    4009: Fault.OUR_LIMIT,
}

_PUSH_MS: Mapping[Channel, float] = {Channel.BOOK: 100, Channel.BBO: 10, Channel.TRADES: 0, Channel.STATUS: 0}
_QUIET_S: Mapping[Channel, float] = {Channel.BOOK: 10, Channel.BBO: 15, Channel.TRADES: 60}


def _facts(
    taker_fee: float, push_ms: Mapping[Channel, float] = _PUSH_MS, quiet_s: Mapping[Channel, float] = _QUIET_S
) -> ProductFacts:
    return ProductFacts(
        rest="https://www.okx.com",
        ws="wss://ws.okx.com:8443",
        taker_fee=taker_fee,
        # Every path has its own limit per IP. Weights are relative to the lowest limit of the probes: time, 10 per 2 s.
        rest_limit=RateLimit(10, 2.0),
        push_ms=push_ms,
        quiet_s=quiet_s,
        sequence="prevSeqId = last seqId; equal: heartbeat; seqId < prevSeqId: reset",
        checksum="none (fixed to 0 since 2026-06)",
        clocks="books ts: gateway; bbo-tbt, trades ts: engine",
        checked="2026-09",
        ws_ping_s=None,  # ccxt: OKX does not answer PING frames; the text ping measures the same
        app_ping_s=10.0,  # the venue wants one within 30 s
        server_ping="none; cuts after 30 s without push or ping (4004)",
        idle_cut_s=30.0,
        connects=RateLimit(3, 1.0),
        sends=RateLimit(480, 3600.0),
        max_streams=_SYMBOLS_A_SOCKET * 5 + 2,
    )


_SWAP_FACTS = _facts(
    0.0005,
    {**_PUSH_MS, Channel.LIQUIDATIONS: 0, Channel.MARK: 200},
    {**_QUIET_S, Channel.MARK: 25},  # mark prices come at least every 10 s
)

_TIME = Probe(name="time", request=RestRequest(path="/api/v5/public/time"), gives_time=True)


class Okx(VenueDefaults):
    name = "okx"
    title = "OKX"
    ccxt: Mapping[Product, str] = {"spot": "okx", "linear": "okx", "inverse": "okx"}
    products: Mapping[Product, ProductFacts] = {
        "spot": _facts(
            0.0015
        ),  # tier 0; 0.10 or 0.15 % by region and group of pairs, the higher fee is the safe default
        "linear": _SWAP_FACTS,
        "inverse": _SWAP_FACTS,
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        """Channels of the whole product (status, liquidations) are on the first socket."""
        channels = [Channel.BOOK, Channel.BBO, Channel.TRADES]
        whole = [Channel.STATUS]
        if product != "spot":
            channels.append(Channel.MARK)
            whole.append(Channel.LIQUIDATIONS)
        kind = SocketKind(path="/ws/v5/public", channels=channels, product_channels=whole)
        return plan_sockets(product, instruments, [kind], room=_SYMBOLS_A_SOCKET)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> OkxSession:
        return OkxSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        """Heartbeats (equal ids) and resets (lower ids) follow like any other update."""
        return PrevEquals()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        if not instruments:
            return (_TIME,)
        path = f"/api/v5/market/books?instId={instruments[0].venue_id}&sz=5"
        return (
            _TIME,
            Probe(name="book", request=RestRequest(path=path, weight=0.25)),
        )  # limit of this path: 40 per 2 s

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        try:
            body = read_body(answer.body)
            server_ns = read_times(body.data)[0].ts * NS_PER_MS if body.code == "0" and probe.gives_time else None
        except UNREADABLE:
            return unreadable(answer)
        if body.code == "0":
            return ProbeReading(fault=http_fault(answer), server_ns=server_ns or None)
        fault = fault_of(body.code, body.msg) or http_fault(answer) or Fault.UNKNOWN
        return ProbeReading(fault=fault, code=body.code[:16], text=body.msg[:200])

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return RestRequest(path=f"/api/v5/market/books?instId={instrument.venue_id}&sz={BOOK_LEVELS}", weight=0.25)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        row = _first_book(answer)
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=[(level.price, level.size) for level in row.bids],
            asks=[(level.price, level.size) for level in row.asks],
            seq=row.seq_id,
            gateway_ns=row.ts * NS_PER_MS or None,
            levels_limit=BOOK_LEVELS,
        )

    def status_request(self, product: Product) -> RestRequest | None:
        return RestRequest(path="/api/v5/system/status", weight=4.0)  # limit of this path: 1 per 5 s, the lowest of all

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        data = _good_content(answer)
        try:
            return tuple(n for n in map(status_notice, read_statuses(data)) if n is not None)
        except UNREADABLE as error:
            raise VenueError(f"okx status: {error}") from error

    def read_close(self, code: int) -> Fault | None:
        return _CLOSES.get(code)


def _good_content(answer: Answer) -> Raw:
    """The data of a good answer. Raises VenueError."""
    try:
        body = read_body(answer.body)
    except UNREADABLE as error:
        raise VenueError(f"okx: HTTP {answer.status}, unreadable body: {error}") from error
    if body.code != "0":
        raise VenueError(f"okx: HTTP {answer.status}, code {body.code[:16]}: {body.msg[:200]}")
    return body.data


def _first_book(answer: Answer) -> BookRow:
    data = _good_content(answer)
    try:
        return read_books(data)[0]
    except UNREADABLE as error:
        raise VenueError(f"okx book: {error}") from error
