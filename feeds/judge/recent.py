"""The last few seconds of a route, cleared of what was our own fault: what evidence is judged on."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from feeds.judge.own_side import OwnSide
from feeds.judge.rolling import finite, ns
from feeds.judge.route_history import ANSWERED, ENGINE_CHANNELS, RouteHistory, Shot, error_text
from feeds.model import Fault
from feeds.quantiles import median

LINE_STAGES = frozenset({"resolve", "connect", "tls"})
"""Where a probe is lost before the venue's API has seen it."""
KERNEL_RECENT_S = 20.0
LINK_KERNEL_RECENT_S = 8.0
CONNECT_RECENT_S = 150.0
RATE_RECENT_S = 5.0
OFFSETS_RECENT = 3
OFFSET_RECENT_S = 15.0
AGES_MIN = 2
BACKLOG_S = 3.0
TRADING = "*"
"""Name of all the engine's channels together among a route's channels."""
PEAK_KEPT = 0.98
"""Share of the longest silence that survives each further silence."""


class Recent(Struct, kw_only=True):
    """Medians and counts of one route's last seconds; None where nothing that counts was measured."""

    rest_ms: float | None = None
    """Round trip of the last few warm probes, less what our own lag can explain of it."""
    measured_rest_ms: float | None = None
    """The same with all that was in it."""
    probes: int = 0
    """In the window of lost probes."""
    lost: int = 0
    lost_on_line: int = 0
    """Of those, lost before the API saw them."""
    answers: int = 0
    """In the window of errors."""
    errors: int = 0
    error_text: str = ""
    since_error: int = 0
    """Answers without an error since the last one that was; with ``since_lost``, whether it is over."""
    since_lost: int = 0
    tail: int = 0
    """The very last probes: they tell whether the API is as good as closed."""
    tail_lost: int = 0
    tail_errors: int = 0
    tail_good: int = 0
    limited: int = 0
    """Of the very last probes, answers that say we ask too much."""
    kernel_ms: float | None = None
    link_kernel_ms: float | None = None
    connect_ms: float | None = None
    connects: int = 0
    """How many ``connect_ms`` is taken from."""
    age_ms: float | None = None
    """Of the feed, less what our own lag can explain of it."""
    measured_age_ms: float | None = None
    engine_lag_ms: float | None = None
    offset_ms: float | None = None
    offset_error_ms: float | None = None
    """Half that exchange's round trip: the true offset is not further away."""
    offset_span_ms: float | None = None
    """How far the clocks' difference has moved for certain within the last minute."""
    msgs_s: float | None = None


def recent(track: RouteHistory, own: OwnSide, now_ns: int) -> Recent:
    """Windows end at ``now_ns``; probes count by when they ended."""
    result = Recent()
    _recent_probes(track, own, now_ns, result)
    limits = track.limits
    result.link_kernel_ms = median(track.link_kernel.since(now_ns - ns(LINK_KERNEL_RECENT_S)))
    result.engine_lag_ms = median(track.engine_lags.since(now_ns - ns(limits.age_recent_s)))
    result.msgs_s = median(track.rates.since(now_ns - ns(RATE_RECENT_S)))
    _recent_offset(track, now_ns, result)
    _recent_ages(track, own, now_ns, result)
    return result


def _recent_offset(track: RouteHistory, now_ns: int, result: Recent) -> None:
    if not track.offsets:
        return
    fresh_ns, last = now_ns - ns(OFFSET_RECENT_S), list(track.offsets)[-OFFSETS_RECENT:]
    newest = [(error, offset) for t_ns, offset, error in last if t_ns > fresh_ns]
    if newest:
        result.offset_error_ms, result.offset_ms = min(newest)
    surely_above = max(offset - error for _, offset, error in track.offsets)
    surely_below = min(offset + error for _, offset, error in track.offsets)
    result.offset_span_ms = max(surely_above - surely_below, 0.0)


def _recent_ages(track: RouteHistory, own: OwnSide, now_ns: int, result: Recent) -> None:
    horizon, noise_ms = now_ns - ns(track.limits.age_recent_s), track.limits.own_noise_ms
    ages, measured = [], []
    for (t_ns, age_ms), (_, own_ms) in zip(reversed(track.ages.items), reversed(track.own_lags.items), strict=False):
        if t_ns <= horizon:
            break
        if own.void(t_ns - ns(1.0), t_ns) or (own.recovered_ns is not None and t_ns - own.recovered_ns < ns(BACKLOG_S)):
            continue  # what piled up while our line was down is late by our fault
        # a sample's interval is at most about a second: lag within it may sit in its ages
        lag_ms = max(own_ms if own_ms >= noise_ms else 0.0, own.lag_ms(t_ns - ns(1.0), t_ns + 1))
        ages.append(age_ms - lag_ms if age_ms > 0 else age_ms)
        measured.append(age_ms)
    if len(ages) >= AGES_MIN:
        result.age_ms, result.measured_age_ms = median(ages), median(measured)


def _recent_probes(track: RouteHistory, own: OwnSide, now_ns: int, result: Recent) -> None:
    limits = track.limits
    lost_from, errors_from = now_ns - ns(limits.lost_window_s), now_ns - ns(limits.error_window_s)
    tail_from, kernel_from = now_ns - ns(limits.failing_window_s), now_ns - ns(KERNEL_RECENT_S)
    trips_from = now_ns - ns(limits.rest_recent_max_s)
    oldest = min(lost_from, errors_from, tail_from, trips_from)
    trips: list[float] = []
    measured: list[float] = []
    kernels: list[float] = []
    texts: Counter[str] = Counter()
    for shot in _newest_first(track, oldest):
        sample = shot.sample
        lag_ms = own.lag_of_probe_ms(shot.start_ns, shot.end_ns)
        if own.void(shot.start_ns, shot.end_ns) or (sample.lost and lag_ms > sample.total_ms / 4):
            continue
        good = not sample.lost and sample.fault in ANSWERED
        error = not sample.lost and sample.fault in {Fault.OVERLOAD, Fault.UNKNOWN}
        if shot.end_ns > lost_from:
            result.since_lost += not sample.lost and not result.lost
            result.probes += 1
            result.lost += sample.lost
            result.lost_on_line += sample.lost and sample.failed_at in LINE_STAGES
        if shot.end_ns > errors_from and not sample.lost:
            result.since_error += not error and not result.errors
            result.answers += 1
            result.errors += error
            if error:
                texts[error_text(sample)] += 1
        if shot.end_ns > tail_from and result.tail < limits.failing_probes:
            result.tail += 1
            result.tail_good += good
            result.tail_lost += sample.lost
            result.tail_errors += error
            result.limited += sample.fault is Fault.OUR_LIMIT
        if sample.cold:
            continue
        if (good or sample.lost) and shot.end_ns > trips_from and len(trips) < limits.rest_recent:
            trips.append(max(shot.round_trip_ms - lag_ms, 0.0))
            measured.append(shot.round_trip_ms)
        if finite(sample.tcp_rtt_ms) and shot.end_ns > kernel_from and len(kernels) < limits.rest_recent:
            kernels.append(sample.tcp_rtt_ms)
    if len(trips) >= min(3, limits.rest_recent):
        result.rest_ms, result.measured_rest_ms = median(trips), median(measured)
    result.kernel_ms = median(kernels)
    result.error_text = max(texts, key=lambda t: (texts[t], t)) if texts else ""
    connects = [
        s.sample.connect_ms
        for s in track.cold
        if finite(s.sample.connect_ms)
        and s.end_ns > now_ns - ns(CONNECT_RECENT_S)
        and not own.void(s.start_ns, s.end_ns)
    ]
    result.connects = len(connects)
    result.connect_ms = median(connects[-3:])


def _newest_first(track: RouteHistory, oldest_ns: int) -> list[Shot]:
    found = []
    for shots in (track.warm, track.cold):
        for shot in reversed(shots):
            if shot.end_ns <= oldest_ns:
                break
            found.append(shot)
    found.sort(key=lambda s: s.end_ns, reverse=True)
    return found


def learn(track: RouteHistory, now: Recent, now_ns: int, abnormal: frozenset[str], frozen: bool) -> None:
    """Offers the last seconds to the baselines. ``abnormal`` names signals that show evidence right now."""
    if track.first_ns is None or now_ns - track.first_ns < ns(track.limits.settle_s):
        return

    def odd(signal: str) -> bool:
        return frozen or signal in abnormal

    # learnt as measured: less all that may have been our lag, what is normal would be too low, and accuse later
    track.base_rest.offer(now_ns, now.measured_rest_ms, odd("rest"))
    track.base_kernel.offer(now_ns, now.kernel_ms, odd("kernel"))
    track.base_link_kernel.offer(now_ns, now.link_kernel_ms, odd("kernel"))
    track.base_connect.offer(now_ns, now.connect_ms, odd("connect"))
    track.base_age.offer(now_ns, now.measured_age_ms, odd("age"))
    track.base_engine_lag.offer(now_ns, now.engine_lag_ms, odd("engine_lag"))
    track.base_rate.offer(now_ns, now.msgs_s, odd("silence"))
    track.base_offset.offer(now_ns, now.offset_ms, odd("clock"))
    for symbol in track.symbols.values():
        if symbol.last is None:
            continue
        strange = frozen or f"liquidity.{symbol.last.symbol}" in abnormal
        symbol.base_bid.offer(now_ns, symbol.now(symbol.bid, now_ns), strange)
        symbol.base_ask.offer(now_ns, symbol.now(symbol.ask, now_ns), strange)
        symbol.base_spread.offer(now_ns, symbol.now(symbol.spread, now_ns), strange)
        symbol.base_gap.offer(now_ns, symbol.judgeable_gap_bps, frozen or f"price.{symbol.last.symbol}" in abnormal)
    silences_s = channel_silences_s(track)
    engine_s = [s for channel, s in silences_s.items() if channel in ENGINE_CHANNELS]
    if engine_s:
        silences_s[TRADING] = min(engine_s)
    for channel, silence_s in silences_s.items():
        before_s = track.channel_silence_s.get(channel, 0.0)
        track.channel_silence_s[channel] = silence_s
        if silence_s < before_s and f"channel.{channel}" not in abnormal and not odd("silence"):
            # only silences that ended are known to be normal
            track.channel_gaps[channel] = track.channel_gaps.get(channel, 0) + 1
            track.channel_peak_s[channel] = max(before_s, track.channel_peak_s.get(channel, 0.0) * PEAK_KEPT)


def channel_silences_s(track: RouteHistory) -> dict[str, float]:
    """By channel: silence of its liveliest symbol. One quiet pair never makes a channel silent."""
    silences: dict[str, float] = {}
    if track.feed is not None:
        for key, silence_ms in track.feed.channel_silence_ms.items():
            channel = key.partition(":")[0]
            seconds = silence_ms / 1e3
            silences[channel] = min(silences.get(channel, seconds), seconds)
    return silences
