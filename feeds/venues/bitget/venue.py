"""Bitget v3 ("UTA"), public data: spot and USDT-margined futures.

Sources: https://www.bitget.com/api-doc/uta/ (websocket: order book, trades, tickers, liquidations; REST: order book)
and https://www.bitget.com/api-doc/common/ (websocket and REST limits, error codes), read through copies of 2026;
ccxt 4.5.90; tardis-node, on v3 since 2026-04-28; a third party's probes of the sockets of 2026-09.

v3 is used and not v2 ("classic", in maintenance mode): it has the same books and numbers, twice as deep and twice as
often, and liquidations. Every message carries the matching engine's time and the gateway's. Book checksums are no
longer sent in 2026 and are not checked. There is no official status to ask for. Releases are made on Tuesdays to
Thursdays, 14:00 to 18:00 UTC+8; then REST may answer 45001, 40725, 40808 and 40015, and sockets may drop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from msgspec import Raw

from feeds.model import BookDelta, BookSnapshot, Channel, Fault, Instrument, Product, Rail
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
from feeds.venues.bitget.session import INST_TYPES, BitgetSession
from feeds.venues.bitget.wire import NO_CHAIN, fault_of, read_body, read_coins, read_rest_book, read_time
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import PrevEquals, SequenceRule, Step
from feeds.venues.sockets import SocketKind, plan_sockets

_CHANNELS_A_SOCKET = 49  # 1000 are allowed; the documents advise fewer than 50 for a stable connection
_REST_LEVELS = 200
_PATH_LIMIT = RateLimit(20, 1.0)  # per path and IP; for all paths together 6000 a minute


class BitgetRule(PrevEquals):
    """``pseq`` must equal the last ``seq``; 0 means that the service has restarted. Where it is not sent (v2 of 2024),
    ``seq`` must have increased."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        if delta.prev_seq is None and delta.last_seq is not None and last_seq is not None:
            return Step.APPLY if delta.last_seq > last_seq else Step.GAP
        return super().following(last_seq, delta)


_PUSH_MS: Mapping[Channel, float] = {Channel.BOOK: 50, Channel.BBO: 1, Channel.TRADES: 0}
_QUIET_S: Mapping[Channel, float] = {Channel.BOOK: 15, Channel.BBO: 20, Channel.TRADES: 60}  # gaps of 7.7 s were seen


def _facts(
    taker_fee: float, push_ms: Mapping[Channel, float] = _PUSH_MS, quiet_s: Mapping[Channel, float] = _QUIET_S
) -> ProductFacts:
    return ProductFacts(
        rest="https://api.bitget.com",
        ws="wss://ws.bitget.com",
        taker_fee=taker_fee,
        rest_limit=_PATH_LIMIT,
        push_ms=push_ms,
        quiet_s=quiet_s,
        sequence="pseq = last seq; pseq 0: service restarted",
        checksum="none (gone from the wire in 2026)",
        clocks="engine data.ts, gateway ts",
        checked="2026-09",
        ws_ping_s=None,  # PING frames count as messages, and no document says that they are answered
        app_ping_s=10.0,  # the venue wants one at least every 30 s
        server_ping="none; cuts after 2 min without our ping, whatever else flows",
        lifetime_s=24 * 3600.0,  # only in older copies of the documents
        idle_cut_s=30.0,  # unchanged books send nothing, but pongs come
        connects=RateLimit(300, 300.0),  # and at most 100 open at a time
        sends=RateLimit(8, 1.0),  # 10 are allowed, more closes the connection; also at most 240 subscriptions an hour
        max_streams=_CHANNELS_A_SOCKET,
    )


_TIME = Probe(name="time", request=RestRequest(path="/api/v2/public/time"), gives_time=True)


class Bitget(VenueDefaults):
    name = "bitget"
    title = "Bitget"
    ccxt: Mapping[Product, str] = {"spot": "bitget", "linear": "bitget"}
    products: Mapping[Product, ProductFacts] = {
        "spot": _facts(0.001),  # from the list of instruments; ccxt's default is 0.2 %
        "linear": _facts(
            0.0006,
            {**_PUSH_MS, Channel.LIQUIDATIONS: 1000, Channel.MARK: 0},
            {**_QUIET_S, Channel.MARK: 30},
        ),
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        """Fewer than 50 channels a socket, the one of all liquidations included."""
        whole = (Channel.LIQUIDATIONS,) if product == "linear" else ()
        channels = [channel for channel in self.products[product].push_ms if channel not in whole]
        kind = SocketKind(path="/v3/ws/public", channels=channels, product_channels=whole)
        return plan_sockets(product, instruments, [kind], room=(_CHANNELS_A_SOCKET - 1) // len(channels))

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> BitgetSession:
        return BitgetSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return BitgetRule()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        if not instruments:
            return (_TIME,)
        return (_TIME, Probe(name="book", request=_book_request(product, instruments[0], 5), gives_time=True))

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        left = header_float(answer, "x-mbx-used-remain-limit")  # requests left for this path in the current second
        used = _PATH_LIMIT.weight - left if left is not None and 0 <= left <= _PATH_LIMIT.weight else None
        try:
            body = read_body(answer.body)
            good = body.code == "00000"
            server_ms = read_time(body.data).server_time if good and probe.name == "time" else body.request_time
        except UNREADABLE:
            return unreadable(answer)
        fault = http_fault(answer) if good else fault_of(body.code) or http_fault(answer) or Fault.UNKNOWN
        return ProbeReading(
            fault=fault,
            code="" if good else body.code[:16],
            text="" if good else (body.msg or "")[:200],
            server_ns=server_ms * NS_PER_MS or None,
            weight_used=used,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _book_request(product, instrument, _REST_LEVELS)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        """REST gives no sequence number."""
        try:
            row = read_rest_book(_good_content(answer))
        except UNREADABLE as error:
            raise VenueError(f"bitget book: {error}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=row.bids,
            asks=row.asks,
            engine_ns=row.ts * NS_PER_MS or None,
            levels_limit=_REST_LEVELS,
        )

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        return [RestRequest(path=f"/api/v2/spot/public/coins?coin={quote(coin)}") for coin in coins]

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        try:
            coins = read_coins(_good_content(answer))
        except UNREADABLE as error:
            raise VenueError(f"bitget coins: {error}") from error
        return [
            Rail(
                coin=coin.coin.upper(),
                chain=chain.chain,
                deposit=chain.rechargeable == "true",
                withdraw=chain.withdrawable == "true",
                slow=chain.congestion == "congested",
            )
            for coin in coins
            for chain in coin.chains or [NO_CHAIN]
        ]


def _book_request(product: Product, instrument: Instrument, levels: int) -> RestRequest:
    query = f"category={INST_TYPES[product].upper()}&symbol={quote(instrument.venue_id)}&limit={levels}"
    return RestRequest(path=f"/api/v3/market/orderbook?{query}")


def _good_content(answer: Answer) -> Raw:
    """The data of a good answer. Raises VenueError."""
    try:
        body = read_body(answer.body)
    except UNREADABLE as error:
        raise VenueError(f"bitget: HTTP {answer.status}, unreadable body: {error}") from error
    if body.code != "00000":
        raise VenueError(f"bitget: HTTP {answer.status}, code {body.code[:16]}: {(body.msg or '')[:200]}")
    return body.data
