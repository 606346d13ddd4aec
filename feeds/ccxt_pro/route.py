"""A route of any other exchange, measured through ccxt.pro in a process of its own, on the surface of ``RouteMonitor``.

What cannot be known this way stays None: the engine's time, the kernel's and the websocket's round trip, the phases of
a REST call. While our own process is not running nothing is said of the venue at all: that is our trouble.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from feeds.books.route_books import RouteBooks
from feeds.ccxt_pro import process
from feeds.ccxt_pro.messages import Beat, BookNow, Follow, Job, Lost, Probed, Refused, TradeNow, Word
from feeds.ccxt_pro.process import ChildLostError, Pipe
from feeds.clock import MS
from feeds.measure.book_samples import book_sample
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.route import Hosts, Meters
from feeds.model import Ack, BookSnapshot, Channel, Fault, Instrument, Product, Refusal, Trade
from feeds.quantiles import percentile
from feeds.samples import FeedSample, LinkSample, ProbeSample
from feeds.transport.backoff import Backoff
from feeds.transport.http import HttpError, Timing
from feeds.transport.subscriptions import ChannelLife, Channels
from feeds.venues.base import Answer, RestRequest, Subscription
from feeds.venues.generic import GenericVenue

LABEL = "ccxt"
SECOND_MS = 1000
BEATLESS_NS = 3_000_000_000
"""Our process speaks every second. One that has stopped to is no longer a witness of the venue's silence."""


class CcxtProRoute:
    def __init__(
        self,
        route: str,
        venue: GenericVenue,
        product: Product,
        hosts: Hosts,
        meters: Meters,
        *,
        offset: OffsetEstimator,
        begin: Callable[[], Awaitable[Pipe]] = process.start,
        silent_s: float = process.SILENT_S,
        backoff: Backoff | None = None,
    ) -> None:
        """Empty ``hosts`` are ccxt's own. ``begin`` starts the process, ``silent_s`` is how long it may say nothing."""
        self.route, self.venue, self.product, self.hosts = route, venue, product, hosts
        self.facts = venue.products[product]
        self.board: RouteBooks | None = None
        self.offset = offset
        self.notes = [
            f"Watched through ccxt.pro ({venue.ccxt_id}): engine time, kernel and websocket round trips and the phases "
            "of a request cannot be known, and the fee is of ccxt's table unless you give yours."
        ]
        self.market_note = ""
        self.listed: frozenset[str] | None = None
        self.ever_synced: set[str] = set()
        self.stand_ins: dict[str, str] = {}
        self.reconnects = 0
        self.garbled = 0
        self.unknown = 0
        self.label = LABEL
        self._meters, self._begin, self._silent_s = meters, begin, silent_s
        self._backoff = backoff or Backoff(base_s=1.0)
        self._task: asyncio.Task[None] | None = None
        self._pipe: Pipe | None = None
        self._following: tuple[str, ...] = ()
        self._channels: Channels | None = None
        self._up: set[str] = set()
        """Symbols whose book comes now."""
        self._refusals: dict[tuple[Channel, str], str] = {}
        """What was last said of subscriptions that do not come."""
        self._told: bool | None = None
        """What was last said of the connection; None: nothing since the process started."""
        self._why = ""
        self._fault: Fault | None = None
        self._was_up = False
        self._sampled_ns = meters.clock.monotonic_ns()
        self._heard_ns: int | None = None
        self._beat_ns: int | None = None
        self._messages = self._sampled_messages = 0
        self._sampled_updates = self._sampled_trades = 0
        self._lag_ms: float | None = None

    # life

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def watch(self, instruments: Sequence[Instrument]) -> None:
        """Called once."""
        self.board = RouteBooks(
            self.route,
            self.venue,
            self.product,
            instruments,
            resync=lambda symbol, origin: None,  # the next book is a whole one
            notice=lambda text, within_s: self._meters.say("status", self.route, text),
            trouble=lambda code, text: self._meters.say(code, self.route, text),
        )
        self._following = tuple(i.symbol for i in instruments)
        if self._pipe is not None:
            self._follow(self._pipe)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def request(self, request: RestRequest) -> Answer:
        """Nothing of a generic venue is asked outside ccxt. Raises HttpError."""
        raise HttpError("connect", f"{self.route} is asked through ccxt only", Timing())

    async def _run(self) -> None:
        while True:
            try:
                self._pipe = await self._begin()
                await self._listen(self._pipe)
            except (ChildLostError, OSError) as error:
                self._meters.say("self", self.route, f"our process for ccxt is lost: {error}; starting another")
            finally:
                pipe, self._pipe = self._pipe, None
                self._ended()
                if pipe is not None:
                    await pipe.end()
            await asyncio.sleep(self._backoff.delay_s())

    async def _listen(self, pipe: Pipe) -> None:
        job = Job(
            ccxt_id=self.venue.ccxt_id,
            product=self.product,
            rest=self.hosts.rest,
            ws=self.hosts.ws,
        )
        pipe.tell(job)
        if self.board is not None:
            self._follow(pipe)
        counted = 0
        async for word in pipe.words(self._silent_s):
            self.garbled += pipe.garbled - counted
            counted = pipe.garbled
            self._take(word)

    def _follow(self, pipe: Pipe) -> None:
        now_ns = self._meters.clock.monotonic_ns()
        channels = (Channel.BOOK, Channel.TRADES)
        self._channels = Channels([Subscription(c, s) for s in self._following for c in channels], {}, now_ns)
        pipe.tell(Follow(self._following))

    def _ended(self) -> None:
        """Our process is gone: no book is the venue's any more, and nothing is known of the venue."""
        if self.board is not None:
            self.board.disconnected(tuple(self.board.pairs))
        self._up.clear()
        self._was_up = False  # coming back is no reconnect of the venue's
        self._told, self._channels, self._heard_ns, self._beat_ns = None, None, None, None
        self._lag_ms = None

    # what the process says

    def _take(self, word: Word) -> None:
        match word:
            case BookNow():
                self._book(word)
            case TradeNow():
                self._trade(word)
            case Probed():
                self._probed(word)
            case Lost():
                self._lost(word)
            case Refused():
                self._refused(word)
            case Beat():
                self._lag_ms, self._beat_ns = word.lag_ms, self._meters.clock.monotonic_ns()

    def _book(self, word: BookNow) -> None:
        if self.board is None or word.symbol not in self.board.pairs:
            self.unknown += 1
            return
        self._backoff.forgive()
        self._hear(BookSnapshot, word.symbol, word.updates)
        self._up.add(word.symbol)
        stamp_ns = word.venue_ms * MS if word.venue_ms else None
        book = BookSnapshot(symbol=word.symbol, bids=word.bids, asks=word.asks, seq=word.nonce, gateway_ns=stamp_ns)
        self.board.events(self, [book], word.received_ns, word.received_ns)
        self._link(True, "")

    def _trade(self, word: TradeNow) -> None:
        if self.board is None or word.symbol not in self.board.pairs:
            self.unknown += 1
            return
        self._hear(Trade, word.symbol, 1)
        trade = Trade(
            symbol=word.symbol,
            price=word.price,
            size=word.size,
            side=word.side,
            gateway_ns=word.venue_ms * MS if word.venue_ms else None,
        )
        self.board.events(self, [trade], word.received_ns, word.received_ns)

    def _hear(self, kind: type, symbol: str, messages: int) -> None:
        now_ns = self._meters.clock.monotonic_ns()
        self._heard_ns = now_ns
        self._messages += messages
        if self._channels is not None:
            self._channels.heard[kind][symbol] = now_ns
            channel = Channel.TRADES if kind is Trade else Channel.BOOK
            if self._refusals.pop((channel, symbol), None) is not None:
                self._channels.acked(Ack(channel=channel, symbol=symbol))

    def _probed(self, word: Probed) -> None:
        offset_ms: float | None = None
        if word.server_ms is not None and word.sent_ns is not None and word.rtt_ns is not None and not word.cold:
            whole_seconds = word.server_ms % SECOND_MS == 0  # a stamp that may be cut to them says less
            offset_ms = self.offset.add(
                sent_ns=word.sent_ns,
                rtt_ns=word.rtt_ns,
                server_ns=word.server_ms * MS,
                now_mono_ns=self._meters.clock.monotonic_ns(),
                resolution_ns=SECOND_MS * MS if whole_seconds else MS,
            )
        self._meters.emit(
            ProbeSample(
                route=self.route,
                t_ns=word.scheduled_ns,
                name=word.name,
                cold=word.cold,
                total_ms=word.total_ms,
                wait_ms=min(word.wait_ms, word.total_ms),
                lost=word.lost,
                failed_at=None,
                status=word.status,
                fault=word.fault,
                text=word.text,
                offset_ms=offset_ms,
            )
        )

    def _lost(self, word: Lost) -> None:
        symbols = self._following if word.symbol is None else (word.symbol,)
        if word.gap and self.board is not None:
            self.board.gaps += 1
            self._meters.say("gap", self.route, f"{word.symbol}: {word.text}, asking for a new snapshot")
            self.board.disconnected([s for s in symbols if s in self.board.pairs])
            return
        self._up.difference_update(symbols)
        if self.board is not None:
            self.board.disconnected([s for s in symbols if s in self.board.pairs])
        if self._up:
            self._meters.say("reconnect", self.route, f"{word.symbol}: lost, asking again: {word.text}")
        else:
            self._link(False, word.text, word.fault)

    def _refused(self, word: Refused) -> None:
        channel = Channel.TRADES if word.trades else Channel.BOOK
        kind, _, text = word.text.partition(": ")
        refusal = Refusal(channel=channel, symbol=word.symbol, code=kind, text=text)
        if self._channels is not None:
            self._channels.refused(refusal)
        if self.board is None or word.symbol not in self.board.pairs:
            return
        known, self._refusals[channel, word.symbol] = self._refusals.get((channel, word.symbol)), word.text
        if not word.trades:
            self._up.discard(word.symbol)
            self.board.disconnected([word.symbol])
        if known != word.text:  # it is tried again and again, and said once
            self.board.events(self, [refusal], 0, 0)

    def _link(self, connected: bool, text: str, fault: Fault | None = None) -> None:
        if connected is self._told:
            return
        self._told = connected
        if connected:
            self.reconnects += self._was_up
            self._was_up = True
        else:
            self._meters.say("reconnect", self.route, f"connection lost or refused, asking again: {text}")
        self._why, self._fault = text, fault
        self._meters.emit(self._link_sample())

    def _link_sample(self) -> LinkSample:
        now_ns = self._meters.clock.time_ns()
        return LinkSample(
            route=self.route,
            t_ns=now_ns,
            label=LABEL,
            connected=self._told is True,
            text=self._why,
            fault=self._fault,
            gaps=self.board.gaps if self.board is not None else 0,
        )

    # samples

    def sample(self) -> None:
        """Emit what came since the last call; nothing while our own process is not running, or not getting on."""
        clock = self._meters.clock
        now_ns, mono_ns = clock.time_ns(), clock.monotonic_ns()
        interval_ms = (mono_ns - self._sampled_ns) / MS
        self._sampled_ns = mono_ns
        if self.board is None or self._told is None or self._beat_ns is None or interval_ms <= 0:
            return
        if mono_ns - self._beat_ns > BEATLESS_NS:
            return
        self._meters.emit(self._link_sample())
        self._meters.emit(self._feed_sample(self.board, now_ns, mono_ns, interval_ms))
        for symbol, pair in self.board.pairs.items():
            if pair.book.synced:
                self.ever_synced.add(symbol)
            self._meters.emit(book_sample(self.route, pair.book, now_ns))

    def _feed_sample(self, board: RouteBooks, now_ns: int, mono_ns: int, interval_ms: float) -> FeedSample:
        bursts, ages, _ = board.bursts.take()
        corrected = self.offset.ages_ms(ages)
        lives = self._channels.silences(mono_ns) if self._channels is not None else ()
        sample = FeedSample(
            route=self.route,
            t_ns=now_ns,
            interval_ms=interval_ms,
            messages=self._messages - self._sampled_messages,
            bursts=bursts,
            age_p50_ms=percentile(corrected, 0.5),
            age_max_ms=corrected[-1] if corrected else None,
            own_lag_ms=self._lag_ms,
            silence_ms=None if self._heard_ns is None else (mono_ns - self._heard_ns) / MS,
            channel_silence_ms={life.key: life.silence_ms for life in lives if not life.refused and life.data},
            book_updates=board.book_updates - self._sampled_updates,
            trades=board.trades - self._sampled_trades,
            offset_err_ms=self.offset.error_ms,
        )
        self._sampled_messages = self._messages
        self._sampled_updates, self._sampled_trades = board.book_updates, board.trades
        return sample

    # for frames

    @property
    def sockets(self) -> int:
        """ccxt's connection as a whole: how many sockets it holds is its own affair."""
        return 1

    @property
    def sockets_up(self) -> int:
        return int(self._pipe is not None and self._told is True)

    def channels(self) -> tuple[ChannelLife, ...]:
        return () if self._channels is None else self._channels.silences(self._meters.clock.monotonic_ns())

    def actual(self, symbol: str) -> str:
        """The route's own symbol for a watched one."""
        return self.stand_ins.get(symbol, symbol)

    def carries(self, symbol: str) -> bool:
        return self._pipe is not None and symbol in self._up
