"""Hyperliquid, public data: perpetuals quoted and settled in USDC.

Sources: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api (websocket: subscriptions, post requests,
timeouts; info endpoint: perpetuals; rate limits), the official Python SDK 0.24, ccxt 4.5.90; a third party's
measurements on the wire of 2026-09; a capture of 2025-01.

Every book message is a whole book without a number. Since July 2026 the usual book (20 levels) comes every 5 s and the
``fast`` book (5 levels) every 0.5 s; both are used, see ``session.py``. Best prices have their own channel. The only
time is that of the block, so the venue's internal lag cannot be separated from the network's.

Spot is not supported: its coins are named ``@n``, several tokens can get the same ccxt name (UBTC is BTC), sources
differ about the fee (0.07 or 0.025 %), and only one source has seen the channel of its mark prices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import json

from feeds.model import BookSnapshot, Channel, Fault, Instrument, Product, StatusNotice
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
from feeds.venues.hyperliquid.session import DEEP_LEVELS, HyperliquidSession
from feeds.venues.hyperliquid.wire import pairs, read_book, read_status
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import SequenceRule, Unsequenced
from feeds.venues.sockets import SocketKind, plan_sockets

_SYMBOLS_A_SOCKET = 50  # of five subscriptions each; an IP may have 1 000 subscriptions on 10 sockets
_LIMIT = RateLimit(1_200, 60.0)  # weight per IP
_BLOCK_NS = 70 * NS_PER_MS  # a block comes every 45 to 70 ms, and all times are times of blocks
_CHANNELS = (Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.MARK)
_MAINTENANCE = re.compile(r"maintenance|upgrad", re.IGNORECASE)


def _info(weight: float = 2.0, **asked: Any) -> RestRequest:
    return RestRequest(path="/info", method="POST", body=json.encode(asked).decode(), weight=weight)


_TIME = Probe(name="time", request=_info(type="exchangeStatus"), gives_time=True)
_BOOK = Probe(name="book", request=_info(type="l2Book", coin="BTC"), gives_time=True)
"""Always of BTC: an unknown name is answered like a server error, and BTC is never delisted."""


class Hyperliquid(VenueDefaults):
    name = "hyperliquid"
    title = "Hyperliquid"
    ccxt: Mapping[Product, str] = {"linear": "hyperliquid"}
    products: Mapping[Product, ProductFacts] = {
        "linear": ProductFacts(
            rest="https://api.hyperliquid.xyz",
            ws="wss://api.hyperliquid.xyz",
            taker_fee=0.00045,  # tier 0
            rest_limit=_LIMIT,
            quotes=("USDC",),
            push_ms={Channel.BOOK: 540, Channel.BBO: 60, Channel.TRADES: 0, Channel.MARK: 1_000},
            quiet_s={Channel.BOOK: 10, Channel.BBO: 20, Channel.TRADES: 60, Channel.MARK: 15},
            sequence="none: every book is whole",
            clocks="time of the block",
            checked="2026-09",
            ws_ping_s=None,  # PING frames are not documented; the venue's own ping is answered in 90 ms
            app_ping_s=10.0,  # the venue wants one at least every 50 s
            server_ping="none; cuts after 60 s without a message",
            idle_cut_s=45.0,
            connects=RateLimit(30, 60.0),
            sends=RateLimit(20, 1.0),  # 2 000 a minute for all sockets of an IP
            max_streams=_SYMBOLS_A_SOCKET * 5,
        )
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        return plan_sockets(product, instruments, [SocketKind(path="/ws", channels=_CHANNELS)], room=_SYMBOLS_A_SOCKET)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> HyperliquidSession:
        return HyperliquidSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return Unsequenced()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        return (_TIME, _BOOK)

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        """Errors are plain text, ``null`` or a page of the CDN. No header tells the used weight."""
        read: Any = read_book if probe.name == "book" else read_status
        try:
            time_ms = read(answer.body).time
            fault = http_fault(answer) or (None if time_ms else Fault.UNKNOWN)
        except UNREADABLE:
            time_ms, fault = 0, unreadable(answer).fault
        text = "" if fault is None else answer.body[:200].decode(errors="replace")
        if fault is Fault.OVERLOAD and _MAINTENANCE.search(text):
            fault = Fault.MAINTENANCE
        return ProbeReading(
            fault=fault,
            code="" if fault is None else str(answer.status),
            text=text,
            server_ns=time_ms * NS_PER_MS or None,
            server_resolution_ns=_BLOCK_NS,
            retry_after_s=_LIMIT.window_s if fault is Fault.OUR_LIMIT else None,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _info(type="l2Book", coin=instrument.venue_id)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        try:
            row = read_book(answer.body)
        except UNREADABLE as error:
            excerpt = answer.body[:200].decode(errors="replace")
            raise VenueError(f"hyperliquid book: HTTP {answer.status}, {error}: {excerpt}") from error
        if row.coin != instrument.venue_id:
            raise VenueError(f"hyperliquid book: asked for {instrument.venue_id}, got {row.coin}")
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=pairs(row.levels[0]),
            asks=pairs(row.levels[1]),
            engine_ns=row.time * NS_PER_MS or None,
            levels_limit=DEEP_LEVELS,
        )

    def status_request(self, product: Product) -> RestRequest | None:
        return _TIME.request

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        """The form of a special status is not documented, so its text is shown as it is."""
        try:
            special = bytes(read_status(answer.body).special_statuses)
        except UNREADABLE as error:
            raise VenueError(f"hyperliquid status: HTTP {answer.status}, {error}") from error
        if special in (b"null", b"[]", b"{}", b'""'):
            return ()
        return (StatusNotice(state="ongoing", text=special[:200].decode(errors="replace")),)
