"""From what a route does not send to findings: no data at all, hardly any, one channel silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from feeds.judge.channel_history import ENGINE, channel_of
from feeds.judge.finding import Finding, figure, ratio_of
from feeds.judge.own_side import OwnSide
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.model import Cause, Channel, Evidence
from feeds.samples import FeedSample

FAILING_TOO = 2
"""So many of the very last probes failed: the API fails while the feed is silent."""
OTHERS_LIVELY = 0.2
"""A channel is silent by itself only while another one's silence is below this share of its own."""
QUIET_CHANNELS = frozenset({"liquidations", "status"})
"""May be silent for hours on a good day."""
EVENTFUL_CHANNELS = QUIET_CHANNELS | {"trades"}
"""Silent when nothing happens: one pair's silence means nothing."""

Elsewhere = Callable[[str], float | None]
"""By channel: the longest usual silence of it at other venues, s; None: not known."""


def silence_findings(history: RouteHistory, own: OwnSide, now_ns: int, elsewhere_s: Elsewhere) -> Iterator[Finding]:
    """All data silent, else hardly any data, else single channels."""
    feed, links = history.feed, history.links
    if feed.last is None or feed.last_ns is None or (len(links) and not links.up()):
        return
    up_ns = max((link.since_ns for link in links.up()), default=history.first_ns or now_ns)
    connected_s = (feed.last_ns - max(up_ns, own.recovered_ns or 0)) / 1e9
    silence_s = min(history.data_silence_s() or 0.0, connected_s)
    silence_s -= own.lag_ms(feed.last_ns - ns(max(silence_s, 0.0)), feed.last_ns) / 1e3
    rest = history.rest.recent
    if silence_s >= silence_limit_s(history, failing=rest.tail_errors + rest.tail_lost >= FAILING_TOO):
        yield _all_silent(history, feed.last, feed.last_ns, silence_s)
        return
    trickle = _trickle(history, feed.last, feed.last_ns, connected_s)
    if trickle is not None:
        yield trickle
        return
    yield from _whole_channels(history, feed.last, connected_s, elsewhere_s)


def _all_silent(history: RouteHistory, feed: FeedSample, last_ns: int, silence_s: float) -> Finding:
    rate = history.feed.base_rate.value
    usual = f", usually {figure(rate)} messages/s" if rate is not None else ""
    return Finding(
        key="silence",
        signal="data_silence_ms",
        evidence=Evidence.FEED,
        cause=Cause.ENGINE if feed.keepalive_ok is not False else Cause.FEED,
        weight=3,
        value=silence_s * 1e3,
        onset_ns=last_ns - ns(silence_s),
        raise_s=0.5,
        text=f"connected, no trade and no book change for {figure(silence_s)} s{usual}{_keepalive(feed)}",
    )


def _trickle(history: RouteHistory, feed: FeedSample, last_ns: int, connected_s: float) -> Finding | None:
    """A lively route that sends next to nothing: some venues repeat a frozen book."""
    limits, usual = history.limits, history.feed.base_rate.value
    if usual is None or usual < limits.trickle_rate or connected_s <= limits.trickle_s:
        return None
    rate = history.feed.rate_before_last(limits.trickle_s)
    if rate > limits.trickle_share * usual:
        return None
    window = f"last {figure(limits.trickle_s)} s"
    words = f"{figure(round(rate, 1))} messages/s, {window}, usually {figure(usual)}: hardly anything new"
    return Finding(
        key="silence",
        signal="msgs_last6s_per_s",
        evidence=Evidence.FEED,
        cause=Cause.ENGINE,
        weight=3,
        value=rate,
        baseline=usual,
        ratio=ratio_of(rate, usual),
        onset_ns=last_ns - ns(limits.trickle_s),
        raise_s=limits.trickle_s + 1.0,
        text=words + _keepalive(feed),
    )


def _keepalive(feed: FeedSample) -> str:
    if feed.keepalive_ok is None:
        return ""
    return ", keepalive answered" if feed.keepalive_ok else ", no keepalive"


def silence_limit_s(history: RouteHistory, failing: bool) -> float:
    """How long without any data is strange for this route, by its own rate of messages. ``failing``: so is its API."""
    limits, feed = history.limits, history.feed
    rate = feed.base_rate.value
    if feed.data_ns is None:
        return limits.first_data_s
    if rate is not None and rate >= limits.lively_rate:
        least_s = limits.silence_failing_s if failing else limits.silence_min_s
        return max(least_s, limits.silence_gaps / rate, limits.silence_peaks * feed.channels.peak_s(ENGINE))
    alive = feed.last is not None and feed.last.keepalive_ok is True
    return limits.quiet_route_s if alive else limits.first_data_s


def _whole_channels(
    history: RouteHistory, feed: FeedSample, connected_s: float, elsewhere_s: Elsewhere
) -> Iterator[Finding]:
    """Channels that never sent data; channels silent as a whole; then single subscriptions of the other channels."""
    silences_ms, reported = feed.channel_silence_ms, set[str]()
    never = [key for key in sorted(feed.never_data) if channel_of(key) not in QUIET_CHANNELS]
    for channel in sorted({channel_of(key) for key in never}):
        of_channel = [key for key in silences_ms if channel_of(key) == channel]
        if channel in never or all(key in never for key in of_channel):
            reported.add(channel)
            asked = all(key in feed.unacknowledged for key in never if channel_of(key) == channel)
            words = "asked for, never any data" if asked else "acknowledged, never any data"
            yield _channel_finding(history, channel, _least(silences_ms, of_channel), words)
    by_channel_s = history.feed.channels.silences_s
    for channel, silence_s in sorted(by_channel_s.items()):
        others_s = min((s for c, s in by_channel_s.items() if c != channel), default=silence_s)
        if channel in reported or others_s > max(history.limits.trading_s, OTHERS_LIVELY * silence_s):
            continue
        limit_s = channel_limit_s(history, feed, channel, elsewhere_s)
        if limit_s is not None and min(silence_s, connected_s) >= limit_s:
            reported.add(channel)
            known = history.feed.channels.ended(channel)
            words = "silent while other channels go on" if known else "never any data"
            yield _channel_finding(history, channel, silence_s * 1e3, words)
    yield from _single_subscriptions(history, feed, connected_s, reported)


def _single_subscriptions(
    history: RouteHistory, feed: FeedSample, connected_s: float, reported: set[str]
) -> Iterator[Finding]:
    limits, silences_ms = history.limits, feed.channel_silence_ms
    for key, silence_ms in sorted(silences_ms.items()):
        channel, _, symbol = key.partition(":")
        if channel in reported or channel in EVENTFUL_CHANNELS or not symbol:
            continue
        if channel == Channel.BBO.value and not _mid_moved(history, symbol, silence_ms):
            continue  # a best price that does not change is not sent again, however many small trades fill it
        traded_ms = silences_ms.get(f"trades:{symbol}")
        trades = traded_ms is not None and traded_ms < limits.trading_s * 1e3
        limit_ms = max(limits.channel_silence_min_s * 1e3, feed.quiet_limit_ms.get(key, 0.0))
        if trades and min(silence_ms, connected_s * 1e3) >= limit_ms:
            yield _channel_finding(history, key, silence_ms, "silent while the pair trades")


def _mid_moved(history: RouteHistory, symbol: str, silence_ms: float) -> bool:
    """Did the mid of the pair's book move within the silence, though not in its very last seconds?"""
    book, last_ns = history.symbols.get(symbol), history.feed.last_ns
    if book is None or book.moved_ns is None or last_ns is None:
        return False
    return book.moved_ns > last_ns - ns(silence_ms / 1e3) + ns(2.0)


def channel_limit_s(history: RouteHistory, feed: FeedSample, channel: str, elsewhere_s: Elsewhere) -> float | None:
    """How long all pairs of a channel may be silent together: by its own past, else by its past at other venues, else
    by the venue's facts; None where nothing is known."""
    limits, channels = history.limits, history.feed.channels
    if channel in QUIET_CHANNELS:
        return None
    ended, peak_s = channels.ended(channel), channels.peak_s(channel)
    if ended >= limits.channel_gaps_known:
        return max(limits.channel_silence_min_s, limits.channel_silence_gaps * peak_s)
    rate = history.feed.base_rate.value or 0.0
    if ended == 0 and rate >= limits.lively_rate:
        usual_s = elsewhere_s(channel)
        if usual_s is not None:
            return max(limits.channel_first_data_s, limits.channel_silence_gaps * usual_s)
    allowed = [v / 1e3 for key, v in feed.quiet_limit_ms.items() if channel_of(key) == channel]
    return max(limits.channel_silence_min_s, *allowed, limits.channel_silence_gaps * peak_s) if allowed else None


def _least(silences_ms: Mapping[str, float], keys: Sequence[str]) -> float | None:
    return min((silences_ms[key] for key in keys), default=None)


def _channel_finding(history: RouteHistory, channel: str, silence_ms: float | None, words: str) -> Finding:
    after = f" for {figure(silence_ms / 1e3)} s" if silence_ms is not None else ""
    last_ns = history.feed.last_ns
    return Finding(
        key=f"channel.{channel}",
        signal=f"channel_silence_ms.{channel}",
        evidence=Evidence.FEED,
        cause=Cause.FEED,
        weight=2,
        value=silence_ms,
        onset_ns=last_ns - ns(silence_ms / 1e3) if silence_ms is not None and last_ns is not None else None,
        text=f"{channel}: {words}{after}",
    )
