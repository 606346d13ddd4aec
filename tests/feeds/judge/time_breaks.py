"""Scripted samples as they come when our wall clock is set, or when we sleep: nothing is held back that a real
collector could not hold back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from msgspec import structs

from feeds.judge.figures import RouteSignals
from feeds.judge.judge import Judge
from feeds.model import Verdict
from feeds.samples import FeedSample, LinkSample, ProbeSample, Sample, SelfSample, WitnessSample
from tests.feeds.judge.series import SECOND, START_NS, World, arrival_ns

MONO_NS = 77 * SECOND
"""The monotonic clock's zero means nothing."""
CAUGHT_UP_S = 3


@dataclass(frozen=True)
class Break:
    """At ``at_s`` seconds the wall clock is set by ``step_s``, or the machine sleeps for ``sleep_s``."""

    at_s: float
    step_s: float = 0.0
    sleep_s: float = 0.0
    runs_on: bool = True
    """The monotonic clock runs on during the sleep."""

    def placed(self, true_ns: int) -> tuple[int, int]:
        """(wall, monotonic) at a true time."""
        after = true_ns >= START_NS + int(self.at_s * SECOND)
        slept_ns = int(self.sleep_s * SECOND) if after and not self.runs_on else 0
        return true_ns + (int(self.step_s * SECOND) if after else 0), true_ns - START_NS + MONO_NS - slept_ns


def lived(samples: list[Sample], broken: Break) -> Iterator[tuple[int, Sample]]:
    """The samples of a calm world, (true arrival, sample), as they come with this break. What was asked before a
    sleep is answered, or lost, on waking."""
    asleep_ns = START_NS + int(broken.at_s * SECOND)
    awake_ns = asleep_ns + int(broken.sleep_s * SECOND)
    wall_ns, mono_ns = broken.placed(awake_ns)
    notice = SelfSample(
        t_ns=wall_ns,
        mono_ns=mono_ns,
        loop_lag_p50_ms=None,
        loop_lag_p99_ms=None,
        clock_step_ms=broken.step_s * 1e3,
        slept_ms=broken.sleep_s * 1e3,
    )
    placed: list[tuple[int, Sample]] = [(awake_ns, notice)]
    for sample in samples:
        arrives_ns = arrival_ns(sample)
        begins_ns = sample.t_ns
        if asleep_ns <= begins_ns < awake_ns:
            continue
        if begins_ns < asleep_ns <= arrives_ns:
            arrives_ns = awake_ns
        wall_ns, mono_ns = broken.placed(begins_ns)
        sample = structs.replace(sample, t_ns=wall_ns, mono_ns=mono_ns)
        if broken.sleep_s and awake_ns <= arrives_ns:
            sample = _on_waking(sample, broken, (arrives_ns - awake_ns) / SECOND)
        placed.append((arrives_ns, sample))
    placed.sort(key=lambda x: (x[0], x[1] is not notice))
    yield from placed


def _on_waking(sample: Sample, broken: Break, awake_s: float) -> Sample:
    slept_ms = broken.sleep_s * 1e3 if broken.runs_on else 0.0
    match sample:
        case ProbeSample() if awake_s == 0:
            return structs.replace(sample, total_ms=sample.total_ms + slept_ms)
        case WitnessSample() if awake_s == 0:
            return structs.replace(sample, ok=False, ms=None)
        case SelfSample() if awake_s < 10:
            return structs.replace(sample, loop_lag_p99_ms=broken.sleep_s * 1e3)
        case FeedSample() if awake_s < CAUGHT_UP_S:
            silences = {key: v + slept_ms for key, v in sample.channel_silence_ms.items()}
            return structs.replace(
                sample,
                interval_ms=slept_ms + 1_000.0 if awake_s < 1 else 1_000.0,
                messages=0 if awake_s < 2 else sample.messages,
                silence_ms=slept_ms,
                channel_silence_ms=silences,
                age_p50_ms=broken.sleep_s * 1e3,
                age_max_ms=broken.sleep_s * 1e3,
                keepalive_ok=False,
            )
        case LinkSample() if awake_s < CAUGHT_UP_S:
            return structs.replace(sample, connected=awake_s >= 2, ws_ms=slept_ms)
    return sample


@dataclass
class Lived:
    """Every verdict and figure, once a second of true time."""

    seconds: list[Mapping[str, Verdict]]
    signals: list[Mapping[str, RouteSignals]]
    judge: Judge
    wall_ns: list[int]


def live(world: World, seconds: int, broken: Break) -> Lived:
    judge = Judge(world.routes)
    coming = list(lived(world.samples(seconds), broken))
    result = Lived([], [], judge, [])
    n = 0
    asleep_ns = START_NS + int(broken.at_s * SECOND)
    awake_ns = asleep_ns + int(broken.sleep_s * SECOND)
    for before_ns, now_ns in pairwise(START_NS + s * SECOND for s in range(seconds + 1)):
        if asleep_ns <= before_ns and now_ns < awake_ns:
            continue
        while n < len(coming) and coming[n][0] <= now_ns:
            judge.observe(coming[n][1])
            n += 1
        wall_ns, mono_ns = broken.placed(now_ns)
        result.seconds.append(judge.verdicts(wall_ns, mono_ns))
        result.signals.append({route: judge.signals(route) for route in world.routes})
        result.wall_ns.append(wall_ns)
    return result
