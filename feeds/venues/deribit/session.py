"""One connection to Deribit's JSON-RPC websocket: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import cast

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
    Levels,
    Liquidation,
    Mark,
    Notice,
    Pong,
    Quote,
    Refusal,
    Reply,
    Side,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, Subscription, by_venue_id
from feeds.venues.deribit import wire
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.retry import RetrySchedule
from feeds.venues.sockets import batches

HEARTBEAT_S = 10
"""The shortest interval that the venue allows. It sends a test request that often, which shows that it works."""
FUNDING_H = 8.0
"""Hours that the venue's funding rate covers; it is paid continuously."""

_CHANNELS_A_REQUEST = 400  # channels per request; the venue advises at most 500
_FIRST_REQUEST = 1_000_000_000  # lower ids are tokens of pings; 0 answers the venue's own test
_NAMES: Mapping[Channel, str] = {
    Channel.BOOK: "book.{}.100ms",
    Channel.BBO: "quote.{}",
    Channel.TRADES: "trades.{}.100ms",
    Channel.LIQUIDATIONS: "trades.{}.100ms",  # rows with a flag
    Channel.MARK: "ticker.{}.100ms",
    Channel.STATUS: "platform_state",
}
_BOOK_HEAD = re.compile(
    rb'\{"jsonrpc":"2\.0","method":"subscription","params":\{"channel":"book\.[\w-]{1,64}\.(?:100ms|agg2|raw)"'
)
"""The start of nearly all messages; they take a fast decoder. A message written differently is decoded in full."""

# Channels that Detour never subscribes to. Captures of other clients have them, so they are ignored, not counted.
_UNUSED = frozenset(
    {"chart", "deribit_price_index", "deribit_price_statistics", "deribit_volatility_index"}
    | {"estimated_expiration_price", "incremental_ticker", "instrument", "markprice", "perpetual"}
)
_PASSING = (Fault.OUR_LIMIT, Fault.OVERLOAD, Fault.MAINTENANCE)
_OTHER: Mapping[Side, Side] = {"buy": "sell", "sell": "buy"}


class DeribitSession:
    """One connection to ``/ws/api/v2``. Unknown names are silently missing from the venue's answer."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._ids = {i.symbol: i.venue_id for i in instruments}
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._asked: dict[str, list[Subscription]] = {}
        for subscription in plan.subscriptions:
            if subscription.symbol is None or subscription.symbol in self._ids:
                self._asked.setdefault(self._name(subscription.channel, subscription.symbol), []).append(subscription)
        self._requests = _FIRST_REQUEST
        self._pending: dict[int, tuple[str, ...]] = {}
        self._retries = RetrySchedule()
        self._readers: dict[str, Callable[[wire.Params], Sequence[Event]]] = {
            "book": self._any_book,
            "quote": self._quote,
            "trades": self._trades,
            "ticker": self._ticker,
            "platform_state": self._platform,
        }

    def subscribe(self) -> Sequence[Payload]:
        names = batches(list(self._asked), _CHANNELS_A_REQUEST)
        return [self._request("set_heartbeat", interval=HEARTBEAT_S), *(self._ask(tuple(batch)) for batch in names)]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        """Unsubscribes first: without that, there would be no new snapshot."""
        if symbol not in self._ids:
            return ()
        name = self._name(channel, symbol)
        return (self._request("unsubscribe", channels=[name]), self._ask((name,)))

    def ping(self, token: int) -> Payload | None:
        return f'{{"jsonrpc":"2.0","id":{token},"method":"public/test","params":{{}}}}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            if _BOOK_HEAD.match(raw):
                events: Sequence[Event] = self._book(wire.read_book_frame(raw))
            else:
                events = self._read(wire.read_frame(raw), received_ns)
        except UNREADABLE as error:
            events = (Garbled(what=str(error)[:200]),)
        if received_ns >= self._retries.due_ns:
            due = tuple(self._retries.take_due(received_ns))
            events = [*events, *((Reply(payload=self._ask(due)),) if due else ())]
        return events

    # requests and their answers

    def _name(self, channel: Channel, symbol: str | None) -> str:
        return _NAMES[channel].format("" if symbol is None else self._ids[symbol])

    def _request(self, method: str, **params: object) -> str:
        self._requests += 1
        message = {"jsonrpc": "2.0", "id": self._requests, "method": f"public/{method}", "params": params}
        return encode(message).decode()

    def _ask(self, names: tuple[str, ...]) -> str:
        payload = self._request("subscribe", channels=names)
        self._pending[self._requests] = names
        return payload

    def _read(self, frame: wire.Frame, received_ns: int) -> Sequence[Event]:
        params = frame.params
        if frame.method == "subscription" and params is not None:
            kind = params.channel.partition(".")[0]
            reader = self._readers.get(kind)
            if reader is not None:
                return reader(params)
            return () if kind in _UNUSED else (Unknown(what=f"channel {params.channel[:64]}"),)
        if frame.method == "heartbeat":
            test = params is not None and params.type == "test_request"
            return (Heartbeat(), Reply(payload=self.ping(0) or "")) if test else (Heartbeat(),)
        asked = self._pending.pop(frame.id or 0, None)
        if frame.error is not None:
            return self._refused(frame.error, asked, received_ns)
        if not frame.result:
            return (Unknown(what=f"method {frame.method[:64]}"),)
        if asked is not None:
            return self._accepted(asked, frozenset(wire.read_names(frame.result)))
        if frame.id is not None and 0 < frame.id < _FIRST_REQUEST:
            in_ns, out_ns = (us * 1000 or None for us in (frame.us_in, frame.us_out))
            return (Pong(token=frame.id, server_in_ns=in_ns, server_out_ns=out_ns),)
        return ()

    def _accepted(self, asked: Sequence[str], names: frozenset[str]) -> Sequence[Event]:
        events: list[Event] = []
        for name in asked:
            self._retries.accepted(name)
            for one in self._asked.get(name, ()):
                if name in names:
                    events.append(Ack(channel=one.channel, symbol=one.symbol))
                else:
                    text = f"{name} is missing from the answer"[:200]
                    events.append(Refusal(channel=one.channel, symbol=one.symbol, fault=Fault.BAD_REQUEST, text=text))
        return events

    def _refused(self, error: wire.Error, asked: tuple[str, ...] | None, received_ns: int) -> Sequence[Event]:
        """A request fails as a whole. A temporary refusal is repeated later, any other request in halves, to find the
        bad name."""
        fault, code, text = error.fault or Fault.UNKNOWN, str(error.code)[:16], error.message[:200]
        whole = Refusal(fault=fault, code=code, text=text)
        if asked is None:
            return (whole,)
        if fault in _PASSING:
            asked = tuple(name for name in asked if not self._retries.schedule(name, received_ns))
            if not asked:
                return (whole,)
        elif len(asked) > 1:
            half = len(asked) // 2
            return [Reply(payload=self._ask(part)) for part in (asked[:half], asked[half:])]
        return [
            Refusal(channel=one.channel, symbol=one.symbol, fault=fault, code=code, text=text)
            for name in asked
            for one in self._asked.get(name, ())
        ]

    # data

    def _any_book(self, params: wire.Params) -> Sequence[Event]:
        """``book.BTC-PERPETUAL.none.20.100ms`` (the best 20 levels, complete each time) is not used."""
        return () if params.channel.count(".") > 2 else self._book(wire.read_book(params.data))

    def _book(self, row: wire.BookRow) -> Sequence[Event]:
        symbol = self._symbols.get(row.instrument_name)
        if symbol is None:
            return _unknown_instrument("book", row.instrument_name)
        engine_ns = row.timestamp * NS_PER_MS or None
        if row.type == "change" or (not row.type and row.prev_change_id is not None):
            return (
                BookDelta(
                    symbol=symbol,
                    bids=cast(Levels, row.bids),
                    asks=cast(Levels, row.asks),
                    last_seq=row.change_id,
                    prev_seq=row.prev_change_id,
                    engine_ns=engine_ns,
                ),
            )
        if row.type not in ("", "snapshot"):
            return (Unknown(what=f"book type {row.type[:32]}"),)
        return (
            BookSnapshot(
                symbol=symbol,
                bids=cast(Levels, row.bids),
                asks=cast(Levels, row.asks),
                seq=row.change_id,
                engine_ns=engine_ns,
                levels_limit=wire.BOOK_LEVELS,
            ),
        )

    def _quote(self, params: wire.Params) -> Sequence[Event]:
        row = wire.read_quote(params.data)
        symbol = self._symbols.get(row.instrument_name)
        if symbol is None:
            return _unknown_instrument("quote", row.instrument_name)
        return (
            Quote(
                symbol=symbol,
                bid=row.best_bid_price or None,
                bid_size=row.best_bid_amount if row.best_bid_price else None,
                ask=row.best_ask_price or None,
                ask_size=row.best_ask_amount if row.best_ask_price else None,
                engine_ns=row.timestamp * NS_PER_MS or None,
            ),
        )

    def _trades(self, params: wire.Params) -> Sequence[Event]:
        events: list[Event] = []
        for row in wire.read_trades(params.data):
            symbol = self._symbols.get(row.instrument_name)
            if symbol is None:
                events += _unknown_instrument("trades", row.instrument_name)
                continue
            engine_ns = row.timestamp * NS_PER_MS or None
            events.append(
                Trade(
                    symbol=symbol,
                    price=row.price,
                    size=row.amount,
                    side=row.direction,
                    trade_id=row.trade_id,
                    engine_ns=engine_ns,
                )
            )
            for role, side in (("T", row.direction), ("M", _OTHER[row.direction])):
                if role in row.liquidation:
                    events.append(
                        Liquidation(symbol=symbol, price=row.price, size=row.amount, side=side, engine_ns=engine_ns)
                    )
        return events

    def _ticker(self, params: wire.Params) -> Sequence[Event]:
        row = wire.read_ticker(params.data)
        symbol = self._symbols.get(row.instrument_name)
        if symbol is None:
            return _unknown_instrument("ticker", row.instrument_name)
        return (
            Mark(
                symbol=symbol,
                mark=row.mark_price or None,
                index=row.index_price or None,
                funding_rate=row.funding_8h,
                interval_h=None if row.funding_8h is None else FUNDING_H,
                gateway_ns=row.timestamp * NS_PER_MS or None,
            ),
        )

    def _platform(self, params: wire.Params) -> Sequence[Event]:
        if params.channel != "platform_state":
            return ()
        row = wire.read_platform(params.data)
        if row.maintenance is not None:
            return (Notice(text=f"maintenance {'begins' if row.maintenance else 'is over'}"),)
        if row.locked is not None:
            return (Notice(text=f"{row.price_index[:64] or 'platform'} {'locked' if row.locked else 'unlocked'}"),)
        return (Heartbeat(channel=Channel.STATUS),)


def _unknown_instrument(kind: str, name: str) -> Sequence[Event]:
    return (Unknown(what=f"{kind} of {name[:64]}"),)
