"""Which subscriptions of one connection are acknowledged, refused or silent. Pure: times are arguments.

An acknowledgement proves nothing: venues have confirmed subscriptions that never carried a message. Only data, or a
heartbeat of that very channel, counts as life. Times in ns, monotonic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from feeds.clock import MS, SECOND
from feeds.model import Ack, BookDelta, BookSnapshot, Channel, Heartbeat, Liquidation, Mark, Quote, Refusal, Trade
from feeds.samples import channel_key
from feeds.venues.base import Subscription

Key: TypeAlias = tuple[Channel, str | None]

_CARRIED: dict[Channel, tuple[type, ...]] = {
    Channel.BOOK: (BookSnapshot, BookDelta),
    Channel.BBO: (Quote,),
    Channel.TRADES: (Trade,),
    Channel.LIQUIDATIONS: (Liquidation,),
    Channel.MARK: (Mark,),
}
_EVENTFUL: frozenset[Channel] = frozenset({Channel.TRADES, Channel.LIQUIDATIONS, Channel.STATUS})
"""Channels that are silent when nothing happens. Once they had data, silence alone is no reason to subscribe again."""
_PATIENCE = 4.0
"""Each further resubscription of a channel that stays silent waits this many times longer."""
_LONGEST_NS = 3600 * SECOND


class ChannelLife(Struct, frozen=True, kw_only=True):
    """The state of one subscription at one moment."""

    channel: Channel
    symbol: str | None
    silence_ms: float
    """Since its last data on any connection, or since it was first asked for where there never was any."""
    limit_ms: float | None
    """From which silence on the venue's facts call it unusual; None where they say nothing."""
    acked: bool
    refused: bool
    data: bool
    """Data came on this connection."""
    resubscribed: int
    """How often it was asked for again during its present silence."""

    @property
    def key(self) -> str:
        """As samples name it: ``channel`` or ``channel:symbol``."""
        return channel_key(self.channel, self.symbol)

    @property
    def late(self) -> bool:
        """Silent for longer than its limit, and not because it was refused."""
        return not self.refused and self.limit_ms is not None and self.silence_ms > self.limit_ms

    @property
    def never_data(self) -> bool:
        """Asked for, not refused, and still nothing on this connection after its limit."""
        return self.late and not self.data


class _Asked:
    """What is remembered of one subscription."""

    __slots__ = ("acked", "asked_ns", "limit_ns", "refused", "tries")

    def __init__(self, asked_ns: int, limit_ns: int | None) -> None:
        self.asked_ns, self.limit_ns = asked_ns, limit_ns
        self.acked = self.refused = False
        self.tries = 0


class Channels:
    """The subscriptions of one connection.

    ``last_data_ns`` is written by the read path itself, to save a call a message: event type -> symbol -> when, 0 for
    never. The two book events share one inner dict.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        quiet_s: Mapping[Channel, float],
        now_ns: int,
        before: Mapping[Key, int] | None = None,
    ) -> None:
        """``before``: when each subscription had its last data (or was first asked for) on earlier connections."""
        self._before = dict(before or {})
        self._since_ns = now_ns
        self._by_channel: dict[Channel, dict[str | None, int]] = {c: {} for c in _CARRIED}
        self.last_data_ns: dict[type, dict[str | None, int]] = {
            kind: self._by_channel[channel] for channel, kinds in _CARRIED.items() for kind in kinds
        }
        self._asked: dict[Key, _Asked] = {}
        for s in subscriptions:
            limit_s = quiet_s.get(s.channel)
            self._asked[s.channel, s.symbol] = _Asked(now_ns, None if limit_s is None else int(limit_s * SECOND))
            self._by_channel.setdefault(s.channel, {})[s.symbol] = 0

    def _data_ns(self, key: Key) -> int:
        return self._by_channel[key[0]].get(key[1], 0)

    def acked(self, ack: Ack) -> None:
        for asked in self._meant(ack.channel, ack.symbol):
            asked.acked, asked.refused = True, False

    def refused(self, refusal: Refusal) -> None:
        # A complaint that names no channel is not a refusal of all of them.
        if refusal.channel is not None:
            for asked in self._meant(refusal.channel, refusal.symbol):
                asked.refused = True

    def beat(self, heartbeat: Heartbeat, now_ns: int) -> None:
        """A heartbeat of a channel counts as its data; one of the whole socket says nothing about its channels."""
        if heartbeat.channel is None:
            return
        for channel, symbol in self._asked:
            if channel is heartbeat.channel and heartbeat.symbol in (None, symbol):
                self._by_channel[channel][symbol] = now_ns

    def _meant(self, channel: Channel | None, symbol: str | None) -> list[_Asked]:
        """The subscriptions that an answer is about. None means all: of the connection, or of the channel."""
        return [
            asked
            for (c, s), asked in self._asked.items()
            if channel in (None, c) and (symbol is None or s is None or s == symbol)
        ]

    def silences(self, now_ns: int) -> tuple[ChannelLife, ...]:
        """Every subscription, in the order of the plan."""
        lives = []
        for key, asked in self._asked.items():
            data_ns = self._data_ns(key)
            since_ns = data_ns or self._before.get(key, self._since_ns)
            lives.append(
                ChannelLife(
                    channel=key[0],
                    symbol=key[1],
                    silence_ms=max(0, now_ns - since_ns) / MS,
                    limit_ms=None if asked.limit_ns is None else asked.limit_ns / MS,
                    acked=asked.acked,
                    refused=asked.refused,
                    data=data_ns > 0,
                    resubscribed=asked.tries,
                )
            )
        return tuple(lives)

    def last(self) -> dict[Key, int]:
        """The next connection's ``before``."""
        return {key: self._data_ns(key) or self._before.get(key, self._since_ns) for key in self._asked}

    def overdue(self, now_ns: int) -> list[tuple[Channel, str]]:
        """Subscriptions to ask for again now; each call counts as having asked.

        Only single channels: when no data comes at all, asking again would only add load to a venue in trouble. A
        channel is asked for again after its limit, then at growing intervals.
        """
        newest_ns = max((t for d in self._by_channel.values() for t in d.values()), default=0)
        due: list[tuple[Channel, str]] = []
        for key, asked in self._asked.items():
            channel, symbol = key
            if asked.limit_ns is None or asked.refused or symbol is None:
                continue
            data_ns = self._data_ns(key)
            if data_ns > asked.asked_ns:
                asked.tries = 0
            if (data_ns and channel in _EVENTFUL) or (newest_ns and now_ns - newest_ns > asked.limit_ns):
                continue
            wait_ns = min(asked.limit_ns * _PATIENCE**asked.tries, max(_LONGEST_NS, asked.limit_ns))
            if now_ns - max(data_ns, asked.asked_ns) > wait_ns:
                asked.tries += 1
                asked.asked_ns = now_ns
                due.append((channel, symbol))
        return due

    def missing(self, wanted: Sequence[Key]) -> bool:
        """Is any of these still without data on this connection?"""
        return any(key in self._asked and not self._data_ns(key) for key in wanted)

    def alive(self) -> list[Key]:
        """Subscriptions with data on this connection, without those that are silent when nothing happens."""
        return [key for key in self._asked if key[0] not in _EVENTFUL and self._data_ns(key)]
