"""A route's websockets: opened by the venue's plan, sampled and counted together."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from feeds.books.route_books import RouteBooks
from feeds.clock import MS
from feeds.measure.rest_side import RestSide
from feeds.measure.route_context import RouteContext
from feeds.measure.route_tasks import RouteTasks
from feeds.model import Channel, Event, Fault, Instrument
from feeds.quantiles import percentile
from feeds.samples import FeedSample, LinkSample
from feeds.transport.stream import Stream
from feeds.transport.subscriptions import ChannelLife
from feeds.venues.base import SocketPlan


class RouteSockets:
    def __init__(self, context: RouteContext, base_url: str) -> None:
        self._context, self._base_url = context, base_url
        self.streams: list[Stream] = []

    def open(self, instruments: Sequence[Instrument], books: RouteBooks, rest: RestSide, tasks: RouteTasks) -> None:
        """``rest`` answers the handshakes of sockets that need a token."""
        context = self._context
        for plan in context.venue.plan(context.product, instruments):
            stream = Stream(
                context.route,
                context.venue,
                plan,
                instruments,
                self._base_url,
                _SocketEvents(context, books, plan),
                context.meters.clock,
                limits=context.limits,
                ask=rest.request,
                tls=context.tls,
            )
            self.streams.append(stream)
            tasks.start(stream.run())

    # samples

    def sample_links(self, gaps: int, mono_ns: int) -> None:
        """Emit every socket's state, one sample a measured round trip; add the venue's times in pongs to the offset.

        ``gaps`` are the route's, since books belong to it and not to one of its sockets. A resync is the other end of
        a gap and not counted beside it.
        """
        for index, stream in enumerate(self.streams):
            now = stream.sample()
            if index == 0:
                now = msgspec.structs.replace(now, gaps=gaps)
            round_trips: list[float | None] = [*stream.stats.take_ws_ms()]
            for ws_ms in round_trips or [None]:
                self._context.meters.emit(msgspec.structs.replace(now, ws_ms=ws_ms))
            for sent_ns, rtt_ns, server_ns in stream.stats.take_clocks():
                self._context.offset.add(sent_ns=sent_ns, rtt_ns=rtt_ns, server_ns=server_ns, now_mono_ns=mono_ns)

    def add_to(self, sample: FeedSample, mono_ns: int) -> FeedSample:
        """The sample with what the sockets know: silences, keepalives and our own lag."""
        channels = self.channels(mono_ns)
        own = sorted(lag / MS for stream in self.streams for lag in stream.stats.take_own_lag_ns())
        keepalives = [s.keepalive_ok for s in self.streams if s.keepalive_ok is not None]
        last_any_ns = [s.stats.last_any_ns for s in self.streams if s.stats.last_any_ns is not None]
        return msgspec.structs.replace(
            sample,
            own_lag_ms=percentile(own, 0.99),
            silence_ms=max(0.0, (mono_ns - max(last_any_ns)) / MS) if last_any_ns else None,
            channel_silence_ms={c.key: c.silence_ms for c in channels if not c.refused},
            quiet_limit_ms={c.key: c.limit_ms for c in channels if c.limit_ms is not None},
            keepalive_ok=all(keepalives) if keepalives else None,
            never_data=tuple(c.key for c in channels if c.never_data),
            unacknowledged=tuple(c.key for c in channels if c.never_data and not c.acked),
        )

    def channels(self, mono_ns: int) -> tuple[ChannelLife, ...]:
        return tuple(channel for stream in self.streams for channel in stream.silences(mono_ns))

    def carries(self, symbol: str) -> bool:
        """The socket that this symbol's book comes by is connected."""
        return any(
            stream.connected
            for stream in self.streams
            if any(s.channel is Channel.BOOK and s.symbol == symbol for s in stream.plan.subscriptions)
        )

    # counters over all sockets

    @property
    def up(self) -> int:
        return sum(stream.connected for stream in self.streams)

    @property
    def messages(self) -> int:
        return sum(stream.stats.messages for stream in self.streams)

    @property
    def reconnects(self) -> int:
        return sum(stream.stats.reconnects for stream in self.streams)

    @property
    def garbled(self) -> int:
        return sum(stream.stats.garbled for stream in self.streams)

    @property
    def unknown(self) -> int:
        return sum(stream.stats.unknown for stream in self.streams)


class _SocketEvents:
    """Takes what one socket reports: its events go to the route's books, its changes to samples and the event log."""

    def __init__(self, context: RouteContext, books: RouteBooks, plan: SocketPlan) -> None:
        self._context, self._books = context, books
        self._symbols = [s.symbol for s in plan.subscriptions if s.channel is Channel.BOOK and s.symbol is not None]

    def events(self, stream: Stream, events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        self._books.events(stream, events, wall_ns, mono_ns)

    def link(self, sample: LinkSample) -> None:
        self._context.meters.emit(sample)
        if sample.planned or not sample.connected:
            self._context.log_event("reconnect", link_text(sample))
        if not sample.connected:  # a successor that takes over is ``connected`` at once
            self._books.disconnected(self._symbols)


def link_text(sample: LinkSample) -> str:
    """A socket's change, for the event log."""
    if sample.connected:
        return f"{sample.label} socket renewed before its end, no gap"
    if sample.planned:
        what = "closed by appointment"
    elif sample.fault is None:
        what = "lost"
    elif sample.code is None:
        what = "refused"
    else:
        what = "closed for our limit" if sample.fault is Fault.OUR_LIMIT else "closed"
    code = f" ({sample.code})" if sample.code is not None else ""
    why = f": {sample.text}" if sample.text else ""
    return f"{sample.label} socket {what}{code}{why}; dialling again"
