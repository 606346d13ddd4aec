"""A stream of ours against a loopback server, for tests: quick to lose patience, stopped at the end."""

from __future__ import annotations

import asyncio
import random
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from feeds.clock import SystemClock
from feeds.transport.connection import StreamTiming
from feeds.transport.rate_limit import ConnectLimits
from feeds.transport.stream import Stream
from feeds.venues.base import ProductFacts, RestRequest, SocketPlan
from tests.feeds.loopback import (
    Collected,
    FakeVenue,
    Handler,
    Served,
    frame,
    plan,
    read_frame,
    serving,
    upgrade,
)

QUICK = StreamTiming(
    backoff_s=0.01,
    backoff_cap_s=0.04,
    refused_s=0.02,
    refused_cap_s=0.1,
    steady_s=0.0,
    open_timeout_s=2.0,
    pong_timeout_s=0.1,
    handover_s=0.3,
    close_s=0.05,
    notice_settle_s=0.0,
)


@asynccontextmanager
async def streaming(
    handler: Handler,
    *,
    spot: ProductFacts | None = None,
    timing: StreamTiming = QUICK,
    socket_plan: SocketPlan | None = None,
    ask: Callable[[RestRequest], object] | None = None,
    sink: Collected | None = None,
    limits: ConnectLimits | None = None,
) -> AsyncIterator[tuple[Stream, Collected, Served]]:
    """A stream running against a loopback server; stopped at the end."""
    collected = sink or Collected()
    async with serving(handler) as served:
        stream = Stream(
            "fake.spot",
            FakeVenue(spot),
            socket_plan or plan(),
            (),
            served.ws,
            collected,
            SystemClock(),
            timing=timing,
            ask=ask,  # type: ignore[arg-type] # tests hand in an async function of their own
            limits=limits,
            rng=random.Random(1),
        )
        task = asyncio.create_task(stream.run())
        try:
            yield stream, collected, served
        finally:
            stream.stop()
            await asyncio.wait_for(task, 10)


async def numbered(reader: Reader, writer: Writer, every_s: float = 0.005) -> None:
    """One market told to everybody who listens: trades are numbered by the clock, books begin with a snapshot."""
    await upgrade(reader, writer)
    await read_frame(reader)
    writer.write(frame(b"snap A"))
    number = int(asyncio.get_running_loop().time() / every_s)
    left = asyncio.ensure_future(reader.read())
    try:
        while not left.done():
            number += 1
            await asyncio.sleep(max(0.0, number * every_s - asyncio.get_running_loop().time()))
            writer.write(frame(f"trade A {number}".encode()) + frame(b"delta A"))
    finally:
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
