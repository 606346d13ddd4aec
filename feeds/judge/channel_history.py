"""How long each channel of a route is usually silent: learnt from silences that ended on normal days."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from feeds.judge.thresholds import Thresholds
from feeds.model import venue_of
from feeds.quantiles import median
from feeds.samples import CHANNEL_KEY_SEPARATOR, FeedSample

ENGINE_CHANNELS = frozenset({"book", "bbo", "trades"})
"""Channels that show the matching engine at work."""
ENGINE = "*"
"""Name of all engine channels together among a route's channels."""
PEAK_KEPT = 0.98
"""Share of the longest silence that is kept at each further silence: it is slowly forgotten."""


def channel_of(key: str) -> str:
    """``trades:BTC/USDT`` -> ``trades``."""
    return key.partition(CHANNEL_KEY_SEPARATOR)[0]


def channel_silences_s(sample: FeedSample | None) -> dict[str, float]:
    """By channel: silence of its liveliest symbol. One quiet pair never makes a channel silent."""
    silences: dict[str, float] = {}
    if sample is not None:
        for key, silence_ms in sample.channel_silence_ms.items():
            channel, seconds = channel_of(key), silence_ms / 1e3
            silences[channel] = min(silences.get(channel, seconds), seconds)
    return silences


class ChannelHistory:
    """All channels of one route."""

    def __init__(self) -> None:
        self.silences_s: dict[str, float] = {}
        """By channel: its silence as of the last feed sample."""
        self._learnt: dict[str, float] | None = None
        self._before_s: dict[str, float] = {}
        self._ended: dict[str, int] = {}
        self._peak_s: dict[str, float] = {}

    def observe(self, sample: FeedSample) -> None:
        self.silences_s = channel_silences_s(sample)

    def awoke(self) -> None:
        """A silence that we slept through is no silence of the channel."""
        self.silences_s, self._learnt = {}, None
        self._before_s.clear()

    def learn(self, abnormal: Container[str]) -> None:
        """A silence that ended and showed no evidence of trouble was a normal one."""
        if self._learnt is self.silences_s:
            return
        self._learnt = self.silences_s
        silences_s = dict(self.silences_s)
        engine_s = [s for channel, s in silences_s.items() if channel in ENGINE_CHANNELS]
        if engine_s:
            silences_s[ENGINE] = min(engine_s)
        for channel, silence_s in silences_s.items():
            before_s = self._before_s.get(channel, 0.0)
            self._before_s[channel] = silence_s
            if silence_s < before_s and f"channel.{channel}" not in abnormal and "silence" not in abnormal:
                self._ended[channel] = self._ended.get(channel, 0) + 1
                self._peak_s[channel] = max(before_s, self._peak_s.get(channel, 0.0) * PEAK_KEPT)

    def ended(self, channel: str) -> int:
        """How many of its silences have ended."""
        return self._ended.get(channel, 0)

    def peak_s(self, channel: str) -> float:
        """The longest silence of all its symbols together on normal days, slowly forgotten; 0: none has ended."""
        return self._peak_s.get(channel, 0.0)

    def known_peaks_s(self, least: int) -> dict[str, float]:
        """By channel: the longest usual silence, where at least ``least`` silences have ended."""
        return {channel: self.peak_s(channel) for channel, ended in self._ended.items() if ended >= least}


class PeerSilences:
    """The longest usual silence of a channel at the other venues. Made for one step; works out what is asked for."""

    def __init__(self, by_route: Iterable[tuple[str, ChannelHistory]], limits: Thresholds) -> None:
        self._channels = [(venue_of(route), channels) for route, channels in by_route]
        self._least = limits.channel_gaps_known
        self._by_venue: dict[str, Mapping[str, float]] = {}

    def elsewhere_s(self, venue: str, channel: str) -> float | None:
        """Median over the routes of all other venues; None: not known at any."""
        known = self._by_venue.get(venue)
        if known is None:
            known = self._by_venue[venue] = self._outside(venue)
        return known.get(channel)

    def _outside(self, venue: str) -> dict[str, float]:
        peaks_s: dict[str, list[float]] = {}
        for other, channels in self._channels:
            if other != venue:
                for channel, peak_s in channels.known_peaks_s(self._least).items():
                    peaks_s.setdefault(channel, []).append(peak_s)
        return {channel: level for channel, level in ((c, median(v)) for c, v in peaks_s.items()) if level is not None}
