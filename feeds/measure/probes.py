"""REST probes on a fixed schedule, within the route's budget.

Open loop: a probe starts when it is due, whether or not earlier ones have been answered, and its time counts from when
it was due. A closed loop would ask a slow venue less often and so call it fast (coordinated omission).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from feeds.clock import MS, SECOND, Clock
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.schedule import Ticker
from feeds.model import Instrument, Product
from feeds.samples import ProbeSample
from feeds.transport.backoff import retry_after_s
from feeds.transport.http import Exchange, HttpClient, HttpError, Timing
from feeds.transport.rest_budget import RestBudget, learn
from feeds.venues.base import Probe, ProbeReading, Venue

log = logging.getLogger(__name__)

MAX_PROBE_BODY = 4 * 1024 * 1024


class ProbeSchedule(Struct, frozen=True, kw_only=True):
    """Seconds, unless a name says otherwise."""

    warm_s: float = 1.0
    """Between probes on kept-alive connections; stretched where the budget's share is smaller than that."""
    cold_s: float = 60.0
    """Between probes on new connections; the first is due at once."""
    timeout_s: float = 5.0
    max_in_flight: int = 12


class Prober:
    """Probes one route for as long as ``run`` runs, and emits one sample a probe."""

    def __init__(
        self,
        route: str,
        venue: Venue,
        product: Product,
        base_url: str,
        instruments: Sequence[Instrument],
        emit: Callable[[ProbeSample], None],
        clock: Clock,
        *,
        budget: RestBudget | None = None,
        offset: OffsetEstimator | None = None,
        schedule: ProbeSchedule | None = None,
        tls: ssl.SSLContext | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        """``base_url`` is the user's endpoint or the venue's own; ``offset`` may be shared by a venue's routes."""
        self.route = route
        self.budget = budget or RestBudget(venue.products[product].rest_limit)
        self.offset = offset or OffsetEstimator()
        self.skipped = 0
        """Probes that were due and not sent: no budget, too many under way, or we were late. They give no samples."""
        self.bugs = 0
        """Exceptions by bugs of ours; each is logged."""
        self._venue, self._product, self._emit, self._clock = venue, product, emit, clock
        self._schedule = schedule or ProbeSchedule()
        self._probes = tuple(venue.probes(product, instruments))
        self._turn = itertools.cycle(self._probes) if self._probes else None
        self._client = HttpClient(base_url, clock, tls=tls, max_body=MAX_PROBE_BODY)
        self._sleep, self._rng = sleep, rng or random.Random()
        self._in_flight: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    async def run(self) -> None:
        """Send probes until cancelled."""
        if self._turn is None:
            return
        mean_weight = sum(p.request.weight for p in self._probes) / len(self._probes)
        cold_rate = self._probes[0].request.weight / self._schedule.cold_s
        warm_s = max(self._schedule.warm_s, self.budget.pace_s(mean_weight, cold_rate))
        now_ns = self._clock.monotonic_ns()
        # Routes begin at random moments, so that our own probes do not queue behind each other.
        warm = Ticker(now_ns + int(self._rng.uniform(0.2, 1.0) * warm_s * SECOND), warm_s)
        cold = Ticker(now_ns, self._schedule.cold_s)
        try:
            while True:
                now_ns = self._clock.monotonic_ns()
                if (due := cold.take(now_ns)) is not None:
                    self._start(self._probes[0], *due, cold=True)
                if (due := warm.take(now_ns)) is not None:
                    self._start(next(self._turn), *due, cold=False)
                next_ns = min(cold.due_ns, warm.due_ns)
                await self._sleep(max(0.0, (next_ns - self._clock.monotonic_ns()) / SECOND))
        finally:
            for task in self._in_flight:
                task.cancel()
            await asyncio.gather(*self._in_flight, return_exceptions=True)
            self._client.close()

    def _start(self, probe: Probe, due_ns: int, missed: int, *, cold: bool) -> None:
        self.skipped += missed
        now_s = self._clock.monotonic_ns() / SECOND
        too_many = len(self._in_flight) >= self._schedule.max_in_flight
        if too_many or self.budget.probe_wait_s(probe.request.weight, now_s) > 0:
            self.skipped += 1
            return
        self.budget.probe_spent(probe.request.weight, now_s)
        task = asyncio.get_running_loop().create_task(self._measure(probe, due_ns, cold=cold))
        self._in_flight.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.bugs += 1
            log.error("probe of %s failed by our own fault", self.route, exc_info=error)

    async def _measure(self, probe: Probe, due_ns: int, *, cold: bool) -> None:
        started_ns = self._clock.monotonic_ns()
        wait_ns = max(0, started_ns - due_ns)
        # On the wall clock, the due time lies as far back as it does on the monotonic one.
        due_wall_ns = self._clock.time_ns() - wait_ns
        budget_s = max(0.0, self._schedule.timeout_s - wait_ns / SECOND)
        try:
            exchange = await self._client.exchange(probe.request, timeout_s=budget_s, cold=cold)
        except HttpError as failure:
            self._emit(self._lost(probe, failure, due_ns, due_wall_ns, wait_ns, cold=cold))
            return
        self._emit(self._answered(probe, exchange, due_ns, due_wall_ns, wait_ns))

    def _lost(
        self, probe: Probe, failure: HttpError, due_ns: int, due_wall_ns: int, wait_ns: int, *, cold: bool
    ) -> ProbeSample:
        elapsed_ns = self._clock.monotonic_ns() - due_ns
        timeout_ns = int(self._schedule.timeout_s * SECOND)
        timing = failure.timing
        return ProbeSample(
            route=self.route,
            t_ns=due_wall_ns,
            mono_ns=due_ns,
            name=probe.name,
            cold=cold or timing.cold,
            # A timeout counts as the timeout, not as the moment we noticed it.
            total_ms=(timeout_ns if failure.timed_out else min(elapsed_ns, timeout_ns)) / MS,
            wait_ms=wait_ns / MS,
            resolve_ms=timing.resolve_ms,
            connect_ms=timing.connect_ms,
            tls_ms=timing.tls_ms,
            first_byte_ms=timing.first_byte_ms,
            body_ms=timing.body_ms,
            tcp_rtt_ms=timing.tcp_rtt_ms,
            lost=True,
            failed_at=failure.phase,
            text=failure.why,
            weight_share=self.budget.used_share(self._clock.monotonic_ns() / SECOND),
        )

    def _answered(self, probe: Probe, exchange: Exchange, due_ns: int, due_wall_ns: int, wait_ns: int) -> ProbeSample:
        now_ns = self._clock.monotonic_ns()
        timing, answer = exchange.timing, exchange.answer
        reading = self._venue.read_probe(self._product, probe, answer)
        if reading.retry_after_s is None and answer.status >= 400:
            after_s = retry_after_s(answer.headers.get("retry-after"), self._clock.time_ns() / SECOND)
        else:
            after_s = reading.retry_after_s
        learn(self.budget, reading, after_s, now_ns / SECOND)
        return ProbeSample(
            route=self.route,
            t_ns=due_wall_ns,
            mono_ns=due_ns,
            name=probe.name,
            cold=timing.cold,
            # Up to the last byte received; decoding is our own work and not counted.
            total_ms=((timing.ended_mono_ns or now_ns) - due_ns) / MS,
            wait_ms=wait_ns / MS,
            resolve_ms=timing.resolve_ms,
            connect_ms=timing.connect_ms,
            tls_ms=timing.tls_ms,
            first_byte_ms=timing.first_byte_ms,
            body_ms=timing.body_ms,
            tcp_rtt_ms=timing.tcp_rtt_ms,
            status=answer.status,
            fault=reading.fault,
            code=reading.code,
            text=reading.text[:200],
            offset_ms=self._offset(reading, timing, now_ns),
            weight_share=self.budget.used_share(now_ns / SECOND),
        )

    def _offset(self, reading: ProbeReading, timing: Timing, now_ns: int) -> float | None:
        if reading.fault is not None or reading.server_ns is None:
            return None
        if timing.sent_ns is None or timing.first_byte_ms is None:
            return None
        return self.offset.add(
            sent_ns=timing.sent_ns,
            rtt_ns=int(timing.first_byte_ms * MS),
            server_ns=reading.server_ns,
            now_mono_ns=now_ns,
            sent_mono_ns=_sent_mono_ns(timing),
            resolution_ns=reading.server_resolution_ns,
        )


def _sent_mono_ns(timing: Timing) -> int | None:
    """When the request was written, on the monotonic clock."""
    if timing.ended_mono_ns is None or timing.first_byte_ms is None or timing.body_ms is None:
        return None
    return timing.ended_mono_ns - int((timing.first_byte_ms + timing.body_ms) * MS)
