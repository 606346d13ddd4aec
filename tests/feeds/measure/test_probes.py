import asyncio
import random
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.clock import SECOND, SystemClock
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.probes import Prober, ProbeSchedule
from feeds.measure.schedule import Ticker
from feeds.model import Fault
from feeds.samples import ProbeSample
from feeds.transport.http import HttpError
from feeds.transport.requester import Requester
from feeds.venues.base import Answer, Probe, ProbeReading, RateLimit, RestRequest
from tests.feeds.loopback import FakeVenue, Handler, Samples, Served, facts, head, reply, serving

TIME = Probe(name="time", request=RestRequest(path="/time"), gives_time=True)
BOOK = Probe(name="book", request=RestRequest(path="/book", weight=2.0))
QUICK = ProbeSchedule(warm_s=0.05, cold_s=60.0, timeout_s=0.2)


class Probed:
    def __init__(self, prober: Prober, served: Served, samples: Samples[ProbeSample]) -> None:
        self.prober, self.served, self.samples = prober, served, samples
        self.until = samples.until


@asynccontextmanager
async def probing(
    handler: Handler,
    *,
    probes: tuple[Probe, ...] = (TIME,),
    schedule: ProbeSchedule = QUICK,
    limit: RateLimit | None = None,
    offset: OffsetEstimator | None = None,
) -> AsyncIterator[Probed]:
    samples: Samples[ProbeSample] = Samples()
    async with serving(handler) as served:
        prober = Prober(
            "fake.spot",
            FakeVenue(facts(rest_limit=limit), probes),
            "spot",
            served.http,
            (),
            samples.append,
            SystemClock(),
            schedule=schedule,
            offset=offset,
            rng=random.Random(1),
        )
        task = asyncio.create_task(prober.run())
        try:
            yield Probed(prober, served, samples)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert prober.bugs == 0


async def told(reader: Reader, writer: Writer) -> None:
    """Answers with a clock five seconds ahead of ours."""
    while True:
        await head(reader)
        writer.write(reply(str(SystemClock().time_ns() + 5 * SECOND).encode()))


async def test_the_first_probe_is_cold_and_at_once_then_warm_ones_follow() -> None:
    offset = OffsetEstimator()
    async with probing(told, probes=(TIME, BOOK), offset=offset) as probed:
        samples = await probed.until(5)
    cold, *warm = samples
    assert cold.cold and cold.connect_ms is not None and cold.resolve_ms is not None and cold.status == 200
    assert [s.name for s in warm[:4]] == ["time", "book", "time", "book"], "the venue's probes take turns"
    assert not any(s.cold for s in warm) and all(s.connect_ms is None for s in warm)
    assert all(s.first_byte_ms is not None and s.total_ms >= s.first_byte_ms + s.wait_ms for s in samples)
    assert all(not s.lost and s.failed_at is None and s.fault is None for s in samples)
    assert offset.offset_ms == pytest.approx(5000, abs=50) and offset.error_ms is not None
    assert warm[0].offset_ms == pytest.approx(5000, abs=100)
    shares = [s.weight_share for s in samples if s.weight_share is not None]
    assert len(shares) == len(samples) and shares == sorted(shares) and 0 < shares[0] < 0.001


async def test_probes_go_on_while_earlier_ones_are_outstanding_and_a_timeout_is_a_sample_at_the_timeout() -> None:
    most = 0

    async def stall(reader: Reader, writer: Writer) -> None:
        nonlocal most
        await head(reader)
        most = max(most, probed.prober.in_flight)
        await asyncio.sleep(60)

    async with probing(stall) as probed:
        samples = await probed.until(6)
    assert most >= 3, "open loop: a slow venue is asked as often as a quick one"
    for sample in samples:
        assert sample.lost and sample.failed_at == "first_byte"
        assert sample.total_ms == pytest.approx(200.0)
        assert sample.status is None and sample.first_byte_ms is None and sample.fault is None
    due = sorted(s.t_ns for s in samples[1:])
    assert all(abs((b - a) / 1e6 - 50) < 2 for a, b in pairwise(due)), "at the scheduled times"


async def test_in_flight_is_bounded_and_what_is_left_out_is_no_sample() -> None:
    async def stall(reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(60)

    schedule = ProbeSchedule(warm_s=0.02, cold_s=60.0, timeout_s=0.3, max_in_flight=2)
    async with probing(stall, schedule=schedule) as probed:
        await asyncio.sleep(0.2)
        assert probed.prober.in_flight == 2 and probed.prober.skipped >= 3
        assert probed.samples == []


async def test_errors_are_samples_with_their_fault() -> None:
    async def fail(reader: Reader, writer: Writer) -> None:
        while True:
            await head(reader)
            writer.write(reply(b"sorry", 503))

    async with probing(fail) as probed:
        sample = (await probed.until(2))[1]
    assert (sample.status, sample.fault, sample.code) == (503, Fault.OVERLOAD, "503")
    assert not sample.lost and sample.offset_ms is None


async def test_a_hangup_is_lost_before_the_timeout() -> None:
    async def hang_up(reader: Reader, writer: Writer) -> None:
        await head(reader)

    async with probing(hang_up) as probed:
        sample = (await probed.until(1))[0]
    assert sample.lost and sample.failed_at == "first_byte" and sample.total_ms < 200 and "hung up" in sample.text


async def test_when_told_that_we_ask_too_much_we_stop_asking() -> None:
    async def limit(reader: Reader, writer: Writer) -> None:
        while True:
            await head(reader)
            writer.write(reply(b"", 429, {"retry-after": "120"}))

    async with probing(limit) as probed:
        await probed.until(1)
        await asyncio.sleep(0.2)
        held_s = probed.prober.budget.held_s(SystemClock().monotonic_ns() / SECOND)
    assert held_s == pytest.approx(120, abs=2)
    assert len(probed.samples) <= 2 and probed.samples[0].fault is Fault.OUR_LIMIT


async def test_a_tight_rate_limit_stretches_the_schedule() -> None:
    async with probing(told, limit=RateLimit(40, 1.0)) as probed:
        await asyncio.sleep(1.2)
    # 5 % of 40 a second are two probes a second, of which some room is kept for the cold ones.
    assert 2 <= len(probed.samples) <= 4


@given(
    every_ms=st.integers(1, 5000),
    gaps_ms=st.lists(st.integers(0, 20_000), max_size=50),
)
def test_due_times_never_drift_and_none_is_taken_twice(every_ms: int, gaps_ms: list[int]) -> None:
    ticker, now_ns, seen = Ticker(0, every_ms / 1000), 0, 0
    for gap_ms in gaps_ms:
        now_ns += gap_ms * 1_000_000
        taken = ticker.take(now_ns)
        if taken is None:
            assert ticker.due_ns > now_ns
            continue
        due_ns, missed = taken
        seen += missed + 1
        assert due_ns <= now_ns < ticker.due_ns == due_ns + every_ms * 1_000_000
        assert due_ns == (seen - 1) * every_ms * 1_000_000


async def test_requests_share_the_budget_and_run_only_so_many_at_once() -> None:
    now, most = 0, 0

    async def slow(reader: Reader, writer: Writer) -> None:
        nonlocal now, most
        while True:
            await head(reader)
            now, most = now + 1, max(most, now + 1)
            await asyncio.sleep(0.03)
            now -= 1
            writer.write(reply(b"book"))

    async with serving(slow) as served:
        requester = Requester(FakeVenue(), "spot", served.http, SystemClock(), concurrency=2)
        asked = RestRequest(path="/depth", weight=10.0)
        answers = await asyncio.gather(*(requester.request(asked) for _ in range(6)))
        assert requester.budget.used_share(SystemClock().monotonic_ns() / SECOND) == pytest.approx(60 / 100_000)
        requester.close()
    assert most == 2 and [a.body for a in answers] == [b"book"] * 6
    assert len(served.accepted_s) == 2, "and keep their connections"


async def test_a_request_waits_until_the_budget_lets_it_go() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        requester.budget._held_until_s = 0.0

    async with serving(told) as served:
        requester = Requester(FakeVenue(), "spot", served.http, SystemClock(), sleep=sleep)
        requester.budget.learn(ProbeReading(fault=Fault.OUR_LIMIT), SystemClock().monotonic_ns() / SECOND)
        answer: Answer = await requester.request(RestRequest(path="/depth"))
        requester.close()
    assert answer.status == 200 and waits == [pytest.approx(30, abs=1)]


async def test_a_refused_request_holds_the_probes_back_too() -> None:
    async def limit(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(reply(b"", 418, {"retry-after": "77"}))

    async with serving(limit) as served:
        requester = Requester(FakeVenue(), "spot", served.http, SystemClock())
        assert (await requester.request(RestRequest(path="/depth"))).status == 418
        requester.close()
    assert requester.budget.probe_wait_s(1, SystemClock().monotonic_ns() / SECOND) == pytest.approx(77, abs=1)


async def test_a_request_goes_to_the_host_it_names_unless_somebody_replaced_the_published_one() -> None:
    async def here(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(reply(b"here"))

    async def there(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(reply(b"there"))

    async with serving(here) as one, serving(there) as other:
        published = FakeVenue()
        published.products = {"spot": msgspec.structs.replace(published.products["spot"], rest=one.http)}
        asked = RestRequest(path="/currencies", host=other.http)
        for venue, words in ((published, b"there"), (FakeVenue(), b"here")):
            requester = Requester(venue, "spot", one.http, SystemClock())
            assert (await requester.request(asked)).body == words
            assert (await requester.request(RestRequest(path="/depth"))).body == b"here"
            requester.close()


async def test_a_request_without_an_answer_raises() -> None:
    async def hang_up(reader: Reader, writer: Writer) -> None:
        await head(reader)

    async with serving(hang_up) as served:
        requester = Requester(FakeVenue(), "spot", served.http, SystemClock())
        with pytest.raises(HttpError):
            await requester.request(RestRequest(path="/depth"))
        requester.close()
