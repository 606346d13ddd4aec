"""Before a venue cuts a connection its successor takes over: no message is lost or told twice."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer

from feeds.model import BookSnapshot, Channel
from feeds.venues.base import Subscription
from tests.feeds.loopback import (
    Served,
    facts,
    frame,
    head,
    plan,
    reply,
    upgrade,
)
from tests.feeds.transport.streaming import numbered, streaming

MARKET = plan(Subscription(Channel.TRADES, "A"), Subscription(Channel.BOOK, "A"))


async def test_before_the_venues_cut_a_successor_takes_over_without_gap_or_echo() -> None:
    async with streaming(numbered, spot=facts(lifetime_s=1.0), socket_plan=MARKET) as (stream, sink, served):
        await sink.until(lambda: stream.stats.handovers >= 2)
        await sink.until(lambda: served.open == 1)
    numbers = [int(t) for t in sink.trades if t is not None]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "every trade once, in order"
    assert all(x.connected for x in sink.links) and [x.planned for x in sink.links[1:3]] == [True] * 2
    assert stream.stats.reconnects == 0 and len(served.accepted_s) >= 3
    snapshots = sum(isinstance(e, BookSnapshot) for e in sink.got)
    assert snapshots >= 3, "a successor's own snapshot reaches the book"


async def test_an_announced_disconnect_is_met_before_it_happens() -> None:
    async def announce(reader: Reader, writer: Writer) -> None:
        first = len(served_list[0].accepted_s) == 1
        serving_on = asyncio.ensure_future(numbered(reader, writer))
        await asyncio.sleep(0.1)
        if first:
            writer.write(frame(b"leave 0.4"))
            await asyncio.sleep(0.4)
            serving_on.cancel()
            return
        await serving_on

    served_list: list[Served] = []
    async with streaming(announce, socket_plan=MARKET) as (stream, sink, served):
        served_list.append(served)
        await sink.until(lambda: stream.stats.handovers == 1)
        await asyncio.sleep(0.3)
        assert stream.stats.reconnects == 0 and all(x.connected for x in sink.links)


async def test_a_venue_that_leaves_before_the_successor_is_there_kept_its_appointment() -> None:
    async def leave(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(frame(b"trade A 1") + frame(b"leave 1000") + frame((1001).to_bytes(2), 8))
        await reader.read()

    async with streaming(leave) as (_, sink, _served):
        await sink.until(lambda: any(not x.connected for x in sink.links))
    lost = next(x for x in sink.links if not x.connected)
    assert lost.planned and lost.code == 1001


async def test_a_successor_that_is_refused_leaves_the_old_connection_alone() -> None:
    async def only_one(reader: Reader, writer: Writer) -> None:
        if len(served_list[0].accepted_s) > 1:
            await head(reader)
            writer.write(reply(b"", 503))
            return
        await numbered(reader, writer)

    served_list: list[Served] = []
    async with streaming(only_one, spot=facts(lifetime_s=0.3), socket_plan=MARKET) as (stream, sink, served):
        served_list.append(served)
        await sink.until(lambda: len(served.accepted_s) >= 4)
        assert stream.connected and stream.stats.handovers == 0
    numbers = [int(t) for t in sink.trades if t is not None]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert [x.connected for x in sink.links] == [True], "nobody is told of a dial that nobody missed"


async def test_a_successor_without_data_never_takes_over() -> None:
    async def mute_second(reader: Reader, writer: Writer) -> None:
        if len(served_list[0].accepted_s) > 1:
            await upgrade(reader, writer)
            await asyncio.sleep(60)
        await numbered(reader, writer)

    served_list: list[Served] = []
    async with streaming(mute_second, spot=facts(lifetime_s=0.2), socket_plan=MARKET) as (stream, sink, served):
        served_list.append(served)
        await sink.until(lambda: len(served.accepted_s) >= 3)
        assert stream.stats.handovers == 0 and stream.connected
    numbers = [int(t) for t in sink.trades if t is not None]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
