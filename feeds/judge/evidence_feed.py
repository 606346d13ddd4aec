"""From one route's sockets and channels to findings: what is cut, silent, or acknowledged and never sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from feeds.judge.finding import Finding, figure, ratio_of
from feeds.judge.own_side import OwnSide
from feeds.judge.recent import TRADING, Recent, channel_silences_s
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.judge.thresholds import Thresholds
from feeds.model import Cause, Channel, Evidence, Fault

FAILING_TOO = 2
OTHERS_LIVELY = 0.2
"""A channel is silent by itself only while another one's silence is below this share of its own."""
QUIET_CHANNELS = frozenset({"liquidations", "status"})
"""May be silent for hours on a good day."""
EVENTFUL_CHANNELS = QUIET_CHANNELS | {"trades"}
"""Silent when nothing happens: one pair's silence means nothing."""


def feed_findings(
    track: RouteHistory, now: Recent, own: OwnSide, now_ns: int, elsewhere_s: Mapping[str, float]
) -> Iterator[Finding]:
    """``elsewhere_s``: by channel, the longest usual silence of it on other venues."""
    yield from _link_findings(track, own, now_ns)
    yield from _silence_findings(track, now, own, now_ns, elsewhere_s)
    gaps = sum(v for _, v in track.gap_counts.items)
    if gaps >= track.limits.gaps_min:
        yield Finding(
            key="gaps",
            signal="gaps",
            evidence=Evidence.FEED,
            cause=Cause.FEED,
            weight=1,
            value=gaps,
            text=f"{figure(gaps)} sequence gaps in {figure(track.limits.figures_s)} s",
        )


def _link_findings(track: RouteHistory, own: OwnSide, now_ns: int) -> Iterator[Finding]:
    limits = track.limits
    yield from _our_limit_finding(track, now_ns)
    down = {
        label: link for label, link in track.links.items() if not link.connected and link.fault is not Fault.OUR_LIMIT
    }
    if down:
        all_down = len(down) == len(track.links)
        since_ns = max(max(link.since_ns for link in down.values()), own.recovered_ns or 0)
        patience_s = limits.link_down_s * (1 if all_down else 2)
        if any(link.planned for link in down.values()):
            patience_s *= 2
        if now_ns - since_ns >= ns(patience_s):
            words = next((link.text for link in down.values() if link.text), "")
            yield Finding(
                key="links" if all_down else "link",
                signal="links_down",
                evidence=Evidence.FEED,
                cause=Cause.FEED,
                weight=3 if all_down else 1,
                value=float(len(down)),
                onset_ns=since_ns,
                raise_s=0.0,
                text=f"{len(down)} of {len(track.links)} websockets down" + (f": {words[:80]}" if words else ""),
            )
    cuts = len(track.reconnects.items)
    if cuts >= limits.reconnects_min:
        yield Finding(
            key="reconnects",
            signal="reconnects",
            evidence=Evidence.FEED,
            cause=Cause.FEED,
            weight=1,
            value=float(cuts),
            text=f"{cuts} unplanned reconnects in {figure(limits.reconnects_window_s)} s",
        )


def _our_limit_finding(track: RouteHistory, now_ns: int) -> Iterator[Finding]:
    """Websockets that the venue keeps closed because we exceeded its limit: our fault, never the venue's."""
    limited = [link for link in track.links.values() if not link.connected and link.fault is Fault.OUR_LIMIT]
    if not limited:
        return
    since_ns = max(link.since_ns for link in limited)
    if now_ns - since_ns < ns(track.limits.link_down_s):
        return
    none_up = not track.links_up()
    yield Finding(
        key="refused" if none_up else "our_limit",
        signal="links_our_limit",
        evidence=Evidence.FEED,
        cause=Cause.SELF,
        weight=3 if none_up else 1,
        value=float(len(limited)),
        onset_ns=since_ns,
        raise_s=0.0,
        text=f"{len(limited)} of {len(track.links)} websockets closed by the venue for our limit",
    )


def _silence_findings(
    track: RouteHistory, now: Recent, own: OwnSide, now_ns: int, elsewhere_s: Mapping[str, float]
) -> Iterator[Finding]:
    limits, feed = track.limits, track.feed
    if feed is None or track.feed_ns is None or (track.links and not track.links_up()):
        return
    up_ns = max((link.since_ns for link in track.links.values() if link.connected), default=track.first_ns or now_ns)
    connected_s = (track.feed_ns - max(up_ns, own.recovered_ns or 0)) / 1e9
    silence_s = min(track.data_silence_s() or 0.0, connected_s)
    silence_s -= own.lag_ms(track.feed_ns - ns(max(silence_s, 0.0)), track.feed_ns) / 1e3
    limit_s = silence_limit_s(track, limits, failing=now.tail_errors + now.tail_lost >= FAILING_TOO)
    alive = "" if feed.keepalive_ok is None else ", keepalive answered" if feed.keepalive_ok else ", no keepalive"
    if silence_s >= limit_s:
        rate = track.base_rate.value
        usual = f", usually {figure(rate)} messages/s" if rate is not None else ""
        yield Finding(
            key="silence",
            signal="silence_ms",
            evidence=Evidence.FEED,
            cause=Cause.ENGINE if feed.keepalive_ok is not False else Cause.FEED,
            weight=3,
            value=silence_s * 1e3,
            onset_ns=track.feed_ns - ns(silence_s),
            raise_s=0.5,
            text=f"connected, no trade and no book change for {figure(silence_s)} s{usual}{alive}",
        )
        return
    trickle = _trickle(track, connected_s)
    if trickle is not None:
        trickle_rate, usual_rate = trickle
        now_and_then = f"{figure(round(trickle_rate, 1))} messages/s, usually {figure(usual_rate)}"
        yield Finding(
            key="silence",
            signal="msgs_s",
            evidence=Evidence.FEED,
            cause=Cause.ENGINE,
            weight=3,
            value=trickle_rate,
            baseline=usual_rate,
            ratio=ratio_of(trickle_rate, usual_rate),
            onset_ns=track.feed_ns - ns(limits.trickle_s),
            raise_s=limits.trickle_s + 1.0,
            text=f"{now_and_then}: hardly anything new{alive}",
        )
        return
    yield from _channel_findings(track, connected_s, elsewhere_s)


def _trickle(track: RouteHistory, connected_s: float) -> tuple[float, float] | None:
    """(messages a second, usually) while a lively route sends next to nothing: some venues repeat a frozen book."""
    limits, usual = track.limits, track.base_rate.value
    if usual is None or usual < limits.trickle_rate or track.feed_ns is None or connected_s <= limits.trickle_s:
        return None
    rates = track.rates.since(track.feed_ns - ns(limits.trickle_s))
    rate = sum(rates) / len(rates) if rates else 0.0
    return (rate, usual) if rate <= limits.trickle_share * usual else None


def silence_limit_s(track: RouteHistory, limits: Thresholds, failing: bool) -> float:
    """How long without any data is strange for this route, from its own rate of messages."""
    rate = track.base_rate.value
    if track.data_ns is None:
        return limits.first_data_s
    if rate is not None and rate >= limits.lively_rate:
        peak_s = track.channel_peak_s.get(TRADING, 0.0)
        least_s = limits.silence_failing_s if failing else limits.silence_min_s
        return max(least_s, limits.silence_gaps / rate, limits.silence_peaks * peak_s)
    alive = track.feed is not None and track.feed.keepalive_ok is True
    return limits.quiet_route_s if alive else limits.first_data_s


def _moved_within(track: RouteHistory, symbol: str, silence_ms: float) -> bool:
    """Did the pair's book move its mid within the silence, though not in its very last seconds?"""
    book = track.symbols.get(symbol)
    if book is None or book.moved_ns is None or track.feed_ns is None:
        return False
    return book.moved_ns > track.feed_ns - ns(silence_ms / 1e3) + ns(2.0)


def _channel_findings(track: RouteHistory, connected_s: float, elsewhere_s: Mapping[str, float]) -> Iterator[Finding]:
    """Channels that are silent as a whole, and single subscriptions that are while their pair is alive elsewhere."""
    limits, feed = track.limits, track.feed
    if feed is None:
        return
    silences_ms, told = feed.channel_silence_ms, set[str]()
    never = [key for key in sorted(feed.never_data) if key.partition(":")[0] not in QUIET_CHANNELS]
    for channel in sorted({key.partition(":")[0] for key in never}):
        of_channel = [key for key in silences_ms if key.partition(":")[0] == channel]
        if channel in never or all(key in never for key in of_channel):
            told.add(channel)
            yield _channel_finding(track, channel, _least(silences_ms, of_channel), "acknowledged, never any data")
    by_channel_s = channel_silences_s(track)
    for channel, silence_s in sorted(by_channel_s.items()):
        others_s = min((s for c, s in by_channel_s.items() if c != channel), default=silence_s)
        if others_s > max(limits.trading_s, OTHERS_LIVELY * silence_s):
            continue
        limit_s = channel_limit_s(track, channel, elsewhere_s.get(channel))
        if limit_s is not None and channel not in told and min(silence_s, connected_s) >= limit_s:
            told.add(channel)
            words = "silent while other channels go on" if track.channel_gaps.get(channel) else "never any data"
            yield _channel_finding(track, channel, silence_s * 1e3, words)
    for key, silence_ms in sorted(silences_ms.items()):
        channel, _, symbol = key.partition(":")
        if channel in told or channel in EVENTFUL_CHANNELS or not symbol:
            continue
        if channel == Channel.BBO.value and not _moved_within(track, symbol, silence_ms):
            continue  # best prices that stand still are not repeated, however many small trades they fill
        traded_ms = silences_ms.get(f"trades:{symbol}")
        trades = traded_ms is not None and traded_ms < limits.trading_s * 1e3
        limit_ms = max(limits.channel_silence_min_s * 1e3, feed.quiet_limit_ms.get(key, 0.0))
        if trades and min(silence_ms, connected_s * 1e3) >= limit_ms:
            yield _channel_finding(track, key, silence_ms, "silent while the pair trades")


def channel_limit_s(track: RouteHistory, channel: str, elsewhere_s: float | None) -> float | None:
    """How long all pairs of a channel may be silent together: by its own past, else by its past at other venues, else
    by the venue's facts; None where nothing is known."""
    limits, feed = track.limits, track.feed
    if feed is None or channel in QUIET_CHANNELS:
        return None
    gaps, peak_s = track.channel_gaps.get(channel, 0), track.channel_peak_s.get(channel, 0.0)
    if gaps >= limits.channel_gaps_known:
        return max(limits.channel_silence_min_s, limits.channel_silence_gaps * peak_s)
    rate = track.base_rate.value or 0.0
    if gaps == 0 and elsewhere_s is not None and rate >= limits.lively_rate:
        return max(limits.channel_first_data_s, limits.channel_silence_gaps * elsewhere_s)
    allowed = [v / 1e3 for key, v in feed.quiet_limit_ms.items() if key.partition(":")[0] == channel]
    return max(limits.channel_silence_min_s, *allowed, limits.channel_silence_gaps * peak_s) if allowed else None


def _least(silences_ms: Mapping[str, float], keys: Sequence[str]) -> float | None:
    return min((silences_ms[key] for key in keys), default=None)


def _channel_finding(track: RouteHistory, channel: str, silence_ms: float | None, words: str) -> Finding:
    after = f" for {figure(silence_ms / 1e3)} s" if silence_ms is not None else ""
    return Finding(
        key=f"channel.{channel}",
        signal=f"silence_ms.{channel}",
        evidence=Evidence.FEED,
        cause=Cause.FEED,
        weight=2,
        value=silence_ms,
        onset_ns=track.feed_ns - ns(silence_ms / 1e3) if silence_ms is not None and track.feed_ns is not None else None,
        text=f"{channel}: {words}{after}",
    )
