"""MEXC: spot (websocket data in protobuf) and USDT-margined perpetuals (JSON, sizes in contracts).

Sources: the official protobuf schema (2026-06) and API documents (copies of 2026-03), ccxt 4.5.90, a public study of
the futures socket (2026-09), and a third party's published measurements of both sockets (REST depth caps, limits,
sequence ranges, acknowledgements).

Books of both products are deltas that cover a range of versions, applied to a REST snapshot. Its version is of the same
counter and often lies inside a range. Perpetuals have no channel of best prices (only a ticker once a second, without
sizes), and neither product publishes liquidations. MEXC has no official status: maintenance shows as error codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from feeds.model import BookDelta, BookSnapshot, Channel, Fault, Instrument, Product
from feeds.venues.answers import header_float, http_fault, unreadable
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
from feeds.venues.mexc.linear_session import METHODS_A_SYMBOL, LinearSession
from feeds.venues.mexc.spot_session import SpotSession
from feeds.venues.mexc.wire import RestBody, read_body, read_linear_book, read_ms, read_spot_book
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import Contiguous, SequenceRule, Step
from feeds.venues.sockets import SocketKind, plan_sockets

_FAULTS: Mapping[str, Fault] = {
    "429": Fault.OUR_LIMIT,
    "500": Fault.OVERLOAD,  # internal error; also sent with the text "Under maintenance"
    "501": Fault.OVERLOAD,  # system busy
    "503": Fault.OVERLOAD,
    "510": Fault.OUR_LIMIT,  # perpetuals, with HTTP 200
    "1001": Fault.BAD_REQUEST,  # no such contract
    "1002": Fault.BAD_REQUEST,
    "-1121": Fault.BAD_REQUEST,  # no such symbol
    "-1128": Fault.BAD_REQUEST,
    "700003": Fault.BAD_REQUEST,  # time stamp outside of its window
}
_LEVELS = 1_000
_MOST_LEVELS: Mapping[Product, int] = {"spot": 2_000, "linear": 1_500}
"""The most levels per side of a REST book, whatever is requested (measured; the documents of spot say 5000)."""
_SYMBOLS_A_SOCKET: Mapping[Product, int] = {
    "spot": 9,  # of three topics: 27 of 30, which count for the life of a connection, resubscriptions included
    "linear": 50,  # 150 worked in a test
}
_REWOUND = 1_000_000
"""A message older by this many versions is not late: the counter has restarted. It is minutes of the busiest book."""


class VersionRule(Contiguous):
    """``from <= last to + 1``. Overlapping ranges are applied, since sizes are absolute."""

    rest_snapshot = True

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        return super().following(snapshot_seq, delta)

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        if last_seq is not None and delta.last_seq is not None and delta.last_seq + _REWOUND < last_seq:
            return Step.GAP
        return super().following(last_seq, delta)


class Mexc(VenueDefaults):
    name = "mexc"
    title = "MEXC"
    ccxt: Mapping[Product, str] = {"spot": "mexc", "linear": "mexc"}
    products: Mapping[Product, ProductFacts] = {
        "spot": ProductFacts(
            rest="https://api.mexc.com",
            ws="wss://wbs-api.mexc.com",
            taker_fee=0.0005,
            rest_limit=RateLimit(500, 10.0),  # per path and IP
            push_ms={Channel.BOOK: 10, Channel.BBO: 10, Channel.TRADES: 10},
            quiet_s={Channel.BOOK: 10, Channel.BBO: 15, Channel.TRADES: 60},
            sequence="fromVersion = last toVersion + 1, snapshot over REST",
            clocks="gateway sendTime; trades engine too",
            checked="2026-11",
            ws_ping_s=None,  # not documented that PING frames are answered
            app_ping_s=10.0,
            server_ping="none; cuts after 60 s without data or ping",
            lifetime_s=86_400.0,
            idle_cut_s=45.0,
            sends=RateLimit(50, 1.0),  # half of the rate that gets a disconnect
            max_streams=30,
        ),
        "linear": ProductFacts(
            rest="https://api.mexc.com",
            ws="wss://contract.mexc.com",
            taker_fee=0.0004,  # differs by symbol and campaign: the highest, until the list of instruments tells
            rest_limit=RateLimit(10, 2.0),  # per IP, measured; the documents say 20
            push_ms={Channel.BOOK: 200, Channel.TRADES: 0, Channel.MARK: 1000},
            quiet_s={Channel.BOOK: 10, Channel.TRADES: 60, Channel.MARK: 15},
            sequence="begin = last end + 1, snapshot over REST",
            clocks="engine cts, gateway ts",
            checked="2026-11",
            ws_ping_s=None,
            app_ping_s=10.0,
            server_ping="none; cuts after 60 s without ping, also while data flows",
            idle_cut_s=45.0,
            sends=RateLimit(20, 1.0),
            max_streams=_SYMBOLS_A_SOCKET["linear"] * METHODS_A_SYMBOL,
            compression="none seen (gzip documented)",
        ),
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        path = "/ws" if product == "spot" else "/edge"
        kind = SocketKind(path=path, channels=tuple(self.products[product].push_ms))
        return plan_sockets(product, instruments, [kind], room=_SYMBOLS_A_SOCKET[product])

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> Session:
        return SpotSession(plan, instruments) if plan.product == "spot" else LinearSession(plan, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return VersionRule()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        path = "/api/v3/time" if product == "spot" else "/api/v1/contract/ping"
        time = Probe(name="time", request=RestRequest(path=path), gives_time=True)
        return (time, Probe(name="book", request=_book(product, instruments[0], 5))) if instruments else (time,)

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        retry_s = header_float(answer, "retry-after")
        try:
            body = read_body(answer.body)
            fault = _fault(body, answer)
            at_ms = 0
            if fault is None and probe.gives_time:
                at_ms = body.serverTime if product == "spot" else read_ms(body.data)
                if not at_ms:
                    return ProbeReading(fault=Fault.UNKNOWN, text="an answer without the time")
        except UNREADABLE:
            return unreadable(answer)
        return ProbeReading(
            fault=fault,
            code="" if fault is None else str(body.code)[:16],
            text="" if fault is None else (body.msg or body.message)[:200],
            server_ns=at_ms * NS_PER_MS or None,
            retry_after_s=retry_s if fault is Fault.OUR_LIMIT and retry_s and retry_s > 0 else None,
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _book(product, instrument, _LEVELS)

    def deep_snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return _book(product, instrument, _MOST_LEVELS[product])

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        bids: Sequence[tuple[float, float]]
        asks: Sequence[tuple[float, float]]
        try:
            body = read_body(answer.body)
            fault = _fault(body, answer)
            if fault is None and product == "spot":
                spot = read_spot_book(answer.body)
                bids, asks, seq, at_ms = spot.bids, spot.asks, spot.last_update_id, spot.timestamp
            elif fault is None:
                book = read_linear_book(body.data)
                bids, asks = ([(level.price, level.size) for level in side] for side in (book.bids, book.asks))
                seq, at_ms = book.version, book.timestamp
        except UNREADABLE as error:
            raise VenueError(f"mexc book: HTTP {answer.status}: {error}") from error
        if fault is not None:
            raise VenueError(f"mexc: HTTP {answer.status}, code {body.code}: {(body.msg or body.message)[:200]}")
        deep = max(len(bids), len(asks)) > _LEVELS
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=bids,
            asks=asks,
            seq=seq,
            gateway_ns=at_ms * NS_PER_MS or None,
            levels_limit=_MOST_LEVELS[product] if deep else _LEVELS,
        )


def _book(product: Product, instrument: Instrument, levels: int) -> RestRequest:
    name = quote(instrument.venue_id, safe="")  # some names are not ASCII
    spot = product == "spot"
    return RestRequest(
        path=f"/api/v3/depth?symbol={name}&limit={levels}" if spot else f"/api/v1/contract/depth/{name}?limit={levels}"
    )


def _fault(body: RestBody, answer: Answer) -> Fault | None:
    code = str(body.code)
    if body.success and code in ("0", "200"):
        return http_fault(answer)
    fault = _FAULTS.get(code) or http_fault(answer) or Fault.UNKNOWN
    return Fault.MAINTENANCE if fault is Fault.OVERLOAD and "mainten" in (body.msg or body.message).lower() else fault
