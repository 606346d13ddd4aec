"""Websockets of one route: which are up, how often they were cut, sequence gaps, round trips."""

from __future__ import annotations

from collections.abc import Container

from feeds.judge.rolling import Window, finite, ns, usual_baseline
from feeds.judge.thresholds import Thresholds
from feeds.model import Fault
from feeds.quantiles import median
from feeds.samples import LinkSample

PINGS_WINDOW_S = 60.0
KERNEL_RECENT_S = 8.0
LINKS_KEPT = 64
REFUSING = frozenset({Fault.GEO_BLOCK, Fault.REFUSED})
REFUSING_STATUS = frozenset({403, 451})
OURS: frozenset[Fault | None] = frozenset({Fault.OUR_LIMIT, Fault.CERTIFICATE})


class Link:
    """One websocket as last seen."""

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
        """Since when it is up or down."""
        self.gaps = 0
        self.resyncs = 0
        self.text = ""
        self.fault: Fault | None = None
        self.http_status: int | None = None

    @property
    def handshake_refused(self) -> bool:
        return not self.connected and (self.fault in REFUSING or self.http_status in REFUSING_STATUS)


class LinkHistory:
    """All websockets of one route, bounded."""

    def __init__(self, limits: Thresholds) -> None:
        self.contact_ns: int | None = None
        """When a websocket last came up."""
        self._awake_ns: int | None = None
        """When we woke up last."""
        self.kernel_ms: float | None = None
        """The kernel's round trip, median of the last 8 s, all websockets together."""
        self.base_kernel = usual_baseline(limits)
        self._limits = limits
        self._links: dict[str, Link] = {}
        self._pings = Window(PINGS_WINDOW_S)
        self._kernel = Window(limits.figures_s)
        self._gaps = Window(limits.figures_s)
        self._cuts = Window(limits.reconnects_window_s)

    def observe(self, sample: LinkSample, t_ns: int) -> None:
        link = self._links.get(sample.label)
        if link is None:
            if len(self._links) >= LINKS_KEPT:
                return
            link = self._links[sample.label] = Link(t_ns)
        if sample.connected and not link.connected:
            if link.up_once and not link.planned and not link.our_limit and not self._just_awake(t_ns):
                self._cuts.add(t_ns, 1.0)
            link.up_once, link.planned, link.our_limit, link.since_ns = True, False, False, t_ns
            self.contact_ns = t_ns if self.contact_ns is None else max(t_ns, self.contact_ns)
        elif link.connected and not sample.connected:
            link.since_ns = t_ns
        if not sample.connected:
            link.planned = link.planned or sample.planned
            link.our_limit = link.our_limit or sample.fault is Fault.OUR_LIMIT
        link.connected, link.text = sample.connected, sample.text
        link.fault, link.http_status = sample.fault, sample.http_status
        # counters start again at 0 with a new connection
        new = (sample.gaps - link.gaps if sample.gaps >= link.gaps else sample.gaps) + (
            sample.resyncs - link.resyncs if sample.resyncs >= link.resyncs else sample.resyncs
        )
        link.gaps, link.resyncs = sample.gaps, sample.resyncs
        if new > 0 and not self._just_awake(t_ns):
            self._gaps.add(t_ns, float(new))
        if finite(sample.ws_ms) and not self._slept_within(sample.ws_ms, t_ns):
            self._pings.add(t_ns, sample.ws_ms)
        if finite(sample.tcp_rtt_ms) and sample.connected:
            self._kernel.add(t_ns, sample.tcp_rtt_ms)

    def _just_awake(self, t_ns: int) -> bool:
        """Connections that died in our sleep are noticed now, and what they lost."""
        return self._awake_ns is not None and t_ns - self._awake_ns < ns(self._limits.awake_s)

    def _slept_within(self, trip_ms: float, t_ns: int) -> bool:
        return self._awake_ns is not None and t_ns - ns(trip_ms / 1e3) < self._awake_ns

    def awoke(self, now_ns: int) -> None:
        """What was measured before the sleep says nothing about now."""
        self._awake_ns = now_ns
        for window in (self._pings, self._kernel, self._gaps, self._cuts):
            window.items.clear()
        self.kernel_ms = None
        self.base_kernel.interrupted()

    def trim(self, now_ns: int) -> None:
        for window in (self._pings, self._kernel, self._gaps, self._cuts):
            window.trim(now_ns)

    def update(self, now_ns: int) -> None:
        """Works out ``kernel_ms``, as of ``now_ns``."""
        self.kernel_ms = self._kernel.median_since(now_ns - ns(KERNEL_RECENT_S))

    def learn(self, now_ns: int, abnormal: Container[str]) -> None:
        self.base_kernel.offer(now_ns, self.kernel_ms, "kernel" in abnormal)

    def __len__(self) -> int:
        return len(self._links)

    def up(self) -> list[Link]:
        return [link for link in self._links.values() if link.connected]

    def down(self) -> list[Link]:
        """Without those that the venue keeps closed for our own limit, and those where the venue was never asked."""
        return [link for link in self._links.values() if not link.connected and link.fault not in OURS]

    def untrusted_text(self) -> str | None:
        """What is wrong with the certificate that a websocket was shown; None: nothing."""
        texts = (x.text for x in self._links.values() if not x.connected and x.fault is Fault.CERTIFICATE)
        text = next(texts, None)
        return text if text is None else text or "its certificate does not verify here"

    def closed_for_our_limit(self) -> list[Link]:
        return [link for link in self._links.values() if not link.connected and link.fault is Fault.OUR_LIMIT]

    def first(self) -> Link | None:
        return next(iter(self._links.values()), None)

    def all_refused(self) -> bool:
        """There are websockets, and the venue refused the last handshake of each."""
        return bool(self._links) and all(link.handshake_refused for link in self._links.values())

    def gaps(self) -> float:
        """Sequence gaps and resyncs of the last 30 s."""
        return sum(self._gaps.values())

    def cuts(self) -> int:
        """Unplanned reconnects of the last two minutes."""
        return len(self._cuts.items)

    def pings_ms(self) -> list[float]:
        """Websocket round trips of the last 60 s, ascending."""
        return sorted(self._pings.values())

    def figures_kernel_ms(self) -> float | None:
        """The kernel's round trip, median of the last 30 s."""
        return median(self._kernel.values())
