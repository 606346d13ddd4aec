"""From the last seconds of one route to findings: what looks wrong about REST, the network and the feed.

A finding is one observation against a threshold at one moment. Whether it lasted, whether others show it too and who is
to blame is decided later. ``held`` names findings that stand already: they are let go only well below the threshold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from feeds.model import Cause, Evidence
from feeds.own import Own
from feeds.recent import TRADING, Recent, channel_silences_s
from feeds.thresholds import Thresholds
from feeds.track import RouteTrack
from feeds.windows import Baseline, ns

LET_GO = 0.65
"""A standing finding stays while its excess is above this part of the threshold."""
ACCIDENT = 0.1
OTHERS_LIVELY = 0.2
"""A channel is silent by itself only while another one's silence is below this share of its own."""
AGE_CEILING_MS = 3_000.0
OFFSET_EXPLAINS = 0.6
QUIET_CHANNELS = frozenset({"liquidations", "status"})
"""May be silent for hours on a good day."""
EVENTFUL_CHANNELS = QUIET_CHANNELS | {"trades"}
"""Silent when nothing happens: one pair's silence means nothing."""
THIN_SPACE = "\u2009"


class Finding(Struct, frozen=True, kw_only=True):
    """One observation. ``weight`` 1 weak, 2 strong, 3 overwhelming."""

    key: str
    """``rest``, or with a name behind a dot: ``channel.trades``, ``depth.BTC/USDT``."""
    signal: str
    """As ``Reason.signal``: name with unit."""
    evidence: Evidence
    cause: Cause | None
    """None: nobody's fault that has a name, a geo-block."""
    weight: int
    text: str
    value: float | None = None
    baseline: float | None = None
    ratio: float | None = None
    onset_ns: int | None = None
    """When it began, where that is known better than by when it was noticed."""
    raise_s: float | None = None
    """Persistence it needs, where not the usual."""


def figure(value: float) -> str:
    """A number for people: one decimal below ten, thin spaces between thousands."""
    if abs(value) < 9.95 and value != int(value):
        return f"{value:.1f}"
    return f"{value:,.0f}".replace(",", THIN_SPACE)


def percent(share: float) -> str:
    return f"{100 * share:.0f}{THIN_SPACE}%"


def ratio_of(value: float | None, baseline: float | None) -> float | None:
    """None where there is nothing to divide by."""
    return value / baseline if value is not None and baseline is not None and baseline > 0 else None


def against(baseline: float | None) -> str:
    return f", baseline {figure(baseline)}" if baseline is not None else ", no baseline yet"


def excess(value: float, base: Baseline, ratio: float, floor: float, held: bool) -> bool:
    """Is ``value`` above its baseline by ratio, by floor and by far more than it usually varies?"""
    usual, spread = base.value, base.mad
    if usual is None or spread is None:
        return False
    ease = LET_GO if held else 1.0
    above = value - usual
    return above >= ease * max(floor, (ratio - 1) * max(usual, 0.0), 6 * spread)


def over(failures: int, of: int, good_since: int) -> bool:
    """Were failures as frequent as before, would so many good answers in a row be a rare accident?"""
    before = max(of - good_since, 1)
    return (1 - failures / before) ** good_since < ACCIDENT


def rest_findings(track: RouteTrack, now: Recent, held: Collection[str]) -> Iterator[Finding]:
    limits = track.limits
    usual_ms = track.base_rest.value
    if now.rest_ms is not None:
        slow = excess(now.rest_ms, track.base_rest, limits.rest_ratio, limits.rest_floor_ms, "rest" in held)
        strong = excess(now.rest_ms, track.base_rest, limits.rest_strong_ratio, limits.rest_strong_floor_ms, False)
        if slow or now.rest_ms >= limits.rest_ceiling_ms:
            yield Finding(
                key="rest",
                signal="rest_p50_ms",
                evidence=Evidence.REST,
                cause=Cause.GATEWAY,
                weight=2 if strong or now.rest_ms >= 2 * limits.rest_ceiling_ms else 1,
                value=now.rest_ms,
                baseline=usual_ms,
                ratio=ratio_of(now.rest_ms, usual_ms),
                text=f"REST round trip p50 {figure(now.rest_ms)} ms{against(usual_ms)}",
            )
    if now.probes:
        share = now.lost / now.probes
        ease = LET_GO if "lost" in held else 1.0
        if (
            now.lost >= ease * limits.lost_min
            and share >= ease * limits.lost_share
            and not over(now.lost, now.probes, now.since_lost)
        ):
            line = now.lost_on_line * 2 > now.lost
            yield Finding(
                key="lost",
                signal="rest_lost_share",
                evidence=Evidence.REST,
                cause=Cause.PATH if line else Cause.GATEWAY,
                weight=2 if share >= limits.lost_strong_share else 1,
                value=share,
                text=f"{percent(share)} of REST probes lost" + (", most while connecting" if line else ""),
            )
    if now.answers:
        share = now.errors / now.answers
        ease = LET_GO if "errors" in held else 1.0
        enough = now.errors >= ease * limits.error_min and share >= ease * limits.error_share
        if enough and not over(now.errors, now.answers, now.since_error):
            strong = share >= limits.error_strong_share and now.errors >= limits.error_strong_min
            yield Finding(
                key="errors",
                signal="rest_error_share",
                evidence=Evidence.REST,
                cause=Cause.GATEWAY,
                weight=2 if strong else 1,
                value=share,
                text=f"{percent(share)} of REST answers are errors: {now.error_text}",
            )
    if now.tail >= limits.failing_probes and now.tail_lost + now.tail_errors == now.tail:
        what = "lost" if now.tail_lost == now.tail else "failed"
        yield Finding(
            key="failing",
            signal="rest_failed_in_a_row",
            evidence=Evidence.REST,
            cause=Cause.GATEWAY if now.tail_errors else Cause.PATH,
            weight=3,
            value=float(now.tail),
            text=f"the last {now.tail} REST probes all {what}" + (f": {now.error_text}" if now.error_text else ""),
        )
    if now.limited:
        yield Finding(
            key="limited",
            signal="rest_limited",
            evidence=Evidence.OWN,
            cause=Cause.SELF,
            weight=1,
            value=float(now.limited),
            text=f"{now.limited} of the last {now.tail} REST answers say that we ask too much",
        )


def kernel_findings(track: RouteTrack, now: Recent, held: Collection[str]) -> Iterator[Finding]:
    limits = track.limits
    sources = (
        ("kernel", now.kernel_ms, track.base_kernel, "REST"),
        (
            "link_kernel",
            now.link_kernel_ms,
            track.base_link_kernel,
            "websocket",
        ),
    )
    for key, value, base, what in sources:
        if value is not None and excess(value, base, limits.kernel_ratio, limits.kernel_floor_ms, key in held):
            yield Finding(
                key=key,
                signal="tcp_ms" if key == "kernel" else "tcp_ws_ms",
                evidence=Evidence.KERNEL,
                cause=Cause.PATH,
                weight=2 if value >= 3 * (base.value or value) else 1,
                value=value,
                baseline=base.value,
                ratio=ratio_of(value, base.value),
                text=f"kernel round trip ({what}) {figure(value)} ms{against(base.value)}",
            )
    usual_ms = track.base_connect.value
    if now.connect_ms is not None and excess(
        now.connect_ms, track.base_connect, limits.connect_ratio, limits.connect_floor_ms, "connect" in held
    ):
        yield Finding(
            key="connect",
            signal="connect_ms",
            evidence=Evidence.KERNEL,
            cause=Cause.PATH,
            weight=1,
            value=now.connect_ms,
            baseline=usual_ms,
            ratio=ratio_of(now.connect_ms, usual_ms),
            text=f"TCP connect {figure(now.connect_ms)} ms{against(usual_ms)}",
        )


def feed_findings(
    track: RouteTrack, now: Recent, own: Own, now_ns: int, held: Collection[str], elsewhere_s: Mapping[str, float]
) -> Iterator[Finding]:
    """``elsewhere_s``: by channel, the longest usual silence of it on other venues."""
    yield from _late_findings(track, now, held)
    yield from _link_findings(track, own, now_ns)
    yield from _silence_findings(track, own, now_ns, elsewhere_s)
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


def _late_findings(track: RouteTrack, now: Recent, held: Collection[str]) -> Iterator[Finding]:
    limits, usual_ms = track.limits, track.base_age.value
    if now.age_ms is not None and not _venue_clock_moved(track, now):
        error_ms = track.feed.offset_err_ms if track.feed is not None else None
        floor_ms = max(limits.age_floor_ms, 3 * (error_ms or 0.0))
        late = excess(now.age_ms, track.base_age, limits.age_ratio, floor_ms, "age" in held)
        if late or (usual_ms is None and now.age_ms >= AGE_CEILING_MS + 3 * (error_ms or 0.0)):
            yield Finding(
                key="age",
                signal="feed_age_p50_ms",
                evidence=Evidence.FEED,
                cause=Cause.FEED,
                weight=2 if now.age_ms - (usual_ms or 0.0) >= limits.age_strong_ms else 1,
                value=now.age_ms,
                baseline=usual_ms,
                ratio=ratio_of(now.age_ms, usual_ms),
                text=f"feed age p50 {figure(now.age_ms)} ms{against(usual_ms)}",
            )
    base = track.base_engine_lag
    if now.engine_lag_ms is not None and excess(
        now.engine_lag_ms, base, limits.engine_lag_ratio, limits.engine_lag_floor_ms, "engine_lag" in held
    ):
        yield Finding(
            key="engine_lag",
            signal="engine_lag_ms",
            evidence=Evidence.FEED,
            cause=Cause.ENGINE,
            weight=2 if now.engine_lag_ms >= limits.engine_lag_strong_ms else 1,
            value=now.engine_lag_ms,
            baseline=base.value,
            ratio=ratio_of(now.engine_lag_ms, base.value),
            text=f"inside the venue, engine to gateway, {figure(now.engine_lag_ms)} ms{against(base.value)}",
        )


def _venue_clock_moved(track: RouteTrack, now: Recent) -> bool:
    """The age changed because the venue's clock did: its REST time moved by as much, the other way."""
    usual_ms, usual_offset_ms = track.base_age.value, track.base_offset.value
    if usual_ms is None or usual_offset_ms is None or now.offset_ms is None or now.age_ms is None:
        return False
    moved_ms, late_ms = usual_offset_ms - now.offset_ms, now.age_ms - usual_ms
    return abs(late_ms) > 0 and moved_ms * late_ms > 0 and abs(moved_ms) >= OFFSET_EXPLAINS * abs(late_ms)


def _link_findings(track: RouteTrack, own: Own, now_ns: int) -> Iterator[Finding]:
    limits = track.limits
    down = {label: link for label, link in track.links.items() if not link.connected}
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


def _silence_findings(track: RouteTrack, own: Own, now_ns: int, elsewhere_s: Mapping[str, float]) -> Iterator[Finding]:
    limits, feed = track.limits, track.feed
    if feed is None or track.feed_ns is None or (track.links and not track.links_up()):
        return
    up_ns = max((link.since_ns for link in track.links.values() if link.connected), default=track.first_ns or now_ns)
    connected_s = (track.feed_ns - max(up_ns, own.recovered_ns or 0)) / 1e9
    silence_s = min(track.data_silence_s() or 0.0, connected_s)
    silence_s -= own.lag_ms(track.feed_ns - ns(max(silence_s, 0.0)), track.feed_ns) / 1e3
    limit_s = silence_limit_s(track, limits)
    if silence_s >= limit_s:
        alive = "" if feed.keepalive_ok is None else ", keepalive answered" if feed.keepalive_ok else ", no keepalive"
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
    yield from _channel_findings(track, connected_s, elsewhere_s)


def silence_limit_s(track: RouteTrack, limits: Thresholds) -> float:
    """How long without any data is strange for this route, from its own rate of messages."""
    rate = track.base_rate.value
    if track.data_ns is None:
        return limits.first_data_s
    if rate is not None and rate >= limits.lively_rate:
        peak_s = track.channel_peak_s.get(TRADING, 0.0)
        return max(limits.silence_min_s, limits.silence_gaps / rate, limits.silence_peaks * peak_s)
    alive = track.feed is not None and track.feed.keepalive_ok is True
    return limits.quiet_route_s if alive else limits.first_data_s


def _channel_findings(track: RouteTrack, connected_s: float, elsewhere_s: Mapping[str, float]) -> Iterator[Finding]:
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
        traded_ms = silences_ms.get(f"trades:{symbol}")
        trades = traded_ms is not None and traded_ms < limits.trading_s * 1e3
        limit_ms = max(limits.channel_silence_min_s * 1e3, feed.quiet_limit_ms.get(key, 0.0))
        if trades and min(silence_ms, connected_s * 1e3) >= limit_ms:
            yield _channel_finding(track, key, silence_ms, "silent while the pair trades")


def channel_limit_s(track: RouteTrack, channel: str, elsewhere_s: float | None) -> float | None:
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


def _channel_finding(track: RouteTrack, channel: str, silence_ms: float | None, words: str) -> Finding:
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
