"""Data of one route's websockets: ages, lag inside the venue, message rate, silences; recent figures and baselines."""

from __future__ import annotations

from collections.abc import Container

import msgspec
from msgspec import Struct

from feeds.judge.channel_history import ENGINE_CHANNELS, ChannelHistory, channel_of
from feeds.judge.own_side import CATCHING_UP_S, OwnSide
from feeds.judge.rolling import Window, finite, ns, usual_baseline
from feeds.judge.thresholds import Thresholds
from feeds.quantiles import median
from feeds.samples import FeedSample

RATE_RECENT_S = 5.0
AGES_MIN = 2
LONGEST_SILENCE_MS = 1e12


class FeedRecent(Struct, kw_only=True):
    """Medians of the last 5 s. None: nothing that counts was measured."""

    age_ms: float | None = None
    """Feed age, less what our own lag can explain of it."""
    measured_age_ms: float | None = None
    """The same with our own lag in it."""
    engine_lag_ms: float | None = None
    msgs_s: float | None = None


class FeedHistory:
    """What one route's feed samples said lately, bounded."""

    def __init__(self, limits: Thresholds) -> None:
        self.limits = limits
        self.last: FeedSample | None = None
        self.last_ns: int | None = None
        """When the last sample was taken."""
        self.data_ns: int | None = None
        """When data last came on any channel."""
        self._awake_ns: int | None = None
        """When we woke up last."""
        self.contact_ns: int | None = None
        """When any byte last came."""
        self.recent = FeedRecent()
        self.channels = ChannelHistory()
        self.base_age = usual_baseline(limits)
        self.base_engine_lag = usual_baseline(limits)
        self.base_rate = usual_baseline(limits)
        span_s = limits.figures_s
        self._ages, self._worst_ages, self._own_lags = Window(span_s), Window(span_s), Window(span_s)
        self._bursts, self._engine_lags, self._rates = Window(span_s), Window(span_s), Window(span_s)

    def observe(self, sample: FeedSample, t_ns: int) -> None:
        if not all(map(_plausible, (*sample.channel_silence_ms.values(), *sample.quiet_limit_ms.values()))):
            sample = msgspec.structs.replace(
                sample,
                channel_silence_ms={k: v for k, v in sample.channel_silence_ms.items() if _plausible(v)},
                quiet_limit_ms={k: v for k, v in sample.quiet_limit_ms.items() if _plausible(v)},
            )
        if self._awake_ns is not None:
            if finite(sample.interval_ms) and t_ns - ns(sample.interval_ms / 1e3) < self._awake_ns:
                return  # part of its interval we slept through
            sample = _since_waking(sample, (t_ns - self._awake_ns) / 1e6)
        self.last, self.last_ns = sample, t_ns
        self.channels.observe(sample)
        if sample.messages > 0:
            self.data_ns = t_ns
            self._reached(t_ns)
        elif sample.silence_ms is not None and _plausible(sample.silence_ms):
            self._reached(t_ns - ns(sample.silence_ms / 1e3))
        if sample.interval_ms > 0 and finite(sample.interval_ms):
            self._rates.add(t_ns, sample.messages * 1e3 / sample.interval_ms)
        waited = self._awake_ns is not None and t_ns - self._awake_ns < ns(CATCHING_UP_S)
        if finite(sample.age_p50_ms) and not waited:
            self._ages.add(t_ns, sample.age_p50_ms)
            worst_ms = sample.age_max_ms if finite(sample.age_max_ms) else sample.age_p50_ms
            self._worst_ages.add(t_ns, max(worst_ms, sample.age_p50_ms))
            self._bursts.add(t_ns, max(sample.bursts, 1))
            self._own_lags.add(t_ns, sample.own_lag_ms if finite(sample.own_lag_ms) else 0.0)
        if finite(sample.engine_lag_ms):
            self._engine_lags.add(t_ns, sample.engine_lag_ms)

    def _reached(self, t_ns: int) -> None:
        self.contact_ns = t_ns if self.contact_ns is None else max(t_ns, self.contact_ns)

    def clock_was_set(self) -> None:
        """Ages of before were taken with another clock."""
        for window in (self._ages, self._worst_ages, self._own_lags, self._bursts):
            window.items.clear()

    def awoke(self, now_ns: int) -> None:
        """What was measured before the sleep says nothing about now."""
        self._awake_ns = now_ns
        self.clock_was_set()
        self._engine_lags.items.clear()
        self._rates.items.clear()
        self.recent = FeedRecent()
        self.channels.awoke()
        for base in (self.base_age, self.base_engine_lag, self.base_rate):
            base.interrupted()

    def trim(self, now_ns: int) -> None:
        for window in (self._ages, self._worst_ages, self._own_lags, self._bursts, self._engine_lags, self._rates):
            window.trim(now_ns)

    def update(self, own: OwnSide, now_ns: int) -> None:
        """Works out ``recent``, as of ``now_ns``."""
        age_ms, measured_age_ms = self._recent_ages(own, now_ns)
        self.recent = FeedRecent(
            age_ms=age_ms,
            measured_age_ms=measured_age_ms,
            engine_lag_ms=self._engine_lags.median_since(now_ns - ns(self.limits.age_recent_s)),
            msgs_s=self._rates.median_since(now_ns - ns(RATE_RECENT_S)),
        )

    def _recent_ages(self, own: OwnSide, now_ns: int) -> tuple[float | None, float | None]:
        """(without our own lag, as measured)."""
        horizon, noise_ms = now_ns - ns(self.limits.age_recent_s), self.limits.own_noise_ms
        cleared_ms, measured_ms = [], []
        pairs = zip(reversed(self._ages.items), reversed(self._own_lags.items), strict=False)
        for (t_ns, age_ms), (_, own_ms) in pairs:
            if t_ns <= horizon:
                break
            if own.unreachable(t_ns - ns(1.0), t_ns):
                continue
            if own.recovered_ns is not None and t_ns - own.recovered_ns < ns(CATCHING_UP_S):
                continue
            # a sample's interval is at most about a second: lag within it may be part of its ages
            lag_ms = max(own_ms if own_ms >= noise_ms else 0.0, own.lag_ms(t_ns - ns(1.0), t_ns + 1))
            cleared_ms.append(max(age_ms - lag_ms, 0.0) if age_ms > 0 else age_ms)
            measured_ms.append(age_ms)
        if len(measured_ms) < AGES_MIN:
            return None, None
        return median(cleared_ms), median(measured_ms)

    def learn(self, now_ns: int, abnormal: Container[str]) -> None:
        """Offers the last seconds to the baselines. ``abnormal``: signals that show evidence of trouble now."""
        recent = self.recent
        self.base_age.offer(now_ns, recent.measured_age_ms, "age" in abnormal)
        self.base_engine_lag.offer(now_ns, recent.engine_lag_ms, "engine_lag" in abnormal)
        self.base_rate.offer(now_ns, recent.msgs_s, "silence" in abnormal)
        self.channels.learn(abnormal)

    def data_silence_s(self, first_ns: int | None) -> float | None:
        """How long no engine channel has carried data, as of the last sample: our own pauses do not count, and a mark
        price that goes on does not prove trading. ``first_ns``: since when the route is measured."""
        if self.last is None or self.last_ns is None or first_ns is None:
            return None
        since_ns = self.data_ns if self.data_ns is not None else first_ns
        engine_ms = (v for k, v in self.last.channel_silence_ms.items() if channel_of(k) in ENGINE_CHANNELS)
        return max((self.last_ns - since_ns) / 1e9, min(engine_ms, default=0.0) / 1e3)

    def rate_before_last(self, seconds: float) -> float:
        """Messages a second over this long before the last sample; 0 where none was taken."""
        rates = self._rates.since(self.last_ns - ns(seconds)) if self.last_ns is not None else []
        return sum(rates) / len(rates) if rates else 0.0

    # figures of the last 30 s, for the board and the log

    def age_p50_ms(self) -> float | None:
        return median(self._ages.values())

    def age_p99_ms(self) -> float | None:
        """Each maximum stands for a whole interval of bursts: as many maxima are skipped as make 1 % of all bursts."""
        maxima = sorted(self._worst_ages.values(), reverse=True)
        rank = min(int(sum(self._bursts.values()) * 0.01), len(maxima) - 1)
        return maxima[rank] if maxima else None

    def engine_lag_ms(self) -> float | None:
        return median(self._engine_lags.values())

    def msgs_s(self) -> float | None:
        """Counts add up, so a mean is exact here."""
        rates = self._rates.values()
        return sum(rates) / len(rates) if rates else None


def _since_waking(sample: FeedSample, awake_ms: float) -> FeedSample:
    """Nobody was silent for longer than we were awake to hear it."""
    silences = sample.channel_silence_ms
    if all(v <= awake_ms for v in silences.values()) and (sample.silence_ms or 0.0) <= awake_ms:
        return sample
    return msgspec.structs.replace(
        sample,
        channel_silence_ms={key: min(v, awake_ms) for key, v in silences.items()},
        silence_ms=None if sample.silence_ms is None else min(sample.silence_ms, awake_ms),
    )


def _plausible(silence_ms: float) -> bool:
    return 0 <= silence_ms < LONGEST_SILENCE_MS
