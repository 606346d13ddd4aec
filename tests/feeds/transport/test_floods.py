"""A venue that floods one socket: every other socket and timer still gets its turn, and only that venue is named."""

import asyncio
import contextlib
import gzip
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import uvloop

from feeds.clock import MS, SystemClock
from feeds.model import Event, Garbled
from feeds.transport.http import HttpClient, HttpError
from feeds.transport.stream import Stream
from feeds.venues.base import RestRequest
from feeds.venues.reading import UNREADABLE, gunzip
from tests.feeds.loopback import Collected, FakeSession, FakeVenue, frame, plan
from tests.feeds.transport.flooding import flooding
from tests.feeds.transport.streaming import QUICK, numbered, streaming

SECONDS = 1.5
WORST_LAG_S = 0.1
STEP_S = 0.005


class Lateness:
    """The worst lateness of a timer by our own work: what other processes take from this machine is not counted."""

    def __init__(self) -> None:
        self.worst_s, self.runs = 0.0, 0

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s, worked_s = loop.time() + STEP_S, time.thread_time()
            await asyncio.sleep(STEP_S)
            self.runs += 1
            self.worst_s = max(self.worst_s, min(loop.time() - due_s, time.thread_time() - worked_s))


@asynccontextmanager
async def watched() -> AsyncIterator[Lateness]:
    lateness = Lateness()
    task = asyncio.create_task(lateness.watch())
    try:
        yield lateness
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Unpacking(FakeSession):
    """As HTX and BingX do: every message is a gzip member."""

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        with contextlib.suppress(*UNREADABLE):
            gunzip(raw)
        return (Garbled(what="flood"),)


class UnpackingVenue(FakeVenue):
    def session(self, plan: object, instruments: object) -> FakeSession:
        return Unpacking()


def many(one: bytes) -> bytes:
    return one * (262_144 // len(one))


BOMB = gzip.compress(b"[" + b" " * (4 << 20), 9)
FLOODS: dict[str, bytes] = {
    "empty frames": many(frame(b"")),
    "tiny frames": many(frame(b"{")),
    "pings": many(frame(b"", opcode=9)),
    "pongs": many(frame(b"", opcode=10)),
    "fragments": many(frame(b"", fin=False) + frame(b"a", opcode=0)),
    "gzip members": many(frame(BOMB, opcode=2)),
    "pings of the venue": many(frame(b"ping x")),
    "trades": many(frame(b"trade A 1")),
}


def stream_to(port: int, sink: Collected, venue: FakeVenue | None = None) -> Stream:
    return Stream(
        "flood.spot",
        venue or FakeVenue(),
        plan(),
        (),
        f"ws://127.0.0.1:{port}",
        sink,
        SystemClock(),
        timing=QUICK,
        rng=random.Random(1),
    )


class Drop(Collected):
    """Keeps nothing: a flood would fill a list."""

    def events(self, stream: Stream, events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        pass


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flooding_socket_leaves_the_others_their_turn(kind: str) -> None:
    venue = UnpackingVenue() if kind == "gzip members" else FakeVenue()
    with flooding(FLOODS[kind], seconds=SECONDS) as port:
        async with streaming(numbered) as (_, healthy, _), watched() as lateness:
            await healthy.until(lambda: len(healthy.trades) > 1)
            flood = stream_to(port, Drop(), venue)
            task = asyncio.create_task(flood.run())
            lateness.worst_s, lateness.runs, before = 0.0, 0, len(healthy.trades)
            await asyncio.sleep(SECONDS)
            came, worst_s = len(healthy.trades) - before, lateness.worst_s
            flood.stop()
            ending_s = asyncio.get_running_loop().time()
            await asyncio.wait_for(task, 5)
            ending_s = asyncio.get_running_loop().time() - ending_s
    assert worst_s < WORST_LAG_S, f"a timer was {worst_s * 1e3:.0f} ms late"
    assert came > lateness.runs / 4 > 5, "the healthy stream's messages arrive meanwhile"
    assert flood.stats.bytes > 0 and flood.stats.held_back_ns > 0.2 * SECONDS * 1e9, "the flood is counted"
    assert ending_s < 1.5, "and it ends when it is told to"


async def test_ten_flooding_sockets_are_no_worse_than_one() -> None:
    with flooding(FLOODS["tiny frames"], seconds=SECONDS) as port:
        async with streaming(numbered) as (_, healthy, _), watched() as lateness:
            await healthy.until(lambda: len(healthy.trades) > 1)
            floods = [stream_to(port, Drop()) for _ in range(10)]
            tasks = [asyncio.create_task(flood.run()) for flood in floods]
            await asyncio.sleep(1.0)  # each may use its allowance first
            lateness.worst_s, lateness.runs, before = 0.0, 0, len(healthy.trades)
            await asyncio.sleep(SECONDS)
            came, worst_s = len(healthy.trades) - before, lateness.worst_s
            for flood in floods:
                flood.stop()
            await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert worst_s < WORST_LAG_S and came > lateness.runs / 4 > 5


CHUNKED = b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n"
ANSWERS: dict[str, tuple[bytes, bytes]] = {
    "chunks of a byte": (CHUNKED, many(b"1\r\n \r\n")),
    "103 without end": (b"", many(b"HTTP/1.1 103 x\r\n\r\n")),
    "headers without end": (b"HTTP/1.1 200 x\r\n", many(b"a: b\r\n")),
    "a header line without end": (b"HTTP/1.1 200 x\r\na: ", many(b"b")),
    "chunk extensions without end": (CHUNKED + b"1;", many(b"b")),
    "trailers without end": (CHUNKED + b"0\r\n", many(b"a: b\r\n")),
    "a body without end": (b"HTTP/1.1 200 x\r\n\r\n", many(b"b")),
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_an_answer_without_end_leaves_the_others_their_turn(kind: str) -> None:
    first, block = ANSWERS[kind]
    with flooding(block, seconds=SECONDS, upgrade=False, first=first) as port:
        client = HttpClient(f"http://127.0.0.1:{port}", SystemClock())
        async with watched() as lateness:
            await asyncio.sleep(0.05)
            lateness.worst_s = 0.0
            with pytest.raises(HttpError) as caught:
                await client.exchange(RestRequest(path="/"), timeout_s=1.0)
        client.close()
    assert lateness.worst_s < WORST_LAG_S, f"a timer was {lateness.worst_s * 1e3:.0f} ms late"
    assert caught.value.phase in ("first_byte", "body")


async def test_a_body_in_many_small_chunks_arrives_whole() -> None:
    whole = CHUNKED + b"1\r\n7\r\n" * 20_000 + b"0\r\n\r\n"
    with flooding(b"", seconds=0, upgrade=False, first=whole) as port:
        client = HttpClient(f"http://127.0.0.1:{port}", SystemClock())
        async with watched() as lateness:
            exchange = await client.exchange(RestRequest(path="/"), timeout_s=8.0)
        client.close()
    assert exchange.answer.body == b"7" * 20_000
    assert lateness.worst_s < WORST_LAG_S


async def test_every_frame_of_a_burst_arrives_in_order_with_the_stamp_of_its_read() -> None:
    """More than a turn holds, and less than a flood: nothing is lost, and nothing gets a later stamp."""
    burst = b"".join(frame(f"trade A {n}".encode()) for n in range(15_000))
    sink = Collected()
    with flooding(b"", seconds=0, first=burst) as port:
        stream = stream_to(port, sink)
        task = asyncio.create_task(stream.run())
        await sink.until(lambda: len(sink.trades) == 15_000)
        stream.stop()
        await asyncio.wait_for(task, 5)
    assert sink.trades == [str(n) for n in range(15_000)]
    stamps = [mono_ns for _, mono_ns in sink.times]
    assert stamps == sorted(stamps)
    assert len(set(stamps)) <= stream.stats.bursts + 1 < 200, "one stamp a read, however many turns it takes"
    assert max(stream.stats.own_lag_ns) > 10 * MS, "what waited with us is our own lag"


@pytest.mark.parametrize("kind", ["tiny frames", "pings"])
def test_under_uvloop_as_the_product_runs(kind: str) -> None:
    async def run() -> None:
        await test_a_flooding_socket_leaves_the_others_their_turn(kind)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
