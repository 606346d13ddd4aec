"""How long a channel is usually silent."""

from __future__ import annotations

from collections.abc import Container

from feeds.judge.channel_history import ENGINE, ChannelHistory, PeerSilences
from feeds.judge.findings import EVERYTHING
from feeds.judge.thresholds import Thresholds
from feeds.samples import FeedSample


def silent(channels: ChannelHistory, abnormal: Container[str], **silences_s: float) -> None:
    silences_ms = {f"{channel}:A/B": 1e3 * seconds for channel, seconds in silences_s.items()}
    channels.observe(
        FeedSample(route="a.spot", t_ns=0, interval_ms=1e3, messages=1, bursts=1, channel_silence_ms=silences_ms)
    )
    channels.learn(abnormal)
    channels.learn(abnormal)


def test_a_silence_is_learnt_once_when_it_ends() -> None:
    channels = ChannelHistory()
    silent(channels, (), trades=4.0)
    assert channels.ended("trades") == 0 and channels.peak_s("trades") == 0.0
    silent(channels, (), trades=0.1)
    assert channels.ended("trades") == 1 and channels.peak_s("trades") == 4.0


def test_a_silence_that_showed_trouble_is_not_learnt() -> None:
    for abnormal in ({"channel.trades"}, {"silence"}, EVERYTHING):
        channels = ChannelHistory()
        silent(channels, abnormal, trades=4.0)
        silent(channels, abnormal, trades=0.1)
        assert channels.ended("trades") == 0


def test_the_engine_is_as_lively_as_its_liveliest_channel() -> None:
    channels = ChannelHistory()
    silent(channels, (), trades=9.0, book=2.0, mark=0.1)
    silent(channels, (), trades=0.1, book=0.1, mark=0.1)
    assert channels.peak_s(ENGINE) == 2.0


def test_elsewhere_means_other_venues() -> None:
    by_route = []
    for route, peak_s in (("a.spot", 2.0), ("b.spot", 4.0), ("c.spot", 6.0)):
        channels = ChannelHistory()
        for _ in range(Thresholds().channel_gaps_known):
            silent(channels, (), trades=peak_s)
            silent(channels, (), trades=0.1)
        by_route.append((route, channels))
    peers = PeerSilences(by_route, Thresholds())
    assert peers.elsewhere_s("a", "trades") == 5.0
    assert peers.elsewhere_s("d", "trades") == 4.0
    assert peers.elsewhere_s("a", "book") is None
