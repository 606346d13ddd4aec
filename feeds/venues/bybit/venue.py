"""Bybit v5, public data: spot, USDT/USDC-margined and coin-margined contracts.

Sources: https://bybit-exchange.github.io/docs/v5/ (websocket: connect, orderbook, trade, all-liquidation, ticker; REST:
time, orderbook, system status; rate limit; error codes), state of 2026-07-24; ccxt 4.5.90; a capture of 2026-08-09.

Every book message carries the time of the matching engine (``cts``) and of the push system (``ts``), so the venue's
internal lag is measured without our clock. Official status is read over REST; it is pushed too, but on another socket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Raw

from feeds.model import BookDelta, BookSnapshot, Channel, Fault, Instrument, Product, StatusNotice
from feeds.venues.answers import share_used
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
from feeds.venues.bybit.session import BOOK_LEVELS, BybitSession, topic_of
from feeds.venues.bybit.wire import (
    BAN_S,
    fault_of,
    http_fault_of,
    read_body,
    read_rest_book,
    read_statuses,
    read_time,
    status_notice,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import RuleDefaults, SequenceRule, Step
from feeds.venues.sockets import SocketKind, plan_sockets

_ARGS_CHARS = 20_000  # 21 000 characters are allowed in all args of a connection
_IP_LIMIT = RateLimit(600, 5.0)  # requests per IP, all hosts together


class BybitRule(RuleDefaults):
    """``u`` increases by one. Anything but that or a repeat is a loss. A lower number too: the service has restarted,
    and the message that said so was lost (``u`` = 1 is read as a snapshot)."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        if last_seq is None or delta.last_seq is None:
            return Step.GAP
        if delta.last_seq == last_seq + 1:
            return Step.APPLY
        return Step.SKIP if delta.last_seq == last_seq else Step.GAP


_PUSH_MS: Mapping[Channel, float] = {Channel.BOOK: 200, Channel.BBO: 10, Channel.TRADES: 0}
_QUIET_S: Mapping[Channel, float] = {Channel.BOOK: 10, Channel.BBO: 10, Channel.TRADES: 60}  # BBO is repeated after 3 s


def _facts(
    taker_fee: float, push_ms: Mapping[Channel, float] = _PUSH_MS, quiet_s: Mapping[Channel, float] = _QUIET_S
) -> ProductFacts:
    return ProductFacts(
        rest="https://api.bybit.com",
        ws="wss://stream.bybit.com",
        taker_fee=taker_fee,
        rest_limit=_IP_LIMIT,
        push_ms=push_ms,
        quiet_s=quiet_s,
        sequence="u = last u + 1; a snapshot or u = 1 replaces the book",
        clocks="engine cts, gateway ts",
        checked="2026-08",
        ws_ping_s=10.0,  # PING frames are answered (the official client sends them every 20 s)
        app_ping_s=20.0,
        server_ping="none; cuts after 10 min without ping and data",
        idle_cut_s=45.0,
        connects=RateLimit(500, 300.0),
        sends=RateLimit(10, 1.0),  # no limit is published; ours, to avoid bursts
        max_streams=800,  # about 20 000 characters of topics
    )


_CONTRACT_FACTS = _facts(
    0.00055,  # VIP 0; ccxt's default is 0.06 %
    {**_PUSH_MS, Channel.LIQUIDATIONS: 500, Channel.MARK: 100},
    {**_QUIET_S, Channel.MARK: 15},
)

_TIME = Probe(name="time", request=RestRequest(path="/v5/market/time"), gives_time=True)


class Bybit(VenueDefaults):
    name = "bybit"
    title = "Bybit"
    ccxt: Mapping[Product, str] = {"spot": "bybit", "linear": "bybit", "inverse": "bybit"}
    products: Mapping[Product, ProductFacts] = {
        "spot": _facts(0.001),
        "linear": _CONTRACT_FACTS,
        "inverse": _CONTRACT_FACTS,
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        """The limit of a socket is the length of its topics in characters."""
        channels = tuple(self.products[product].push_ms)

        def characters(instrument: Instrument) -> int:
            return sum(
                len(topic_of(channel, instrument.venue_id)) + 3 for channel in channels
            )  # 3: two quotes and a comma

        kind = SocketKind(path=f"/v5/public/{product}", channels=channels)
        return plan_sockets(product, instruments, [kind], room=_ARGS_CHARS, cost=characters)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> BybitSession:
        return BybitSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return BybitRule()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        if not instruments:
            return (_TIME,)
        path = f"/v5/market/orderbook?category={product}&symbol={instruments[0].venue_id}&limit=1"
        return (_TIME, Probe(name="book", request=RestRequest(path=path), gives_time=True))

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        used = _weight_used(answer)
        try:
            body = read_body(answer.body)
            exact = body.ret_code == 0 and probe.name == "time"
            server_ns = read_time(body.result).time_nano if exact else body.time * NS_PER_MS
        except UNREADABLE:
            fault = http_fault_of(answer) or Fault.UNKNOWN
            return ProbeReading(
                fault=fault,
                code=str(answer.status),
                text=answer.body[:200].decode(errors="replace"),
                weight_used=used,
                retry_after_s=BAN_S if fault is Fault.OUR_LIMIT else None,
            )
        fault_or_none = fault_of(body.ret_code)
        if fault_or_none in (None, Fault.UNKNOWN):
            fault_or_none = http_fault_of(answer) or fault_or_none
        banned = answer.status == 403 and fault_or_none is Fault.OUR_LIMIT
        return ProbeReading(
            fault=fault_or_none,
            code=str(body.ret_code) if body.ret_code else "",
            text=body.ret_msg[:200] if body.ret_code else "",
            server_ns=server_ns or None,
            server_resolution_ns=1 if exact else NS_PER_MS,
            weight_used=used,
            retry_after_s=BAN_S if banned else None,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        query = f"category={product}&symbol={instrument.venue_id}&limit={BOOK_LEVELS}"
        return RestRequest(path=f"/v5/market/orderbook?{query}")

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        """Without a sequence number: every topic has its own counter ``u``, and that of REST is another."""
        result = _good_content(answer)
        try:
            row = read_rest_book(result)
        except UNREADABLE as error:
            raise VenueError(f"bybit book: {error}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=row.bids,
            asks=row.asks,
            engine_ns=row.cts * NS_PER_MS or None,
            gateway_ns=row.ts * NS_PER_MS or None,
            levels_limit=BOOK_LEVELS,
        )

    def status_request(self, product: Product) -> RestRequest | None:
        return RestRequest(path="/v5/system/status")

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        result = _good_content(answer)
        try:
            return tuple(n for n in map(status_notice, read_statuses(result).rows) if n is not None)
        except UNREADABLE as error:
            raise VenueError(f"bybit status: {error}") from error


def _weight_used(answer: Answer) -> float | None:
    """Headers tell the used share of a limit per path; it is scaled to the limit per IP."""
    share = share_used(answer, "x-bapi-limit", "x-bapi-limit-status")
    return None if share is None else share * _IP_LIMIT.weight


def _good_content(answer: Answer) -> Raw:
    """The result of a good answer. Raises VenueError."""
    try:
        body = read_body(answer.body)
    except UNREADABLE as error:
        raise VenueError(f"bybit: HTTP {answer.status}, unreadable body: {error}") from error
    if body.ret_code:
        raise VenueError(f"bybit: HTTP {answer.status}, code {body.ret_code}: {body.ret_msg[:200]}")
    return body.result
