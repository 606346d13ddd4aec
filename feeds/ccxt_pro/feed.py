"""What the child's messages say about the venue: books and trades, channels, refusals and the connection."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from feeds.books.route_books import RouteBooks
from feeds.ccxt_pro.connection_state import LABEL, ConnectionState
from feeds.ccxt_pro.messages import BookNow, Lost, Refused, TradeNow
from feeds.clock import MS
from feeds.measure.book_checks import book_sample
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Meters
from feeds.measure.feed_samples import FeedSampler
from feeds.model import Ack, BookSnapshot, Channel, Instrument, Product, Refusal, Trade
from feeds.transport.subscriptions import ChannelLife, Channels
from feeds.venues.base import Subscription
from feeds.venues.generic import GenericVenue


class CcxtFeed:
    """The feed of one set of instruments, over all children that bring it."""

    label = LABEL

    def __init__(
        self,
        route: str,
        venue: GenericVenue,
        product: Product,
        instruments: Sequence[Instrument],
        meters: Meters,
        offset: OffsetEstimator,
    ) -> None:
        self.route, self._meters = route, meters
        self.books = RouteBooks(
            route,
            venue,
            product,
            instruments,
            resync=lambda symbol, origin: None,  # the next book is a whole one
            notice=lambda text, within_s: meters.log_event("status", route, text),
            log_event=lambda code, text: meters.log_event(code, route, text),
        )
        self.connection = ConnectionState(route, meters)
        self.unknown = 0
        self._sampler = FeedSampler(route, self.books, offset)
        self._channels: Channels | None = None
        self._live: set[str] = set()
        """Symbols whose book comes in now."""
        self._refusals: dict[tuple[Channel, str], str] = {}
        """The last refusal of each subscription that does not come."""
        self._messages = 0
        self._last_data_ns: int | None = None

    def begin(self) -> None:
        """A child was told what to watch."""
        channels = (Channel.BOOK, Channel.TRADES)
        subscriptions = [Subscription(channel, symbol) for symbol in self.books.pairs for channel in channels]
        self._channels = Channels(subscriptions, {}, self._meters.clock.monotonic_ns())

    def child_lost(self) -> None:
        """No book is the venue's any more, and nothing is known of the venue."""
        self.books.disconnected(tuple(self.books.pairs))
        self._live.clear()
        self.connection.forget()
        self._channels = self._last_data_ns = None

    def carries(self, symbol: str) -> bool:
        return symbol in self._live

    def channels(self, mono_ns: int) -> tuple[ChannelLife, ...]:
        return self._channels.silences(mono_ns) if self._channels is not None else ()

    # messages

    def book(self, message: BookNow) -> bool:
        """False for a symbol that nobody asked for."""
        if message.symbol not in self.books.pairs:
            self.unknown += 1
            return False
        self._count(BookSnapshot, message.symbol, message.updates)
        self._live.add(message.symbol)
        book = BookSnapshot(
            symbol=message.symbol,
            bids=message.bids,
            asks=message.asks,
            seq=message.nonce,
            gateway_ns=message.venue_ms * MS if message.venue_ms else None,
        )
        self.books.events(self, [book], message.received_ns, message.received_mono_ns)
        self.connection.up(self.books.gaps)
        return True

    def trade(self, message: TradeNow) -> None:
        if message.symbol not in self.books.pairs:
            self.unknown += 1
            return
        self._count(Trade, message.symbol, 1)
        trade = Trade(
            symbol=message.symbol,
            price=message.price,
            size=message.size,
            side=message.side,
            gateway_ns=message.venue_ms * MS if message.venue_ms else None,
        )
        self.books.events(self, [trade], message.received_ns, message.received_mono_ns)

    def _count(self, kind: type, symbol: str, messages: int) -> None:
        now_ns = self._meters.clock.monotonic_ns()
        self._last_data_ns = now_ns
        self._messages += messages
        if self._channels is not None:
            self._channels.last_data_ns[kind][symbol] = now_ns
            channel = Channel.TRADES if kind is Trade else Channel.BOOK
            if self._refusals.pop((channel, symbol), None) is not None:
                self._channels.acked(Ack(channel=channel, symbol=symbol))

    def lost(self, message: Lost) -> None:
        symbols = tuple(self.books.pairs) if message.symbol is None else (message.symbol,)
        if message.gap:
            self.books.gaps += 1
            self._log("gap", f"{message.symbol}: {message.text}, asking for a new snapshot")
            self.books.disconnected(symbols)
            return
        self._live.difference_update(symbols)
        self.books.disconnected(symbols)
        if self._live:
            self._log("reconnect", f"{message.symbol}: lost, asking again: {message.text}")
        else:
            self.connection.down(message.text, message.fault, self.books.gaps)

    def refused(self, message: Refused) -> None:
        channel = Channel.TRADES if message.trades else Channel.BOOK
        kind, _, text = message.text.partition(": ")
        refusal = Refusal(channel=channel, symbol=message.symbol, code=kind, text=text)
        if self._channels is not None:
            self._channels.refused(refusal)
        if message.symbol not in self.books.pairs:
            return
        known = self._refusals.get((channel, message.symbol))
        self._refusals[channel, message.symbol] = message.text
        if not message.trades:
            self._live.discard(message.symbol)
            self.books.disconnected([message.symbol])
        if known != message.text:  # the child tries again and again; the event log has it once
            self.books.events(self, [refusal], 0, 0)

    def _log(self, code: str, text: str) -> None:
        self._meters.log_event(code, self.route, text)

    # samples

    def sample(self, now_ns: int, mono_ns: int, interval_ms: float, child_lag_ms: float | None) -> None:
        """Emit what came in the interval that ends now."""
        self._meters.emit(self.connection.sample(self.books.gaps))
        channels = self.channels(mono_ns)
        feed = msgspec.structs.replace(
            self._sampler.sample(now_ns, mono_ns, interval_ms, self._messages),
            own_lag_ms=child_lag_ms,
            silence_ms=None if self._last_data_ns is None else (mono_ns - self._last_data_ns) / MS,
            channel_silence_ms={c.key: c.silence_ms for c in channels if not c.refused and c.data},
        )
        self._meters.emit(self._sampler.without_hopeless(feed))
        for pair in self.books.pairs.values():
            self._meters.emit(book_sample(self.route, pair, now_ns, mono_ns))
