"""Deribit, public data: perpetuals settled in USDC and in coin, and spot, over JSON-RPC 2.0.

Sources: https://docs.deribit.com/ (JSON-RPC, websocket, market data, subscription channels, rate limits, error codes),
state of 2026-07 with the changes of 2026-01 and 2026-07; ccxt 4.5.90; a third party's measurements on the wire of
2026-09.

Books: ``book.X.100ms``, the whole book and its changes. ``timestamp`` is the matching engine's time; no notification
tells when it was sent. But every answer to a request tells, in microseconds, when the request came in and the answer
went out. Sizes are US dollars for inverse contracts and base coin for all others, never contracts, whatever
``contract_size`` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from msgspec import Raw

from feeds.model import BookSnapshot, Channel, Fault, Instrument, Levels, Product, StatusNotice
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
from feeds.venues.deribit import wire
from feeds.venues.deribit.session import HEARTBEAT_S, DeribitSession
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import PrevEquals, SequenceRule
from feeds.venues.sockets import SocketKind, plan_sockets

_SYMBOLS_A_SOCKET = 90  # of four channels each; at most 500 channels in a request
_REST_LEVELS = 1_000

_PUSH_MS: Mapping[Channel, float] = {Channel.BOOK: 100, Channel.BBO: 0, Channel.TRADES: 100, Channel.STATUS: 0}
_QUIET_S: Mapping[Channel, float] = {Channel.BOOK: 20, Channel.BBO: 30, Channel.TRADES: 300}


def _facts(push_ms: Mapping[Channel, float] = _PUSH_MS, quiet_s: Mapping[Channel, float] = _QUIET_S) -> ProductFacts:
    return ProductFacts(
        rest="https://www.deribit.com",
        ws="wss://www.deribit.com",
        taker_fee=0.0005,  # tier 0; spot is free at times, the higher fee is the safe default
        # The limit is credits per IP and is not published; accounts have 20 requests a second by default.
        rest_limit=RateLimit(5, 1.0),
        quotes=("USDC",),
        push_ms=push_ms,
        quiet_s=quiet_s,
        sequence="prev_change_id = last change_id",
        clocks="timestamp: engine; answers: usIn, usOut",
        checked="2026-11",
        sizes_in_contracts=False,
        ws_ping_s=None,  # the JSON-RPC test measures the same and tells the venue's times
        app_ping_s=10.0,
        server_ping=f"heartbeat and test_request every {HEARTBEAT_S} s, as asked; cuts who does not answer",
        idle_cut_s=3.5 * HEARTBEAT_S,
        connects=RateLimit(30, 60.0),  # at most 32 open at a time per IP
        sends=RateLimit(3, 1.0),  # public/subscribe costs 3000 of 30000 credits; 10000 are returned per second
        max_streams=500,
    )


_SWAP_FACTS = _facts(
    {**_PUSH_MS, Channel.LIQUIDATIONS: 100, Channel.MARK: 100},
    {**_QUIET_S, Channel.MARK: 20},
)

_TIME = Probe(name="time", request=RestRequest(path="/api/v2/public/get_time"), gives_time=True)


class Deribit(VenueDefaults):
    name = "deribit"
    title = "Deribit"
    ccxt: Mapping[Product, str] = {"spot": "deribit", "linear": "deribit", "inverse": "deribit"}
    products: Mapping[Product, ProductFacts] = {"spot": _facts(), "linear": _SWAP_FACTS, "inverse": _SWAP_FACTS}

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        channels = [channel for channel in self.products[product].push_ms if channel is not Channel.STATUS]
        kind = SocketKind(path="/ws/api/v2", channels=channels, product_channels=(Channel.STATUS,))
        return plan_sockets(product, instruments, [kind], room=_SYMBOLS_A_SOCKET)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> DeribitSession:
        return DeribitSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return PrevEquals()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        if not instruments:
            return (_TIME,)
        return (_TIME, Probe(name="book", request=_book_request(instruments[0], 5), gives_time=True))

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        """The venue's time is the middle between its receiving the request and sending the answer."""
        try:
            body = wire.read_frame(answer.body)
        except UNREADABLE:
            return unreadable(answer)
        if body.error is not None:
            fault = body.error.fault or http_fault(answer) or Fault.UNKNOWN
            return ProbeReading(fault=fault, code=str(body.error.code)[:16], text=body.error.message[:200])
        if not body.result:
            return unreadable(answer)
        server_ns = (body.us_in + body.us_out) * 500 if body.us_in and body.us_out else None
        return ProbeReading(fault=http_fault(answer), server_ns=server_ns, server_resolution_ns=1_000)

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _book_request(instrument, _REST_LEVELS)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        result = _good_content(answer)
        try:
            row = wire.read_rest_book(result)
        except UNREADABLE as error:
            raise VenueError(f"deribit book: {error}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=cast(Levels, row.bids),
            asks=cast(Levels, row.asks),
            seq=row.change_id,
            engine_ns=row.timestamp * NS_PER_MS or None,
            levels_limit=_REST_LEVELS,
        )

    def status_request(self, product: Product) -> RestRequest | None:
        return RestRequest(path="/api/v2/public/status")

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        result = _good_content(answer)
        try:
            row = wire.read_status(result)
        except UNREADABLE as error:
            raise VenueError(f"deribit status: {error}") from error
        names = (row.locked_indices or row.locked_currencies)[:50]
        match row.locked:
            case True | "true":
                return (StatusNotice(state="ongoing", text="the whole platform is locked"),)
            case "partial":
                text = f"locked: {', '.join(names)}" if names else "a part of the platform is locked"
                return (StatusNotice(state="ongoing", text=text[:200], products=_products(names)),)
        return ()


def _book_request(instrument: Instrument, levels: int) -> RestRequest:
    return RestRequest(path=f"/api/v2/public/get_order_book?instrument_name={instrument.venue_id}&depth={levels}")


def _good_content(answer: Answer) -> Raw:
    """The result of a good answer. Raises VenueError."""
    try:
        body = wire.read_frame(answer.body)
    except UNREADABLE as error:
        raise VenueError(f"deribit: HTTP {answer.status}, unreadable body: {error}") from error
    if body.error is not None:
        raise VenueError(f"deribit: HTTP {answer.status}, code {body.error.code}: {body.error.message[:200]}")
    if not body.result:
        raise VenueError(f"deribit: HTTP {answer.status}, no result")
    return body.result


def _products(names: Sequence[str]) -> tuple[Product, ...]:
    """Products that use these indices: ``btc_usd`` belongs to the inverse contracts. Empty (all products): not
    known."""
    quotes = {name.rpartition("_")[2].lower() for name in names if "_" in name}
    if not names or quotes - {"usd", "usdc", "usdt"} or not all("_" in name for name in names):
        return ()
    inverse: tuple[Product, ...] = ("inverse",) if "usd" in quotes else ()
    return (*inverse, *(("linear", "spot") if quotes & {"usdc", "usdt"} else ()))
