"""One connection to Hyperliquid's websocket: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from msgspec import Raw, Struct
from msgspec.json import encode

from feeds.model import (
    Ack,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Garbled,
    Heartbeat,
    Instrument,
    Levels,
    Mark,
    Pong,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, by_venue_id
from feeds.venues.hyperliquid.wire import (
    pairs,
    read_bbo,
    read_book,
    read_context,
    read_frame,
    read_meta,
    read_subscription,
    read_text,
    read_trades,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE

DEEP_LEVELS = 20
"""Levels per side of the usual ``l2Book``, sent every 5 s since July 2026."""
FAST_LEVELS = 5
"""Levels per side of ``l2Book`` with ``fast``, sent every 0.5 s."""
_DEEP_MAX_AGE_NS = 12_000_000_000
"""Two and a half intervals of the usual book: after that its levels are too old to use."""

_SUBSCRIPTIONS: Mapping[Channel, Sequence[Mapping[str, Any]]] = {
    # the fast one first: if the venue should take both for one, it refuses the second as a repetition
    Channel.BOOK: ({"type": "l2Book", "fast": True}, {"type": "l2Book"}),
    Channel.BBO: ({"type": "bbo"},),
    Channel.TRADES: ({"type": "trades"},),
    Channel.MARK: ({"type": "activeAssetCtx"},),
}
_CHANNELS = {form["type"]: channel for channel, forms in _SUBSCRIPTIONS.items() for form in forms}
_META = '{"method":"post","id":1,"request":{"type":"info","payload":{"type":"meta"}}}'
_TOO_MUCH = re.compile(r"too many|limit|cannot track more", re.IGNORECASE)


class _Image(Struct, gc=False):
    """The book of one message."""

    time_ns: int
    bids: Levels
    asks: Levels


class _Books(Struct):
    """The latest usual book and the latest fast book of a coin."""

    deep: _Image | None = None
    fast: _Image | None = None


class HyperliquidSession:
    """One connection to ``/ws``.

    An unknown name makes the venue close the socket without an answer, which ends all other subscriptions too. So the
    list of instruments is requested on the socket first, and only names in it are subscribed.
    """

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        ids = {i.symbol: i.venue_id for i in instruments}
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._wanted = [
            (s.channel, s.symbol, ids[s.symbol])
            for s in plan.subscriptions
            if s.symbol is not None and s.symbol in ids and s.channel in _SUBSCRIPTIONS
        ]
        self._books = {symbol: _Books() for symbol in ids}
        self._history: dict[str, frozenset[int]] = {}
        """Ids of the trades in the first message, which are past ones, by symbol."""
        self._asked_meta = False
        self._readers: Mapping[str, Callable[[Raw], Sequence[Event]]] = {
            "l2Book": self._book,
            "bbo": self._bbo,
            "trades": self._trades,
            "activeAssetCtx": self._context,
            "subscriptionResponse": self._subscribed,
            "pong": lambda data: (Pong(),),
            "post": self._posted,
            "error": self._error,
        }

    def subscribe(self) -> Sequence[Payload]:
        self._asked_meta = True
        return (_META,)

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        if channel is Channel.TRADES:
            self._history.pop(symbol, None)
        mine = [(c, coin) for c, s, coin in self._wanted if (c, s) == (channel, symbol)]
        return [_request(method, c, coin, n) for c, coin in mine for method, n in _resubscription(c)]

    def ping(self, token: int) -> Payload | None:
        return '{"method":"ping"}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            frame = read_frame(raw)
            reader = self._readers.get(frame.channel)
            if reader is None:
                return (Unknown(what=f"channel {frame.channel[:64]}"),)
            return reader(frame.data)
        except UNREADABLE as error:
            if raw == b"Websocket connection established.":  # an old greeting; the official client still expects it
                return ()
            return (Garbled(what=str(error)[:200]),)

    # control messages

    def _posted(self, data: Raw) -> Sequence[Event]:
        """The list of instruments or its refusal: subscribe. Without a list all our names are tried (listed within a
        day)."""
        if not self._asked_meta:
            return ()
        try:
            return self._listed({asset.name for asset in read_meta(data).response.payload.data.universe})
        except UNREADABLE:
            return self._listed({coin for _, _, coin in self._wanted})

    def _listed(self, known: Collection[str]) -> list[Event]:
        self._asked_meta = False
        events: list[Event] = []
        good = []
        for channel, symbol, coin in self._wanted:
            if coin in known:
                good.append((channel, symbol, coin))
                forms = range(len(_SUBSCRIPTIONS[channel]))
                events += [Reply(payload=_request("subscribe", channel, coin, n)) for n in forms]
            else:
                text = f"{coin} is not in the venue's listing"
                events.append(Refusal(channel=channel, symbol=symbol, fault=Fault.BAD_REQUEST, text=text))
        self._wanted = good
        return events

    def _subscribed(self, data: Raw) -> Sequence[Event]:
        answer = read_subscription(data)
        if answer.method != "subscribe":
            return ()
        symbol = self._symbols.get(answer.subscription.coin or "")
        channel = _CHANNELS.get(answer.subscription.type)
        return (
            (Unknown(what="acknowledgement"),) if None in (symbol, channel) else (Ack(channel=channel, symbol=symbol),)
        )

    def _error(self, data: Raw) -> Sequence[Event]:
        text = read_text(data)
        if text.startswith(("Already subscribed", "Already unsubscribed")):
            return ()
        fault = Fault.OUR_LIMIT if _TOO_MUCH.search(text) else Fault.BAD_REQUEST
        refusal = Refusal(fault=fault, text=text[:200])
        if self._asked_meta:  # the list of instruments was refused
            return [refusal, *self._listed({coin for _, _, coin in self._wanted})]
        return (refusal,)

    # data

    def _book(self, data: Raw) -> Sequence[Event]:
        """Both books come in one channel; the number of levels tells which it is. A short one can be the whole book."""
        row = read_book(data)
        symbol = self._symbols.get(row.coin)
        if symbol is None:
            return (Unknown(what=f"l2Book of {row.coin}"),)
        image = _Image(row.time * NS_PER_MS, pairs(row.levels[0]), pairs(row.levels[1]))
        books = self._books[symbol]
        if len(image.bids) > FAST_LEVELS or len(image.asks) > FAST_LEVELS:
            books.deep = image
        else:
            books.fast = image
        return (_merged(symbol, books),)

    def _bbo(self, data: Raw) -> Sequence[Event]:
        row = read_bbo(data)
        symbol = self._symbols.get(row.coin)
        if symbol is None:
            return (Unknown(what=f"bbo of {row.coin}"),)
        bid, ask, *_ = (*row.bbo, None, None)
        return (
            Quote(
                symbol=symbol,
                bid=None if bid is None else bid.px,
                bid_size=None if bid is None else bid.sz,
                ask=None if ask is None else ask.px,
                ask_size=None if ask is None else ask.sz,
                engine_ns=row.time * NS_PER_MS or None,
            ),
        )

    def _trades(self, data: Raw) -> Sequence[Event]:
        """All rows are of one coin. The first message, also after a reconnect, repeats past trades (20 s and more):
        only the newest of them is sent on."""
        rows = read_trades(data)
        if not rows:
            return ()
        coin = rows[0].coin
        symbol = self._symbols.get(coin)
        if symbol is None:
            return (Unknown(what=f"trades of {coin}"),)
        past = self._history.get(symbol)
        if past is None:
            self._history[symbol] = frozenset(row.tid for row in rows)
            past, rows = frozenset(), [max(rows, key=lambda row: row.time)]
        return [
            Trade(
                symbol=symbol,
                price=row.px,
                size=row.sz,
                side="buy" if row.side == "B" else "sell",
                trade_id=str(row.tid),
                engine_ns=row.time * NS_PER_MS or None,
            )
            for row in rows
            if row.coin == coin and row.tid not in past
        ] or (Heartbeat(channel=Channel.TRADES, symbol=symbol),)

    def _context(self, data: Raw) -> Sequence[Event]:
        """Carries no time. The next funding is not told; it is hourly."""
        row = read_context(data)
        symbol = self._symbols.get(row.coin)
        if symbol is None:
            return (Unknown(what=f"activeAssetCtx of {row.coin}"),)
        mark, index, rate = row.ctx.mark_px, row.ctx.oracle_px, row.ctx.funding
        if mark is index is rate is None:
            return (Heartbeat(channel=Channel.MARK, symbol=symbol),)
        return (Mark(symbol=symbol, mark=mark, index=index, funding_rate=rate, interval_h=1.0),)


def _resubscription(channel: Channel) -> Sequence[tuple[str, int]]:
    """(method, form) of a resubscription: all forms of a channel are unsubscribed, then all subscribed."""
    forms = range(len(_SUBSCRIPTIONS[channel]))
    return [(method, n) for method in ("unsubscribe", "subscribe") for n in forms]


def _request(method: str, channel: Channel, coin: str, form: int) -> str:
    return encode({"method": method, "subscription": {**_SUBSCRIPTIONS[channel][form], "coin": coin}}).decode()


def _merged(symbol: str, books: _Books) -> BookSnapshot:
    """The newest book. Below the five levels of a fast book stand those of the last usual one (at most 12 s old)."""
    fast, deep = books.fast, books.deep
    if fast is None or (deep is not None and deep.time_ns >= fast.time_ns):
        assert deep is not None
        return _snapshot(symbol, deep, DEEP_LEVELS)
    if deep is None or fast.time_ns - deep.time_ns > _DEEP_MAX_AGE_NS:
        return _snapshot(symbol, fast, FAST_LEVELS)
    bids, asks = fast.bids, fast.asks
    # where the price has left the range of the usual book, the levels between the two are not known
    if len(bids) == FAST_LEVELS and (worst := min(price for price, _ in bids)) <= max(deep.bids, default=(0.0, 0.0))[0]:
        bids = [*bids, *(level for level in deep.bids if level[0] < worst)]
    if len(asks) == FAST_LEVELS and (worst := max(price for price, _ in asks)) >= min(deep.asks, default=(1e18, 0))[0]:
        asks = [*asks, *(level for level in deep.asks if level[0] > worst)]
    return _snapshot(symbol, _Image(fast.time_ns, bids, asks), None)


def _snapshot(symbol: str, image: _Image, limit: int | None) -> BookSnapshot:
    """``limit`` None: made of two books, so the levels beyond are not known."""
    return BookSnapshot(
        symbol=symbol, bids=image.bids, asks=image.asks, engine_ns=image.time_ns or None, levels_limit=limit
    )
