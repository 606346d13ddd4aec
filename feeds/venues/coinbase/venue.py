"""Coinbase, public data: the spot books of the Advanced Trade feed, quoted in dollars.

Sources: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/ (overview, channels, rate limits),
.../advanced-trade-apis/rest-api (time, product book, products), .../api-reference/exchange-api/rest-api/currencies/,
state of autumn 2026; ccxt 4.5.90, coinbase-advanced-py 1.7.0; a third party's capture of 9 August 2026.

The matching engine has two public feeds. This one needs no key, numbers its messages and carries both the engine's and
the gateway's time. The other (Exchange) has no numbers and one time, and its better channels need a login.
Numbers count all messages of a connection, so a lost message may have been any book's. Books come complete: a first
message has up to 5 MB. There is no channel of best prices (``ticker`` is sent only when something trades), no
liquidations, and no official status over REST. ``BTC-USDC`` is another name of ``BTC-USD``; so for every dollar pair.

No document says whose side a trade's ``side`` is. In the capture, trades marked SELL are at the offer, so it is the
maker's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from feeds.model import BookSnapshot, Channel, Fault, Instrument, Product, Rail
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
from feeds.venues.coinbase.session import CoinbaseSession, book_id
from feeds.venues.coinbase.wire import (
    RestBody,
    read_body,
    read_currencies,
    read_rest_books,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE, stamp_ns
from feeds.venues.sequence import PrevEquals, SequenceRule
from feeds.venues.sockets import SocketKind, plan_sockets

_SYMBOLS_A_SOCKET = 5  # slow readers of complete books are cut, and one lost number restarts all books of a socket
_REST = "/api/v3/brokerage"
_REST_LEVELS = 100
_UNCACHED = {"cache-control": "no-cache"}  # without it answers are up to a second old
_MAINTENANCE = re.compile(r"maintenance", re.IGNORECASE)
_BUSY_S = 10.0  # no header tells how long to wait


class Coinbase(VenueDefaults):
    name = "coinbase"
    title = "Coinbase"
    ccxt: Mapping[Product, str] = {"spot": "coinbase"}
    products: Mapping[Product, ProductFacts] = {
        "spot": ProductFacts(
            rest="https://api.coinbase.com",
            ws="wss://advanced-trade-ws.coinbase.com",
            taker_fee=0.012,  # "Advanced 1", up to 1 000 dollars a month; older tables say 0.6 %
            rest_limit=RateLimit(600, 60.0),  # 10 a second per IP
            push_ms={Channel.BOOK: 0, Channel.TRADES: 0},
            quiet_s={Channel.BOOK: 10, Channel.TRADES: 120},
            sequence="sequence_num = last + 1, over all messages of the connection",
            clocks="engine event_time, gateway timestamp",
            checked="2026-10",
            server_ping="heartbeats each second, once subscribed; without them quiet channels are cut after 60 to 90 s",
            idle_cut_s=15.0,
            connects=RateLimit(8, 1.0),
            sends=RateLimit(8, 1.0),
            max_streams=_SYMBOLS_A_SOCKET * 2,
        )
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        kind = SocketKind(path="/", channels=tuple(self.products[product].push_ms))
        return plan_sockets(product, instruments, [kind], room=_SYMBOLS_A_SOCKET)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> CoinbaseSession:
        return CoinbaseSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return PrevEquals()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        clock = Probe(name="time", request=RestRequest(path=f"{_REST}/time", headers=_UNCACHED), gives_time=True)
        return (clock, Probe(name="book", request=_book_request(instruments[0], 5))) if instruments else (clock,)

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        try:
            body = read_body(answer.body)
            code = body.error or next((error.id for error in body.errors), "")
            fault = Fault.OUR_LIMIT if "rate_limit" in code else http_fault(answer)
        except UNREADABLE:
            body, code, fault = RestBody(), "", unreadable(answer).fault
        if fault is None and (code or (probe.gives_time and not body.ms)):
            fault = Fault.UNKNOWN
        text = "" if fault is None else answer.body[:200].decode(errors="replace")
        if fault is Fault.OVERLOAD and _MAINTENANCE.search(text):
            fault = Fault.MAINTENANCE
        return ProbeReading(
            fault=fault,
            code="" if fault is None else code[:32] or str(answer.status),
            text=text,
            server_ns=body.ms * NS_PER_MS or None,
            retry_after_s=_BUSY_S if fault is Fault.OUR_LIMIT else None,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _book_request(instrument, _REST_LEVELS)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        try:
            row = read_rest_books(answer.body).pricebook
        except UNREADABLE as error:
            excerpt = answer.body[:200].decode(errors="replace")
            raise VenueError(f"coinbase book: HTTP {answer.status}, {error}: {excerpt}") from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=[(level.price, level.size) for level in row.bids],
            asks=[(level.price, level.size) for level in row.asks],
            engine_ns=stamp_ns(row.time),
            levels_limit=_REST_LEVELS,
        )

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        """Asks the Exchange API on another host: Advanced Trade lists networks only to clients with a key."""
        return [RestRequest(path="/currencies", host="https://api.exchange.coinbase.com")]

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        """Coins and networks have one status for both directions. A coin without networks is a national currency."""
        try:
            rows = read_currencies(answer.body)
        except UNREADABLE as error:
            raise VenueError(f"coinbase currencies: HTTP {answer.status}, {error}") from error
        return [
            Rail(coin=row.id, chain=network.id, deposit=is_open, withdraw=is_open)
            for row in rows
            for network in row.networks
            for is_open in (_is_open(row.status, network.status),)
        ]


def _is_open(*statuses: str) -> bool | None:
    """True: both are online. False: one is offline. None: other statuses, which are about trading or not documented."""
    if all(status == "online" for status in statuses):
        return True
    return False if "offline" in statuses else None


def _book_request(instrument: Instrument, levels: int) -> RestRequest:
    query = f"product_id={book_id(instrument)}&limit={levels}"
    return RestRequest(path=f"{_REST}/market/product_book?{query}", headers=_UNCACHED)
