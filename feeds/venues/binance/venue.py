"""Binance: spot, USD-margined and coin-margined perpetuals.  https://developers.binance.com/docs

Since 2026-04-23 USD-margined streams are on two paths: books and quotes on ``/public``, trades, liquidations and mark
price on ``/market``. A stream on the wrong path is accepted but never sends anything. The host of coin-margined
contracts has one path (ccxt 4.5.90). A coin-margined contract is 100 USD for Bitcoin and 10 USD for every other coin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct, structs

from feeds.model import BookSnapshot, Channel, Fault, Instrument, Product, StatusNotice
from feeds.venues.answers import header_float, http_fault
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
from feeds.venues.binance.rule import LinearRule, SpotRule
from feeds.venues.binance.session import BinanceSession
from feeds.venues.binance.wire import (
    code_fault,
    read_book,
    read_error,
    read_system_status,
    read_time,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.sequence import SequenceRule
from feeds.venues.sockets import SocketKind, plan_sockets

SNAPSHOT_LEVELS = 1000
"""Levels per side of a REST snapshot; futures give no more."""
DEEP_LEVELS = 5_000
"""Levels per side of a deep REST snapshot, on spot only."""
DEEP_WEIGHT = 250.0
"""Request weight of a deep snapshot."""

_USED_WEIGHT = "x-mbx-used-weight-1m"
_TEXT = 200


class _Rest(Struct, frozen=True):
    """REST paths of a product, and the weight of its requests."""

    prefix: str
    probe_weight: float
    """Of a book with 5 levels."""
    snapshot_weight: float
    """Of a book with ``SNAPSHOT_LEVELS``."""


_FUTURES_STREAMS: Mapping[Channel, str] = {
    Channel.BOOK: "depth@100ms",
    Channel.BBO: "bookTicker",
    Channel.TRADES: "aggTrade",
    Channel.LIQUIDATIONS: "forceOrder",
    Channel.MARK: "markPrice@1s",
}
_STREAMS: Mapping[Product, Mapping[Channel, str]] = {
    "spot": {Channel.BOOK: "depth@100ms", Channel.BBO: "bookTicker", Channel.TRADES: "trade"},
    "linear": _FUTURES_STREAMS,
    "inverse": _FUTURES_STREAMS,
}
"""What follows ``symbol@`` in a stream's name."""
_SOCKETS: Mapping[Product, Sequence[SocketKind]] = {
    "spot": (SocketKind(path="/stream", channels=tuple(_STREAMS["spot"])),),
    "linear": (
        SocketKind(path="/public/stream", channels=(Channel.BOOK, Channel.BBO)),
        SocketKind(
            path="/market/stream", label="market", channels=(Channel.TRADES, Channel.LIQUIDATIONS, Channel.MARK)
        ),
    ),
    "inverse": (SocketKind(path="/stream", channels=tuple(_STREAMS["inverse"])),),
}
_REST: Mapping[Product, _Rest] = {
    "spot": _Rest("/api/v3", probe_weight=5, snapshot_weight=50),
    "linear": _Rest("/fapi/v1", probe_weight=2, snapshot_weight=20),
    "inverse": _Rest("/dapi/v1", probe_weight=2, snapshot_weight=20),
}


_RULES: Mapping[Product, SequenceRule] = {"spot": SpotRule(), "linear": LinearRule(), "inverse": LinearRule()}

_LINEAR_FACTS = ProductFacts(
    rest="https://fapi.binance.com",
    ws="wss://fstream.binance.com",
    taker_fee=0.0005,
    rest_limit=RateLimit(2400, 60.0),
    push_ms={
        Channel.BOOK: 100.0,
        Channel.BBO: 0.0,
        Channel.TRADES: 100.0,
        Channel.LIQUIDATIONS: 1000.0,
        Channel.MARK: 1000.0,
    },
    # no limit for liquidations: hours without one are normal
    quiet_s={Channel.BOOK: 10.0, Channel.BBO: 15.0, Channel.TRADES: 60.0, Channel.MARK: 10.0},
    sequence="pu = last u, snapshot over REST",
    clocks="engine T, gateway E",
    checked="2026-10",
    server_ping="PING frame every 3 min, PONG within 10 min",
    lifetime_s=86_400.0,
    idle_cut_s=120.0,
    connects=RateLimit(300, 300.0),  # not published for futures, so that of spot
    sends=RateLimit(10, 1.0),
    max_streams=200,  # 1024 in the documents; other clients found that 200 works reliably
)


class Binance(VenueDefaults):
    name = "binance"
    title = "Binance"
    ccxt: Mapping[Product, str] = {"spot": "binance", "linear": "binanceusdm", "inverse": "binancecoinm"}
    products: Mapping[Product, ProductFacts] = {
        "spot": ProductFacts(
            rest="https://api.binance.com",
            ws="wss://stream.binance.com:9443",
            taker_fee=0.001,
            rest_limit=RateLimit(6000, 60.0),
            push_ms={Channel.BOOK: 100.0, Channel.BBO: 0.0, Channel.TRADES: 0.0},
            quiet_s={Channel.BOOK: 10.0, Channel.BBO: 15.0, Channel.TRADES: 60.0},
            sequence="U = last u + 1, snapshot over REST",
            clocks="gateway E; trades engine T too; best quotes none",
            checked="2026-10",
            server_ping="PING frame every 20 s, PONG within 60 s",
            lifetime_s=86_400.0,
            idle_cut_s=120.0,
            connects=RateLimit(300, 300.0),
            sends=RateLimit(5, 1.0),
            max_streams=1024,
        ),
        "linear": _LINEAR_FACTS,
        # since 2026 both share one weight limit per IP, and the header tells what both have used
        "inverse": structs.replace(_LINEAR_FACTS, rest="https://dapi.binance.com", ws="wss://dstream.binance.com"),
    }

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        return [
            plan
            for kind in _SOCKETS[product]
            for plan in plan_sockets(
                product, instruments, [kind], room=self.products[product].max_streams // len(kind.channels)
            )
        ]

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> Session:
        kinds = _STREAMS[plan.product]
        ids = {i.symbol: i.venue_id.lower() for i in instruments}
        streams = {
            f"{ids[s.symbol]}@{kinds[s.channel]}": s
            for s in plan.subscriptions
            if s.symbol in ids and s.channel in kinds
        }
        return BinanceSession(streams, instruments)

    def rule(self, product: Product) -> SequenceRule:
        return _RULES[product]

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        rest = _REST[product]
        probes = [Probe(name="time", request=RestRequest(path=f"{rest.prefix}/time"), gives_time=True)]
        asked = next((i for i in instruments if i.active), None)
        if asked is not None:
            path = _depth_path(rest, asked, 5)
            probes.append(Probe(name="book", request=RestRequest(path=path, weight=rest.probe_weight)))
        return probes

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        weight_used = header_float(answer, _USED_WEIGHT)
        fault, code, text = _fault(answer)
        server_ns = None
        if fault is None:
            try:
                if probe.gives_time:
                    server_ns = read_time(answer.body).server_time * NS_PER_MS or None
                else:
                    read_book(answer.body)
            except UNREADABLE as error:
                fault, text = Fault.UNKNOWN, f"unreadable answer: {error}"[:_TEXT]
        return ProbeReading(
            fault=fault,
            code=code,
            text=text,
            server_ns=server_ns,
            weight_used=weight_used,
            retry_after_s=header_float(answer, "retry-after"),
        )

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        rest = _REST[product]
        return RestRequest(path=_depth_path(rest, instrument, SNAPSHOT_LEVELS), weight=rest.snapshot_weight)

    def deep_snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        """Spot only: futures give no more than ``SNAPSHOT_LEVELS``."""
        if product != "spot":
            return None
        return RestRequest(path=_depth_path(_REST[product], instrument, DEEP_LEVELS), weight=DEEP_WEIGHT)

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        _refuse(answer)
        try:
            book = read_book(answer.body)
        except UNREADABLE as error:
            raise VenueError(f"unreadable book of {instrument.venue_id}: {error}"[:_TEXT]) from error
        return BookSnapshot(
            symbol=instrument.symbol,
            bids=book.bids,
            asks=book.asks,
            seq=book.last_update_id,
            engine_ns=book.engine_ms * NS_PER_MS or None,
            gateway_ns=book.event_ms * NS_PER_MS or None,
            levels_limit=DEEP_LEVELS if max(len(book.bids), len(book.asks)) > SNAPSHOT_LEVELS else SNAPSHOT_LEVELS,
        )

    def status_request(self, product: Product) -> RestRequest | None:
        """Only the spot host has it. It is about the whole venue: a notice names no product."""
        return RestRequest(path="/sapi/v1/system/status") if product == "spot" else None

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        _refuse(answer)
        try:
            status = read_system_status(answer.body)
        except UNREADABLE as error:
            raise VenueError(f"unreadable system status: {error}"[:_TEXT]) from error
        if status.status == 0:
            return ()
        return (StatusNotice(state="ongoing", text=status.msg.replace("_", " ")[:_TEXT] or "system maintenance"),)

    def read_close(self, code: int) -> Fault | None:
        """1008: we sent too many messages, or our pong came too late."""
        return Fault.OUR_LIMIT if code == 1008 else None


def _depth_path(rest: _Rest, instrument: Instrument, levels: int) -> str:
    return f"{rest.prefix}/depth?symbol={quote(instrument.venue_id, safe='')}&limit={levels}"


def _fault(answer: Answer) -> tuple[Fault | None, str, str]:
    """(fault, code, text) of an answer: by Binance's own code, else by the HTTP status."""
    try:
        complaint = read_error(answer.body)
    except UNREADABLE:
        code, text, documented = "", "", None
    else:
        code, text, documented = str(complaint.code), complaint.msg[:_TEXT], code_fault(complaint.code)
    status = answer.status
    if status == 200:
        return (documented or Fault.UNKNOWN if code else None), code, text
    if not text:
        text = answer.body[:_TEXT].decode("utf-8", "replace").strip()
    if status == 451 or (status == 403 and ("country" in text or "restricted location" in text)):
        return Fault.GEO_BLOCK, code, text
    if documented is not None and code != "0":  # code 0 is sent with restricted locations
        return documented, code, text
    if status == 408:
        return Fault.OVERLOAD, code, text  # the backend timed out: Binance's way of saying 504
    return http_fault(answer) or Fault.UNKNOWN, code, text


def _refuse(answer: Answer) -> None:
    fault, code, text = _fault(answer)
    if fault is not None:
        raise VenueError(f"HTTP {answer.status}{f', code {code}' if code else ''}: {text}")
