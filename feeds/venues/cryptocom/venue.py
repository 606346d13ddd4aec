"""Crypto.com Exchange, public data over v1: spot, and perpetuals quoted in dollars and settled in its USD bundle.

Sources: https://exchange-docs.crypto.com/exchange/v1/rest-ws/ (websocket channels, subscription limits, heartbeats,
rate limits, response codes), state of autumn 2026; ccxt 4.5.90, tardis-node, CryptoCom.Net, cryptocom-exchange 2.8.0.

Books: the best 50 levels and their changes; each change names the one before it. After 5 s without a change an empty
one is sent. ``tt`` is when the book changed, ``t`` when that was published. The field ``cs`` is for the venue's own
use, so only the chain of ``pu`` and ``u`` is checked. Liquidations are not published, networks only to clients with a
key.

No answer to a request tells the venue's time: ``t`` of ``get-book`` is the time of the data, that of tickers the time
of a trade, acknowledgements have none, and the milliseconds that number heartbeats are not answers. So the ``Date``
header is read, in whole seconds, which is too coarse to measure the age of a message. A new connection may send few
requests at first; one that is refused for that is repeated a second later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

from msgspec import Raw

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
from feeds.venues.cryptocom import wire
from feeds.venues.cryptocom.session import BOOK_LEVELS, CryptocomSession
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import PrevEquals, SequenceRule
from feeds.venues.sockets import SocketKind, plan_sockets

_MOST_CHANNELS = 400  # per connection ("Market Data Websocket Subscription Limits"); more gets code 40107
_SYMBOLS_A_SOCKET = 60  # a perpetual has six channels
_DAY_MS = 86_400_000
_NORMAL = ("BAU", "", None)
"""Business as usual."""
_IMPACT: Mapping[Product, str] = {"spot": "spot_trading_impacted", "linear": "derivative_trading_impacted"}


class CryptocomRule(PrevEquals):
    """``pu`` is the ``u`` of the update before. Only the best 50 levels are updated."""

    depth_limit: int | None = BOOK_LEVELS


def _facts(
    taker_fee: float, quotes: tuple[str, ...], push_ms: Mapping[Channel, float], quiet_s: Mapping[Channel, float]
) -> ProductFacts:
    return ProductFacts(
        rest="https://api.crypto.com",
        ws="wss://stream.crypto.com",
        taker_fee=taker_fee,
        rest_limit=RateLimit(100, 1.0),  # per IP and method
        quotes=quotes,
        push_ms={Channel.BOOK: 10, Channel.BBO: 0, Channel.TRADES: 0, **push_ms},
        quiet_s={Channel.BOOK: 20, Channel.BBO: 60, Channel.TRADES: 300, **quiet_s},
        sequence="pu = last u",
        checksum="none (cs is not for clients)",
        clocks="tt: engine, t: gateway",
        tells_time=False,  # only the Date header of answers
        checked="2026-11",
        ws_ping_s=None,  # not documented that PING frames are answered
        app_ping_s=10.0,
        server_ping="heartbeat every 30 s; cuts who does not answer within 5 s",
        idle_cut_s=65.0,  # two heartbeats
        sends=RateLimit(5, 1.0),  # 100 a second after the first second of a connection
        max_streams=_MOST_CHANNELS,
        sizes_in_contracts=False,  # base coin
    )


class Cryptocom(VenueDefaults):
    name = "cryptocom"
    title = "Crypto.com"
    ccxt: Mapping[Product, str] = {"spot": "cryptocom", "linear": "cryptocom"}
    products: Mapping[Product, ProductFacts] = {
        "spot": _facts(0.005, ("USD", "USDT"), {}, {}),  # tier 0, without locked CRO
        # no source at hand tells the fee of perpetuals; 0.05 %, usual for perpetuals, is assumed
        "linear": _facts(0.0005, ("USD",), {Channel.MARK: 50}, {Channel.MARK: 30}),
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        kind = SocketKind(path="/exchange/v1/market", label="market", channels=tuple(self.products[product].push_ms))
        return plan_sockets(product, instruments, [kind], room=_SYMBOLS_A_SOCKET)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> CryptocomSession:
        return CryptocomSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return CryptocomRule()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        """Both tell the time only to the second. Without an instrument the ticker of BTC is requested."""
        name = instruments[0].venue_id if instruments else "BTC_USDT" if product == "spot" else "BTCUSD-PERP"
        ticker = RestRequest(path=f"/exchange/v1/public/get-tickers?instrument_name={name}")
        time = Probe(name="time", request=ticker, gives_time=True)
        return (time, Probe(name="book", request=_book_request(name, 10))) if instruments else (time,)

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        try:
            body = wire.read_body(answer.body)
        except UNREADABLE:
            return unreadable(answer)
        if body.code:
            fault = wire.FAULTS.get(body.code) or http_fault(answer) or Fault.UNKNOWN
            return ProbeReading(fault=fault, code=str(body.code)[:16], text=body.message[:200])
        if not body.result:
            return unreadable(answer)
        date_ns = _date_ns(answer)
        return ProbeReading(fault=http_fault(answer), server_ns=date_ns, server_resolution_ns=1_000_000_000)

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _book_request(instrument.venue_id, BOOK_LEVELS)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        try:
            [row] = wire.read_rest_books(_good_content(answer)).data
        except UNREADABLE as error:
            raise VenueError(f"cryptocom book: {error}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=[(level.price, level.size) for level in row.bids],
            asks=[(level.price, level.size) for level in row.asks],
            seq=row.u,
            engine_ns=row.tt * NS_PER_MS or None,
            gateway_ns=row.t * NS_PER_MS or None,
            levels_limit=BOOK_LEVELS,
        )

    def status_request(self, product: Product) -> RestRequest | None:
        return RestRequest(path="/v1/public/get-announcements")

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        """Announced maintenance with its time. Where trading stays as usual, market data are not affected."""
        try:
            rows = wire.read_announcements(_good_content(answer)).data
        except UNREADABLE as error:
            raise VenueError(f"cryptocom announcements: {error}") from error
        notices: list[StatusNotice] = []
        now_ns = _date_ns(answer)
        for row in rows:
            if row.category != "system" or not row.start_time:
                continue
            products: tuple[Product, ...] = ("spot", "linear")
            if row.impacted_params is not None:
                products = tuple(p for p in products if row.impacted_params.get(_IMPACT[p]) not in _NORMAL)
            begin_ns = row.start_time * NS_PER_MS
            notices.append(
                StatusNotice(
                    state="ongoing" if now_ns is not None and begin_ns <= now_ns else "scheduled",
                    text=row.title[:200],
                    products=() if len(products) == 2 else products,
                    begin_ns=begin_ns,
                    end_ns=(row.end_time or row.start_time + _DAY_MS) * NS_PER_MS,
                    market_data=bool(products),
                )
            )
        return [n for n in notices if now_ns is None or n.end_ns is None or n.end_ns > now_ns]


def _book_request(name: str, levels: int) -> RestRequest:
    return RestRequest(path=f"/exchange/v1/public/get-book?instrument_name={name}&depth={levels}")


def _date_ns(answer: Answer) -> int | None:
    """Time of the answer from its Date header, in whole seconds. None: no such header."""
    try:
        seconds = int(parsedate_to_datetime(answer.headers["date"]).timestamp())
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return None
    return seconds * 1_000_000_000 if 0 < seconds < 1 << 33 else None


def _good_content(answer: Answer) -> Raw:
    """The result of a good answer. Raises VenueError."""
    try:
        body = wire.read_body(answer.body)
    except UNREADABLE as error:
        raise VenueError(f"cryptocom: HTTP {answer.status}, unreadable body: {error}") from error
    if body.code:
        raise VenueError(f"cryptocom: HTTP {answer.status}, code {body.code}: {body.message[:200]}")
    if not body.result:
        raise VenueError(f"cryptocom: HTTP {answer.status}, no result")
    return body.result
