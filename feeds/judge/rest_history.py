"""REST probes of one route: the probes of the last minute, the last few seconds' figures, the baselines.

Warm probes use a kept-alive connection; cold ones open a new connection, about once a minute.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Container, Iterable

from msgspec import Struct

from feeds.judge.own_side import OwnSide
from feeds.judge.rolling import Baseline, finite, ns, usual_baseline
from feeds.judge.thresholds import Thresholds
from feeds.model import Fault
from feeds.quantiles import median
from feeds.samples import ProbeSample

PROBES_KEPT = 240
COLD_KEPT = 24
COLD_WINDOW_S = 900.0
KERNEL_RECENT_S = 20.0
CONNECT_RECENT_S = 150.0
CONNECTS_RECENT = 3
TRIPS_MIN = 3
TEXT_KEPT = 80
ANSWERED: frozenset[Fault | None] = frozenset({None, Fault.BAD_REQUEST})
"""Answers whose time counts as a round trip. A 503 of an overloaded venue comes back fast: it does not count."""
ERRORS: frozenset[Fault | None] = frozenset({Fault.OVERLOAD, Fault.UNKNOWN})
REFUSALS: frozenset[Fault | None] = frozenset({Fault.OUR_LIMIT, Fault.GEO_BLOCK, Fault.REFUSED, Fault.MAINTENANCE})
HTTP_BANNED = 418
CONNECTING = frozenset({"resolve", "connect", "tls"})
"""Stages of a probe before the venue's API has seen it."""


class TimedProbe(Struct, gc=False):
    """One probe on the judge's timeline."""

    start_ns: int
    end_ns: int
    sample: ProbeSample
    round_trip_ms: float
    """Total time without the lateness of its start, which is ours."""
    answered: bool
    """An answer whose time counts as a round trip."""
    error: bool
    """The answer says that the venue is overloaded or broken."""


class Refusal:
    """An unbroken run of answers that refuse us."""

    __slots__ = ("banned", "count", "fault", "from_first", "last_ns", "since_ns", "text")

    def __init__(self, fault: Fault, t_ns: int, from_first: bool) -> None:
        self.fault = fault
        self.since_ns = self.last_ns = t_ns
        self.from_first = from_first
        self.count = 0
        self.banned = False
        self.text = ""


class RestRecent(Struct, kw_only=True):
    """The last seconds of REST. None: nothing that counts was measured. Windows: see ``Thresholds``."""

    round_trip_ms: float | None = None
    """Median of the last few warm probes, less what our own lag can explain of it."""
    measured_round_trip_ms: float | None = None
    """The same with our own lag in it."""
    probes: int = 0
    """Probes in the window of lost probes."""
    lost: int = 0
    lost_connecting: int = 0
    """Of the lost ones, those lost before the API saw them."""
    since_lost: int = 0
    """Probes that came back since the last lost one."""
    answers: int = 0
    """Answers in the window of errors."""
    errors: int = 0
    error_text: str = ""
    """What most of the errors said."""
    since_error: int = 0
    """Answers without an error since the last error."""
    tail: int = 0
    """The very last probes: they show whether the API is as good as closed."""
    tail_lost: int = 0
    tail_errors: int = 0
    tail_limited: int = 0
    """Of the very last probes, answers that say we ask too much."""
    kernel_ms: float | None = None
    """The kernel's round trip of the probes' connection, median of the last few warm probes."""
    connect_ms: float | None = None
    """TCP connect, median of the last few cold probes."""
    connects: int = 0
    """How many cold probes connected within the window of ``connect_ms``."""


class RestHistory:
    """All REST probes of one route lately, bounded."""

    def __init__(self, limits: Thresholds) -> None:
        self.limits = limits
        self.contact_ns: int | None = None
        """When the last answer came."""
        self.good_ns: int | None = None
        """When the last answer came that counts as a round trip."""
        self.refusal: Refusal | None = None
        self.untrusted_text: str | None = None
        """What is wrong with the certificate that was shown to us last; None: it verified."""
        self.untrusted_since_ns: int | None = None
        self.weight_share: float | None = None
        self.recent = RestRecent()
        self.base_round_trip = usual_baseline(limits)
        self.base_kernel = usual_baseline(limits)
        self.base_connect = Baseline(limits.baseline_s * 6, 10.0, 2, limits.adopt_s)
        self._warm: deque[TimedProbe] = deque(maxlen=PROBES_KEPT)
        self._cold: deque[TimedProbe] = deque(maxlen=COLD_KEPT)

    def observe(self, sample: ProbeSample, start_ns: int, end_ns: int) -> TimedProbe:
        """Takes a probe with a finite total of 0 or more."""
        if sample.fault is Fault.CERTIFICATE:
            self.untrusted_text = sample.text or "its certificate does not verify here"
            self.untrusted_since_ns = end_ns if self.untrusted_since_ns is None else self.untrusted_since_ns
        elif not sample.lost:
            self.untrusted_text = self.untrusted_since_ns = None
        wait_ms = sample.wait_ms if 0 <= sample.wait_ms <= sample.total_ms else 0.0
        answered = not sample.lost and sample.fault in ANSWERED
        error = not sample.lost and sample.fault in ERRORS
        probe = TimedProbe(start_ns, end_ns, sample, sample.total_ms - wait_ms, answered, error)
        if sample.fault is not Fault.CERTIFICATE:  # the venue was never asked
            (self._cold if sample.cold else self._warm).append(probe)
        if not sample.lost:
            self.contact_ns = end_ns if self.contact_ns is None else max(end_ns, self.contact_ns)
            if sample.fault in REFUSALS and sample.fault is not None:
                self._refused(sample, sample.fault, end_ns)
        if answered:
            self.good_ns, self.refusal = end_ns, None
        if finite(sample.weight_share):
            self.weight_share = sample.weight_share
        return probe

    def _refused(self, sample: ProbeSample, fault: Fault, t_ns: int) -> None:
        if self.refusal is None or fault is not self.refusal.fault:
            self.refusal = Refusal(fault, t_ns, from_first=self.good_ns is None)
        self.refusal.last_ns = t_ns
        self.refusal.count += 1
        self.refusal.banned = self.refusal.banned or sample.status == HTTP_BANNED
        self.refusal.text = error_text(sample)

    def awoke(self) -> None:
        """What was measured before a sleep says nothing about now. A refusal stays: it is lifted by an answer only."""
        self._warm.clear()
        self._cold.clear()
        self.recent = RestRecent()
        for base in (self.base_round_trip, self.base_kernel, self.base_connect):
            base.interrupted()

    def trim(self, now_ns: int) -> None:
        """Forgets what no window needs any more."""
        horizon = now_ns - ns(COLD_WINDOW_S)
        while self._cold and self._cold[0].end_ns <= horizon:
            self._cold.popleft()
        horizon = now_ns - ns(2 * self.limits.figures_s)
        while self._warm and self._warm[0].end_ns <= horizon:
            self._warm.popleft()

    def warm_since(self, start_ns: int) -> list[TimedProbe]:
        return [p for p in self._warm if p.end_ns > start_ns]

    def cold_since(self, start_ns: int) -> list[TimedProbe]:
        return [p for p in self._cold if p.end_ns > start_ns]

    def cold(self) -> list[TimedProbe]:
        """Cold probes of the last 15 minutes."""
        return list(self._cold)

    def update(self, own: OwnSide, now_ns: int) -> None:
        """Works out ``recent``. Windows end at ``now_ns``; probes count by when they ended."""
        limits, recent = self.limits, RestRecent()
        lost_from, errors_from = now_ns - ns(limits.lost_window_s), now_ns - ns(limits.error_window_s)
        tail_from, kernel_from = now_ns - ns(limits.failing_window_s), now_ns - ns(KERNEL_RECENT_S)
        trips_from = now_ns - ns(limits.rest_recent_max_s)
        probes = self._countable(own, min(lost_from, errors_from, tail_from, trips_from))
        _count_lost(recent, probes, lost_from)
        _count_errors(recent, probes, errors_from)
        _count_tail(recent, probes, tail_from, limits.failing_probes)
        _round_trips(recent, probes, trips_from, limits.rest_recent)
        recent.kernel_ms = _kernel_ms(probes, kernel_from, limits.rest_recent)
        connects_ms = [
            p.sample.connect_ms
            for p in self.cold_since(now_ns - ns(CONNECT_RECENT_S))
            if finite(p.sample.connect_ms) and not own.unreachable(p.start_ns, p.end_ns)
        ]
        recent.connects = len(connects_ms)
        recent.connect_ms = median(connects_ms[-CONNECTS_RECENT:])
        self.recent = recent

    def _countable(self, own: OwnSide, oldest_ns: int) -> list[tuple[TimedProbe, float]]:
        """Probes with our own lag during each, ms, newest first; without those that failed by our fault."""
        found: list[TimedProbe] = []
        for probes in (self._warm, self._cold):
            for probe in reversed(probes):
                if probe.end_ns <= oldest_ns:
                    break
                found.append(probe)
        found.sort(key=lambda p: p.end_ns, reverse=True)
        if own.undisturbed:
            return [(probe, 0.0) for probe in found]
        countable = []
        for probe in found:
            lag_ms = own.lag_of_probe_ms(probe.start_ns, probe.end_ns)
            late = probe.sample.lost and lag_ms > probe.sample.total_ms / 4
            if not late and not own.unreachable(probe.start_ns, probe.end_ns):
                countable.append((probe, lag_ms))
        return countable

    def learn(self, now_ns: int, abnormal: Container[str]) -> None:
        """Offers the last seconds to the baselines. ``abnormal``: signals that show evidence of trouble now.

        Values are learnt as measured. With our own lag taken off, "normal" would be too low and accuse later.
        """
        recent = self.recent
        self.base_round_trip.offer(now_ns, recent.measured_round_trip_ms, "rest" in abnormal)
        self.base_kernel.offer(now_ns, recent.kernel_ms, "kernel" in abnormal)
        self.base_connect.offer(now_ns, recent.connect_ms, "connect" in abnormal)


def _count_lost(recent: RestRecent, probes: Iterable[tuple[TimedProbe, float]], start_ns: int) -> None:
    for probe, _ in probes:
        if probe.end_ns <= start_ns:
            break
        recent.probes += 1
        if probe.sample.lost:
            recent.lost += 1
            recent.lost_connecting += probe.sample.failed_at in CONNECTING
        elif not recent.lost:
            recent.since_lost += 1


def _count_errors(recent: RestRecent, probes: Iterable[tuple[TimedProbe, float]], start_ns: int) -> None:
    texts: Counter[str] = Counter()
    for probe, _ in probes:
        if probe.end_ns <= start_ns:
            break
        if probe.sample.lost:
            continue
        recent.answers += 1
        if probe.error:
            recent.errors += 1
            texts[error_text(probe.sample)] += 1
        elif not recent.errors:
            recent.since_error += 1
    recent.error_text = max(texts, key=lambda t: (texts[t], t)) if texts else ""


def _count_tail(recent: RestRecent, probes: list[tuple[TimedProbe, float]], start_ns: int, count: int) -> None:
    for probe, _ in probes[:count]:
        if probe.end_ns <= start_ns:
            break
        recent.tail += 1
        recent.tail_lost += probe.sample.lost
        recent.tail_errors += probe.error
        recent.tail_limited += probe.sample.fault is Fault.OUR_LIMIT


def _round_trips(recent: RestRecent, probes: Iterable[tuple[TimedProbe, float]], start_ns: int, count: int) -> None:
    measured_ms: list[float] = []
    cleared_ms: list[float] = []
    for probe, lag_ms in probes:
        if probe.end_ns <= start_ns or len(measured_ms) >= count:
            break
        if not probe.sample.cold and (probe.answered or probe.sample.lost):
            measured_ms.append(probe.round_trip_ms)
            cleared_ms.append(max(probe.round_trip_ms - lag_ms, 0.0))
    if len(measured_ms) >= min(TRIPS_MIN, count):
        recent.round_trip_ms, recent.measured_round_trip_ms = median(cleared_ms), median(measured_ms)


def _kernel_ms(probes: Iterable[tuple[TimedProbe, float]], start_ns: int, count: int) -> float | None:
    found_ms: list[float] = []
    for probe, _ in probes:
        if probe.end_ns <= start_ns or len(found_ms) >= count:
            break
        if not probe.sample.cold and finite(probe.sample.tcp_rtt_ms):
            found_ms.append(probe.sample.tcp_rtt_ms)
    return median(found_ms)


def error_text(sample: ProbeSample) -> str:
    """What an error answer said, short enough to count by."""
    page = sample.text.lstrip().startswith("<")  # an HTML error page tells less than its status
    words = (sample.text if not page else "") or sample.code or (sample.fault.value if sample.fault is not None else "")
    status = str(sample.status or "")
    return (words if words.startswith(status) else f"{status} {words}").strip()[:TEXT_KEPT]
