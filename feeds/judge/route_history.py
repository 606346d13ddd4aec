"""Everything measured of one route lately, bounded: probes, feed, links, books, official words.

Times are nanoseconds of the judge's timeline. What arrives is refused where it is not a finite number.
"""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import Struct

from feeds.judge.book_history import BookHistory, baseline
from feeds.judge.rolling import Baseline, Window, finite, ns
from feeds.judge.thresholds import Thresholds
from feeds.model import Fault, StatusNotice
from feeds.samples import BookSample, FeedSample, LinkSample, ProbeSample, StatusSample

PROBES_KEPT = 240
COLD_KEPT = 24
COLD_WINDOW_S = 900.0
WS_WINDOW_S = 60.0
LINKS_KEPT = 64
SYMBOLS_KEPT = 512
TEXT_KEPT = 80
LONGEST_SILENCE_MS = 1e12
OFFSETS_KEPT = 240
ANSWERED: frozenset[Fault | None] = frozenset({None, Fault.BAD_REQUEST})
"""Answers whose time counts as a round trip: a shed 503 comes back fast and says nothing about speed."""
REFUSALS: frozenset[Fault | None] = frozenset({Fault.OUR_LIMIT, Fault.GEO_BLOCK, Fault.REFUSED, Fault.MAINTENANCE})
HTTP_BANNED = 418
ENGINE_CHANNELS = frozenset({"book", "bbo", "trades"})
"""Channels that show the matching engine at work."""


class LinkTrack:
    """One websocket's life as far as health needs it."""

    __slots__ = (
        "connected",
        "fault",
        "gaps",
        "http_status",
        "our_limit",
        "planned",
        "resyncs",
        "since_ns",
        "text",
        "up_once",
    )

    def __init__(self, t_ns: int) -> None:
        self.connected = False
        self.up_once = False
        self.planned = False
        self.our_limit = False
        """The venue closed or refused it because we exceeded a limit. Until it is up again."""
        self.since_ns = t_ns
        self.gaps = 0
        self.resyncs = 0
        self.text = ""
        self.fault: Fault | None = None
        self.http_status: int | None = None


class Shot(Struct, gc=False):
    """One probe on the judge's timeline."""

    start_ns: int
    end_ns: int
    sample: ProbeSample
    round_trip_ms: float
    """Total without the lateness of its start, which is ours."""


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


class RouteHistory:
    """Everything measured of one route lately, bounded."""

    def __init__(self, route: str, limits: Thresholds) -> None:
        self.route = route
        self.limits = limits
        self.first_ns: int | None = None
        self.measured_ns: int | None = None
        self.contact_ns: int | None = None
        self.good_ns: int | None = None
        self.refusal: Refusal | None = None
        self.warm: deque[Shot] = deque(maxlen=PROBES_KEPT)
        self.cold: deque[Shot] = deque(maxlen=COLD_KEPT)
        self.ages = Window(limits.figures_s)
        self.age_max = Window(limits.figures_s)
        self.bursts = Window(limits.figures_s)
        self.own_lags = Window(limits.figures_s)
        self.engine_lags = Window(limits.figures_s)
        self.rates = Window(limits.figures_s)
        self.ws = Window(WS_WINDOW_S)
        self.link_kernel = Window(limits.figures_s)
        self.offsets: deque[tuple[int, float, float]] = deque(maxlen=OFFSETS_KEPT)
        """(when, venue's clock minus ours, half the round trip: the most it can be wrong by), ms."""
        self.gap_counts = Window(limits.figures_s)
        self.reconnects = Window(limits.reconnects_window_s)
        self.feed: FeedSample | None = None
        self.feed_ns: int | None = None
        self.data_ns: int | None = None
        """When data last came on any channel."""
        self.weight_share: float | None = None
        self.links: dict[str, LinkTrack] = {}
        self.symbols: dict[str, BookHistory] = {}
        self.notices: tuple[StatusNotice, ...] = ()
        self.channel_silence_s: dict[str, float] = {}
        self.channel_gaps: dict[str, int] = {}
        """By channel: how many of its silences have ended."""
        self.channel_peak_s: dict[str, float] = {}
        """By channel: the longest silence of all its symbols together on normal days, slowly forgotten."""
        self.base_rest = baseline(limits)
        self.base_age, self.base_engine_lag = baseline(limits), baseline(limits)
        self.base_kernel, self.base_link_kernel = baseline(limits), baseline(limits)
        self.base_connect = Baseline(limits.baseline_s * 6, 10.0, 2, limits.adopt_s)
        self.base_rate, self.base_offset = baseline(limits), baseline(limits)

    def _mark(self, t_ns: int) -> None:
        self.first_ns = t_ns if self.first_ns is None else self.first_ns
        self.measured_ns = t_ns

    def _reached(self, t_ns: int) -> None:
        self.contact_ns = t_ns if self.contact_ns is None else max(t_ns, self.contact_ns)

    def observe_probe(self, sample: ProbeSample, start_ns: int, end_ns: int) -> None:
        if not finite(sample.total_ms) or sample.total_ms < 0:
            return
        self._mark(end_ns)
        wait_ms = sample.wait_ms if 0 <= sample.wait_ms <= sample.total_ms else 0.0
        shot = Shot(start_ns, end_ns, sample, sample.total_ms - wait_ms)
        (self.cold if sample.cold else self.warm).append(shot)
        if not sample.lost:
            self._reached(end_ns)
            if sample.fault in REFUSALS and sample.fault is not None:
                self._refused(sample, end_ns)
            if sample.fault in ANSWERED:
                self.good_ns, self.refusal = end_ns, None
                self._observe_offset(sample, shot)
        if finite(sample.weight_share):
            self.weight_share = sample.weight_share

    def _refused(self, sample: ProbeSample, t_ns: int) -> None:
        if self.refusal is None or sample.fault is not self.refusal.fault:
            self.refusal = Refusal(sample.fault or Fault.REFUSED, t_ns, from_first=self.good_ns is None)
        self.refusal.last_ns = t_ns
        self.refusal.count += 1
        self.refusal.banned = self.refusal.banned or sample.status == HTTP_BANNED
        self.refusal.text = error_text(sample)

    def _observe_offset(self, sample: ProbeSample, shot: Shot) -> None:
        """The venue's stamp may be anywhere inside the exchange, so a slow one tells little."""
        if finite(sample.offset_ms) and not sample.cold:
            self.offsets.append((shot.end_ns, sample.offset_ms, shot.round_trip_ms / 2))

    def observe_feed(self, sample: FeedSample, t_ns: int) -> None:
        self._mark(t_ns)
        if not all(map(_silence, (*sample.channel_silence_ms.values(), *sample.quiet_limit_ms.values()))):
            sample = msgspec.structs.replace(
                sample,
                channel_silence_ms={k: v for k, v in sample.channel_silence_ms.items() if _silence(v)},
                quiet_limit_ms={k: v for k, v in sample.quiet_limit_ms.items() if _silence(v)},
            )
        self.feed, self.feed_ns = sample, t_ns
        if sample.messages > 0:
            self.data_ns = t_ns
            self._reached(t_ns)
        elif sample.silence_ms is not None and _silence(sample.silence_ms):
            self._reached(t_ns - ns(sample.silence_ms / 1e3))
        if sample.interval_ms > 0 and finite(sample.interval_ms):
            self.rates.add(t_ns, sample.messages * 1e3 / sample.interval_ms)
        if finite(sample.age_p50_ms):
            self.ages.add(t_ns, sample.age_p50_ms)
            worst_ms = sample.age_max_ms if finite(sample.age_max_ms) else None
            self.age_max.add(t_ns, sample.age_p50_ms if worst_ms is None else max(worst_ms, sample.age_p50_ms))
            self.bursts.add(t_ns, max(sample.bursts, 1))
            own_ms = sample.own_lag_ms if finite(sample.own_lag_ms) else 0.0
            self.own_lags.add(t_ns, own_ms)
        if finite(sample.engine_lag_ms):
            self.engine_lags.add(t_ns, sample.engine_lag_ms)

    def observe_link(self, sample: LinkSample, t_ns: int) -> None:
        self._mark(t_ns)
        link = self.links.get(sample.label)
        if link is None:
            if len(self.links) >= LINKS_KEPT:
                return
            link = self.links[sample.label] = LinkTrack(t_ns)
        if sample.connected and not link.connected:
            if link.up_once and not link.planned and not link.our_limit:
                self.reconnects.add(t_ns, 1.0)
            link.up_once, link.planned, link.our_limit, link.since_ns = True, False, False, t_ns
            self._reached(t_ns)
        elif link.connected and not sample.connected:
            link.since_ns = t_ns
        if not sample.connected:
            link.planned = link.planned or sample.planned
            link.our_limit = link.our_limit or sample.fault is Fault.OUR_LIMIT
        link.connected, link.text = sample.connected, sample.text
        link.fault, link.http_status = sample.fault, sample.http_status
        new = (sample.gaps - link.gaps if sample.gaps >= link.gaps else sample.gaps) + (
            sample.resyncs - link.resyncs if sample.resyncs >= link.resyncs else sample.resyncs
        )
        link.gaps, link.resyncs = sample.gaps, sample.resyncs
        if new > 0:
            self.gap_counts.add(t_ns, float(new))
        if finite(sample.ws_ms):
            self.ws.add(t_ns, sample.ws_ms)
        if finite(sample.tcp_rtt_ms) and sample.connected:
            self.link_kernel.add(t_ns, sample.tcp_rtt_ms)

    def observe_book(self, sample: BookSample, t_ns: int) -> None:
        self._mark(t_ns)
        symbol = self.symbols.get(sample.symbol)
        if symbol is None:
            if len(self.symbols) >= SYMBOLS_KEPT:
                return
            symbol = self.symbols[sample.symbol] = BookHistory(self.limits)
        symbol.observe(sample, t_ns)

    def observe_status(self, sample: StatusSample, t_ns: int) -> None:
        self.notices = sample.notices

    def trim(self, now_ns: int) -> None:
        horizon = now_ns - ns(COLD_WINDOW_S)
        while self.cold and self.cold[0].end_ns <= horizon:
            self.cold.popleft()
        horizon = now_ns - ns(2 * self.limits.figures_s)
        while self.warm and self.warm[0].end_ns <= horizon:
            self.warm.popleft()
        for window in (self.ages, self.age_max, self.bursts, self.own_lags, self.engine_lags, self.rates, self.ws):
            window.trim(now_ns)
        for window in (self.link_kernel, self.gap_counts, self.reconnects):
            window.trim(now_ns)
        while self.offsets and self.offsets[0][0] <= now_ns - ns(self.limits.clock_span_s):
            self.offsets.popleft()

    def links_up(self) -> int:
        return sum(link.connected for link in self.links.values())

    def data_silence_s(self) -> float | None:
        """How long no channel of the engine's has carried data, as of the last feed sample: our own pauses do not
        count, and a mark price that goes on is no proof of trading."""
        if self.feed is None or self.feed_ns is None or self.first_ns is None:
            return None
        since_ns = self.data_ns if self.data_ns is not None else self.first_ns
        told = self.feed.channel_silence_ms.items()
        quietest_ms = min((v for k, v in told if k.partition(":")[0] in ENGINE_CHANNELS), default=0.0)
        return max((self.feed_ns - since_ns) / 1e9, quietest_ms / 1e3)


def _silence(ms: float) -> bool:
    return 0 <= ms < LONGEST_SILENCE_MS


def error_text(sample: ProbeSample) -> str:
    """What an error answer said, short enough to count by."""
    page = sample.text.lstrip().startswith("<")  # an error page says less than its status
    said = (sample.text if not page else "") or sample.code or (sample.fault.value if sample.fault is not None else "")
    status = str(sample.status or "")
    return (said if said.startswith(status) else f"{status} {said}").strip()[:TEXT_KEPT]
