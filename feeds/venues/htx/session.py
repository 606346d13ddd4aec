"""One connection to a websocket of HTX: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from msgspec.json import encode

from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Garbled,
    Heartbeat,
    Instrument,
    Liquidation,
    Mark,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, Subscription, by_venue_id
from feeds.venues.htx import wire
from feeds.venues.htx.mbp_rule import MbpSync
from feeds.venues.htx.wire import fault_of
from feeds.venues.reading import GZIP_HEAD, NS_PER_MS, UNREADABLE, gunzip, rate
from feeds.venues.retry import RetrySchedule

BOOK_LEVELS = 150
"""The deepest incremental book. 20 levels would not fill the narrowest depth band of a liquid pair."""
NOTIFICATION = "/linear-swap-notification"
TOPICS: Mapping[tuple[str, Channel], str] = {
    ("/feed", Channel.BOOK): f"market.%s.mbp.{BOOK_LEVELS}",
    ("/ws", Channel.BBO): "market.%s.bbo",
    ("/ws", Channel.TRADES): "market.%s.trade.detail",
    ("/linear-swap-ws", Channel.BOOK): f"market.%s.depth.size_{BOOK_LEVELS}.high_freq",
    ("/linear-swap-ws", Channel.BBO): "market.%s.bbo",
    ("/linear-swap-ws", Channel.TRADES): "market.%s.trade.detail",
    ("/ws_index", Channel.MARK): "market.%s.mark_price.1min",
    (NOTIFICATION, Channel.MARK): "public.%s.funding_rate",
    (NOTIFICATION, Channel.LIQUIDATIONS): "public.%s.liquidation_orders",
}
"""Topic by socket path and channel; ``%s`` is the venue's name of the instrument."""
# Channels that Detour never subscribes to. Captures of other clients have them, so they are ignored, not counted.
_UNUSED = frozenset({"kline", "detail", "ticker", "index", "premium_index", "estimated_rate", "basis", "mark_price"})
_UNUSED_TOPICS = frozenset({"contract_info", "contract_elements", "heartbeat"})
_LEVELS = re.compile(r"(?:mbp\.refresh\.|depth\.size_)(\d{1,3})(?:\.high_freq)?")
_BOOK_HEAD = re.compile(rb'\{"ch":"market\.[^."]{1,64}\.(?:mbp|depth)\.')
"""The start of nearly all messages; they take a fast decoder. A message written differently is decoded in full."""
_REQUEST = "req "  # prefix of the topic in the id of a request for a snapshot


class HtxSession:
    """The id of a request is its topic, so every answer tells what it answers."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._notification = plan.path == NOTIFICATION
        self._ids = {i.symbol: i.venue_id for i in instruments}
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._topics = {channel: topic for (path, channel), topic in TOPICS.items() if path == plan.path}
        self._wanted: dict[str, Subscription] = {}
        for one in plan.subscriptions:
            if one.symbol in self._ids and one.channel in self._topics:
                self._wanted[self._topics[one.channel] % self._ids[one.symbol]] = one
        self._retries = RetrySchedule()
        self._snapshots = RetrySchedule(wait_s=1.0, attempts=60)  # repeat a request for a snapshot after about a second
        self._waiting: dict[str, MbpSync] = {}
        spot = plan.product == "spot"
        self._readers: dict[str, Callable[[wire.Frame, str, str], Sequence[Event]]] = {
            "bbo": self._spot_quote if spot else self._swap_quote,
            "trade.detail": self._trades,
            "mark_price.1min": self._mark,
        }
        self._known: dict[str, tuple[Callable[[wire.BookFrame, str, str], Sequence[Event]], str, str]] = {}
        """Reader, symbol and kind of each book channel seen so far; bounded by our instruments and the kinds we
        read."""
        self._books: dict[str, Callable[[wire.BookFrame, str, str], Sequence[Event]]] = {
            f"mbp.{BOOK_LEVELS}": self._mbp,
            **{f"depth.step{step}": self._book for step in range(20)},
            **{f"depth.size_{levels}.high_freq": self._book for levels in (20, 150)},
            **{f"mbp.refresh.{levels}": self._book for levels in (5, 10, 20)},
            **{f"mbp.{levels}": self._mbp for levels in (5, 20, 400)},
        }

    def subscribe(self) -> Sequence[Payload]:
        return [self._request("sub", topic) for topic in self._wanted]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        if symbol not in self._ids or channel not in self._topics:
            return ()
        topic = self._topics[channel] % self._ids[symbol]
        return [self._request("unsub", topic), self._request("sub", topic)]

    def ping(self, token: int) -> Payload | None:
        """None: swaps do not answer pings (measured in 2026)."""
        return None

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            # recordings are plain text; the venue compresses every message
            text = gunzip(raw) if raw[:2] == GZIP_HEAD else raw
            if _BOOK_HEAD.match(text):
                events = self._book_message(wire.read_book_frame(text))
            else:
                frame = wire.read_frame(text)
                events = self._data(frame) if frame.ch else self._control(frame, received_ns)
        except UNREADABLE as error:
            events = (Garbled(what=str(error)[:200]),)
        if received_ns >= self._retries.due_ns:
            again = self._retries.take_due(received_ns)
            events = [*events, *(Reply(payload=self._request("sub", topic)) for topic in again)]
        if received_ns >= self._snapshots.due_ns:
            again = self._snapshots.take_due(received_ns)
            events = [*events, *(self._ask_book(topic, received_ns) for topic in again)]
        return events

    # requests and their answers

    def _request(self, verb: str, topic: str) -> str:
        if verb == "sub" and ".mbp." in topic:
            self._waiting[topic] = MbpSync()
            self._snapshots.accepted(topic)
        if self._notification:
            return encode({"op": verb, "cid": topic, "topic": topic}).decode()
        # without data_type every message is the whole book
        how = {"data_type": "incremental"} if verb == "sub" and topic.endswith(".high_freq") else {}
        return encode({verb: topic, "id": topic} | how).decode()

    def _ask_book(self, topic: str, now_ns: int) -> Reply:
        self._snapshots.schedule(topic, now_ns)
        return Reply(payload=encode({"req": topic, "id": _REQUEST + topic}).decode())

    def _control(self, frame: wire.Frame, received_ns: int) -> Sequence[Event]:
        if frame.ping is not None:
            at_ns = frame.ping * NS_PER_MS if 0 < frame.ping < 1 << 43 else None
            return Reply(payload=f'{{"pong":{frame.ping}}}'), Heartbeat(gateway_ns=at_ns)
        match frame.op:
            case "ping":
                reply = Reply(payload=f'{{"op":"pong","ts":"{frame.ts}"}}')
                return reply, Heartbeat(gateway_ns=frame.ts * NS_PER_MS or None)
            case "notify":
                return self._notice(frame)
            case "sub" if str(frame.code) == "0":
                return self._acked(frame.topic, received_ns)
            case "sub" | "error" | "close":
                return self._refused(frame, frame.topic or frame.cid, received_ns)
            case "unsub":
                return ()
        if frame.status == "error":
            return self._refused(frame, str(frame.id or ""), received_ns)
        if frame.status == "ok":
            if frame.rep:
                return self._first_book(frame)
            return () if frame.unsubbed is not None else self._acked(frame.subbed or "", received_ns)
        return (Unknown(what=f"neither data nor answer: op {frame.op[:32]!r}, status {frame.status[:32]!r}"),)

    def _acked(self, topic: str, received_ns: int) -> Sequence[Event]:
        one = self._wanted.get(topic)
        if one is None:
            return ()
        self._retries.accepted(topic)
        ack = Ack(channel=one.channel, symbol=one.symbol)
        return (ack, self._ask_book(topic, received_ns)) if topic in self._waiting else (ack,)

    def _refused(self, frame: wire.Frame, about: str, received_ns: int) -> Sequence[Event]:
        code, text = str(frame.code)[:32], frame.text[:200]
        fault = fault_of(code, text) or Fault.UNKNOWN
        topic = about.removeprefix(_REQUEST)
        one = self._wanted.get(topic)
        if one is None:
            return (Refusal(fault=fault, code=code, text=text),)
        passing = fault in (Fault.OVERLOAD, Fault.OUR_LIMIT)
        if about != topic:  # a request for a snapshot: it is repeated after a second anyway
            if passing:
                return (Refusal(fault=fault, code=code, text=text),)
            self._snapshots.accepted(topic)
        elif passing:
            self._retries.schedule(topic, received_ns)
        return (Refusal(channel=one.channel, symbol=one.symbol, fault=fault, code=code, text=text),)

    # data

    def _data(self, frame: wire.Frame) -> Sequence[Event]:
        name, kind = _named(frame.ch)
        if kind in self._books:
            return self._book_message(wire.BookFrame(ch=frame.ch, tick=wire.read_book(frame.tick), ts=frame.ts))
        reader, symbol = self._readers.get(kind), self._symbols.get(name)
        if reader is None or symbol is None:
            return _unknown_instrument(frame.ch, reader is not None)
        return reader(frame, symbol, kind)

    def _book_message(self, frame: wire.BookFrame) -> Sequence[Event]:
        known = self._known.get(frame.ch)
        if known is None:
            name, kind = _named(frame.ch)
            reader, symbol = self._books.get(kind), self._symbols.get(name)
            if not frame.ch.startswith("market."):  # such a name could be invented anew in every message
                reader = None
            if reader is None or symbol is None:
                return _unknown_instrument(frame.ch, reader is not None)
            known = self._known[frame.ch] = reader, symbol, kind
        reader, symbol, kind = known
        return reader(frame, symbol, kind)

    def _book(self, frame: wire.BookFrame, symbol: str, kind: str) -> Sequence[Event]:
        row = frame.tick
        engine_ns, gateway_ns = row.made_ms * NS_PER_MS or None, frame.ts * NS_PER_MS or None
        if row.event == "update":
            delta = BookDelta(
                symbol=symbol,
                bids=row.bids or (),
                asks=row.asks or (),
                first_seq=row.version,
                last_seq=row.version,
                engine_ns=engine_ns,
                gateway_ns=gateway_ns,
            )
            return (delta,)
        named = _LEVELS.fullmatch(kind)
        snapshot = BookSnapshot(
            symbol=symbol,
            bids=row.bids or (),
            asks=row.asks or (),
            seq=row.version if row.last is None else row.last,
            engine_ns=engine_ns,
            gateway_ns=gateway_ns,
            levels_limit=BOOK_LEVELS if kind == "depth.step0" else int(named[1]) if named else None,
        )
        return (snapshot,)

    def _mbp(self, frame: wire.BookFrame, symbol: str, kind: str) -> Sequence[Event]:
        row = frame.tick
        delta = BookDelta(
            symbol=symbol,
            bids=row.bids or (),
            asks=row.asks or (),
            last_seq=row.last,
            prev_seq=row.prev,
            gateway_ns=frame.ts * NS_PER_MS or None,
        )
        waiting = self._waiting.get(frame.ch)
        if waiting is None:
            return (delta,)
        waiting.keep(delta)
        return ()

    def _first_book(self, frame: wire.Frame) -> Sequence[Event]:
        one, waiting = self._wanted.get(frame.rep), self._waiting.get(frame.rep)
        if one is None or one.symbol is None or waiting is None:
            return ()  # a second answer to a repeated request
        row = wire.read_book(frame.data)
        snapshot = BookSnapshot(
            symbol=one.symbol,
            bids=row.bids or (),
            asks=row.asks or (),
            seq=row.last,
            gateway_ns=frame.ts * NS_PER_MS or None,
            levels_limit=BOOK_LEVELS,
        )
        whole = waiting.apply_to(snapshot)
        if whole is None:
            return ()
        del self._waiting[frame.rep]
        self._snapshots.accepted(frame.rep)
        return (whole,)

    def _spot_quote(self, frame: wire.Frame, symbol: str, kind: str) -> Sequence[Event]:
        row = wire.read_spot_top(frame.tick)
        return (_quote(frame, symbol, (row.bid, row.bid_size), (row.ask, row.ask_size), row.seq, row.made_ms),)

    def _swap_quote(self, frame: wire.Frame, symbol: str, kind: str) -> Sequence[Event]:
        row = wire.read_swap_top(frame.tick)
        return (_quote(frame, symbol, row.bid or (None, None), row.ask or (None, None), row.seq, row.made_ms),)

    def _trades(self, frame: wire.Frame, symbol: str, kind: str) -> Sequence[Event]:
        gateway_ns = frame.ts * NS_PER_MS or None
        return [
            Trade(
                symbol=symbol,
                price=row.price,
                size=row.amount,
                side=row.direction,
                trade_id=bytes(row.id)[:40].decode().strip('"') if row.trade_id is None else str(row.trade_id),
                engine_ns=row.ts * NS_PER_MS or None,
                gateway_ns=gateway_ns,
            )
            for row in wire.read_trades(frame.tick).data
            if row.direction
        ] or (Heartbeat(channel=Channel.TRADES, symbol=symbol, gateway_ns=gateway_ns),)

    def _mark(self, frame: wire.Frame, symbol: str, kind: str) -> Sequence[Event]:
        """A one-minute candle of the mark price; its close is the mark price."""
        close = wire.read_kline(frame.tick).close
        return (Mark(symbol=symbol, mark=close, gateway_ns=frame.ts * NS_PER_MS or None),)

    def _notice(self, frame: wire.Frame) -> Sequence[Event]:
        gateway_ns = frame.ts * NS_PER_MS or None
        match frame.topic.rpartition(".")[2]:
            case "liquidation_orders":
                return [
                    Liquidation(
                        symbol=self._symbols[row.contract_code],
                        price=row.price,
                        size=row.volume,
                        side=row.direction,
                        engine_ns=row.created_at * NS_PER_MS or None,
                        gateway_ns=gateway_ns,
                    )
                    for row in wire.read_liquidations(frame.data)
                    if row.contract_code in self._symbols
                ]
            case "funding_rate":
                return [
                    Mark(
                        symbol=self._symbols[row.contract_code],
                        funding_rate=rate(row.funding_rate or ""),
                        next_funding_ns=(row.settlement_time or 0) * NS_PER_MS or None,
                        gateway_ns=gateway_ns,
                    )
                    for row in wire.read_funding(frame.data)
                    if row.contract_code in self._symbols
                ]
            case kind if kind in _UNUSED_TOPICS:
                return ()
        return (Unknown(what=f"topic {frame.topic[:96]}"),)


def _named(channel: str) -> tuple[str, str]:
    """``market.NAME.KIND`` -> (name, kind)."""
    _, _, rest = channel.partition(".")
    name, _, kind = rest.partition(".")
    return name, kind


def _unknown_instrument(channel: str, known: bool) -> Sequence[Event]:
    """``known``: the kind of channel is one that we read, but the instrument is not ours."""
    unused = _named(channel)[1].partition(".")[0] in _UNUSED
    return () if unused and not known else (Unknown(what=f"channel {channel[:96]}"),)


def _quote(
    frame: wire.Frame,
    symbol: str,
    best_bid: tuple[float | None, float | None],
    best_ask: tuple[float | None, float | None],
    seq: int | None,
    made_ms: int,
) -> Quote:
    """A price of 0 or an absent one means an empty side."""
    (bid, bid_size), (ask, ask_size) = best_bid, best_ask
    return Quote(
        symbol=symbol,
        bid=bid or None,
        bid_size=(bid_size or None) if bid else None,
        ask=ask or None,
        ask_size=(ask_size or None) if ask else None,
        seq=seq,
        engine_ns=made_ms * NS_PER_MS or None,
        gateway_ns=frame.ts * NS_PER_MS or None,
    )
