"""KuCoin: spot and USDT-margined perpetuals (sizes in lots of ``contract_size`` coins; Bitcoin is XBT there).

Sources: the protocol sheet (2026-11), the official universal SDK 1.3.2, ccxt 4.5.90, a public study of the futures
sockets (2026-09), recordings of 2021-2024.

Two kinds of sockets serve the same engine. Books, best prices and mark prices come from UTA, which needs no token,
sends its own snapshots and carries the engine's and the gateway's time in ns. Trades come from the classic sockets,
which need a token for every connection. Most clients use the classic sockets, so their health is measured too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlsplit
from zlib import crc32

from msgspec import Raw

from feeds.model import BookDelta, BookSnapshot, Channel, Fault, Instrument, Product, Rail, StatusNotice
from feeds.venues.answers import header_float, http_fault, share_used, unreadable
from feeds.venues.base import (
    Answer,
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
from feeds.venues.kucoin.classic_session import ClassicSession
from feeds.venues.kucoin.uta_session import UtaSession
from feeds.venues.kucoin.wire import (
    NO_CHAIN,
    Body,
    read_body,
    read_bullet,
    read_currency,
    read_rest_book,
    read_status,
    read_time,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import Contiguous, SequenceRule, Step
from feeds.venues.sockets import SocketKind, plan_sockets

_POOL = RateLimit(2000, 30.0)  # weight of public requests per IP, VIP 0
_BAN_S = 30.0  # after Cloudflare's 1015
_GOOD = "200000"
_FAULTS: Mapping[str, Fault] = {
    "200002": Fault.OUR_LIMIT,
    "400000": Fault.BAD_REQUEST,
    "400100": Fault.BAD_REQUEST,
    "400302": Fault.GEO_BLOCK,
    "400500": Fault.GEO_BLOCK,
    "401000": Fault.BAD_REQUEST,  # retired interface
    "404000": Fault.BAD_REQUEST,
    "408000": Fault.OVERLOAD,  # timeout behind the gateway
    "500000": Fault.OVERLOAD,
    "503000": Fault.OVERLOAD,
    "900001": Fault.BAD_REQUEST,  # no such symbol
}
_MAINTENANCE = re.compile(r"maintenance|upgrad", re.IGNORECASE)
_HALTS: Mapping[str, str] = {"close": "trading closed", "cancelonly": "cancel only"}

SYMBOLS_A_SOCKET = 50
"""All are requested at once after the welcome: 200 of 300 messages per 10 s (UTA), 50 of 100 (classic)."""
_REST_LEVELS = 100


class UtaRule(Contiguous):
    """``O <= last C + 1`` and ``C > last C``. Snapshots come on the socket, so a lower number means a restart whose
    snapshot was lost. Only right after a snapshot older updates are normal."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        if last_seq is not None and delta.last_seq is not None and delta.last_seq < last_seq:
            return Step.GAP
        return super().following(last_seq, delta)

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        return super().following(snapshot_seq, delta)


def _facts(product: str, rest: str, taker_fee: float, marks: bool) -> ProductFacts:
    push_ms: dict[Channel, float] = {Channel.BOOK: 10, Channel.BBO: 0, Channel.TRADES: 0}
    # a snapshot may come 6 s after the request
    quiet_s: dict[Channel, float] = {Channel.BOOK: 15, Channel.BBO: 15, Channel.TRADES: 60}
    if marks:
        push_ms[Channel.MARK], quiet_s[Channel.MARK] = 1000, 15
    return ProductFacts(
        rest=rest,
        ws=f"wss://x-push-{product}.kucoin.com",
        taker_fee=taker_fee,
        rest_limit=_POOL,
        push_ms=push_ms,
        quiet_s=quiet_s,
        sequence="O <= last C + 1 and C > last C; a snapshot replaces the book",
        clocks="engine M, gateway P (ns); trades engine only",
        checked="2026-11",
        ws_ping_s=None,  # PING frames are not answered
        app_ping_s=10.0,  # the venue wants one every 18 s; more than one a second is penalised
        server_ping="none; cuts after 60 s without ping (classic) or subscription (UTA)",
        lifetime_s=86_400.0,  # of a token
        idle_cut_s=45.0,
        connects=RateLimit(30, 60.0),
        sends=RateLimit(50, 10.0),  # not counting the requests after the welcome
        max_streams=200,
    )


class Kucoin(VenueDefaults):
    name = "kucoin"
    title = "KuCoin"
    ccxt: Mapping[Product, str] = {"spot": "kucoin", "linear": "kucoinfutures"}
    products: Mapping[Product, ProductFacts] = {
        "spot": _facts("spot", "https://api.kucoin.com", 0.001, marks=False),
        "linear": _facts("futures", "https://api-futures.kucoin.com", 0.0006, marks=True),
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        """Two sockets for each group of symbols: UTA, and classic, which needs a token before every connect."""
        direct = [channel for channel in self.products[product].push_ms if channel is not Channel.TRADES]
        token = RestRequest(path="/api/v1/bullet-public", method="POST", weight=10)
        kinds = [
            SocketKind(path="/", label="uta", channels=direct),
            SocketKind(path="", label="classic", channels=(Channel.TRADES,), handshake=token),
        ]
        return plan_sockets(product, instruments, kinds, room=SYMBOLS_A_SOCKET)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> Session:
        return UtaSession(plan, instruments) if plan.handshake is None else ClassicSession(plan, instruments)

    def dial_url(self, plan: SocketPlan, base: str, answer: Answer | None) -> str:
        if answer is None:
            return base + plan.path
        body = _good_content(answer)
        try:
            bullet = read_bullet(body)
            endpoint = urlsplit(bullet.instance_servers[0].endpoint)
        except UNREADABLE as error:
            raise VenueError(f"kucoin token: {error}") from error
        # the answer must not lead us to an unencrypted connection
        if endpoint.scheme not in ("wss", urlsplit(base).scheme) or not endpoint.netloc:
            raise VenueError(f"kucoin token: endpoint {bullet.instance_servers[0].endpoint[:100]!r}")
        token = quote(bullet.token, safe="")
        connect_id = f"{crc32(bullet.token.encode()):08x}"  # unique, as the token is
        return f"{endpoint.scheme}://{endpoint.netloc}{endpoint.path or '/'}?token={token}&connectId={connect_id}"

    def rule(self, product: Product) -> SequenceRule:
        return UtaRule()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        spot = product == "spot"
        time = Probe(
            name="time", request=RestRequest(path="/api/v1/timestamp", weight=3 if spot else 2), gives_time=True
        )
        if not instruments:
            return (time,)
        path = "/api/v1/market/orderbook/level2_20" if spot else "/api/v1/level2/depth20"
        request = RestRequest(path=_of(path, instruments[0]), weight=2 if spot else 5)
        return (time, Probe(name="book", request=request))

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        share = share_used(answer, "gw-ratelimit-limit", "gw-ratelimit-remaining")
        used = None if share is None else share * _POOL.weight
        try:
            body = read_body(answer.body)
            fault = _fault(body, answer)
            at_ms = read_time(body.data) if fault is None and probe.gives_time else 0
        except UNREADABLE:
            reading = unreadable(answer)
            if answer.status == 403 and b"1015" in answer.body[:200]:
                return ProbeReading(fault=Fault.OUR_LIMIT, code="1015", text=reading.text, retry_after_s=_BAN_S)
            return reading
        reset_ms = header_float(answer, "gw-ratelimit-reset")
        return ProbeReading(
            fault=fault,
            code="" if fault is None else body.code,
            text="" if fault is None else body.msg[:200],
            server_ns=at_ms * NS_PER_MS or None,
            weight_used=used,
            retry_after_s=reset_ms / 1e3 if fault is Fault.OUR_LIMIT and reset_ms and reset_ms > 0 else None,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        """To compare with. The whole book of spot needs a key."""
        if product == "spot":
            return RestRequest(path=_of("/api/v1/market/orderbook/level2_100", instrument), weight=4)
        return RestRequest(path=_of("/api/v1/level2/depth100", instrument), weight=10)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        data = _good_content(answer)
        try:
            book = read_rest_book(data)
        except UNREADABLE as error:
            raise VenueError(f"kucoin book: {error}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=book.bids,
            asks=book.asks,
            seq=book.sequence,
            engine_ns=book.ts or book.time * NS_PER_MS or None,
            levels_limit=_REST_LEVELS,
        )

    def status_request(self, product: Product) -> RestRequest | None:
        return RestRequest(path="/api/v1/status", weight=3 if product == "spot" else 4)

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        data = _good_content(answer)
        try:
            row = read_status(data)
        except UNREADABLE as error:
            raise VenueError(f"kucoin status: {error}") from error
        if row.status == "open":
            return ()
        text = ": ".join(part for part in (_HALTS.get(row.status, row.status), row.msg) if part)
        return (StatusNotice(state="ongoing", text=text[:200], products=(product,)),)

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        return [RestRequest(path=f"/api/v3/currencies/{quote(coin, safe='')}", weight=3) for coin in coins]

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        data = _good_content(answer)
        try:
            got = read_currency(data)
        except UNREADABLE as error:
            raise VenueError(f"kucoin currency: {error}") from error
        return [
            Rail(
                coin=row.currency,
                chain=chain.chain_name,
                deposit=chain.is_deposit_enabled,
                withdraw=chain.is_withdraw_enabled,
            )
            for row in (got if isinstance(got, list) else [got])
            for chain in row.chains or [NO_CHAIN]
        ]


def _of(path: str, instrument: Instrument) -> str:
    return f"{path}?symbol={quote(instrument.venue_id, safe='')}"


def _fault(body: Body, answer: Answer) -> Fault | None:
    """429000 means too many requests, and also that the gateway itself is overloaded. It counts as the venue's fault
    only when something is left of our own limit."""
    if body.code == _GOOD:
        return http_fault(answer)
    if body.code == "429000":
        left = header_float(answer, "gw-ratelimit-remaining")
        return Fault.OVERLOAD if left is not None and left > 0 else Fault.OUR_LIMIT
    fault = _FAULTS.get(body.code) or http_fault(answer) or Fault.UNKNOWN
    return Fault.MAINTENANCE if fault is Fault.OVERLOAD and _MAINTENANCE.search(body.msg) else fault


def _good_content(answer: Answer) -> Raw:
    """The data of a good answer. Raises VenueError."""
    try:
        body = read_body(answer.body)
    except UNREADABLE as error:
        raise VenueError(f"kucoin: HTTP {answer.status}, unreadable body: {error}") from error
    if body.code != _GOOD:
        raise VenueError(f"kucoin: HTTP {answer.status}, code {body.code[:16]}: {body.msg[:200]}")
    return body.data
