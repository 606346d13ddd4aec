"""The tests of the matrix over sockets: each puts one fault into all cells of a file at the same time.

The tests of a file share simulator and connections, like the faults of one day. Each checks only what happens while it
runs.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest

from feeds.model import Channel
from feeds.samples import channel_key
from feeds.transport.websocket import MAX_MESSAGE
from tests.feeds.matrix.conftest import Stage
from tests.feeds.matrix.floor import WatchedRoute, each
from tests.feeds.matrix.products import Cell, Loss, gone_beside

LOST_AT_MOST = 40
NOISES = 6
SILENT_S = 1.5
SLOW_FACTOR, SLOW_MS, SLOW_S = 60.0, 60.0, 3.0
CUT_ROAD_S = 6.0


@pytest.mark.asyncio(loop_scope="class")
class Rows:
    share: ClassVar[int]

    async def test_subscribing_brings_every_book(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            watched = stage.watched[cell]
            await watched.live()
            assert watched.route_books.gaps == watched.watch.reconnects == watched.noise == 0, watched.said
            assert not watched.route_books.refusals

        await each(stage.floor.cells, story)

    async def test_a_lost_change_is_noticed_once_and_mended(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            watched = stage.watched[cell]
            gaps, reconnects = watched.route_books.gaps, watched.watch.reconnects
            for _ in range(LOST_AT_MOST if cell.loss is Loss.CHECKSUM else 1):
                await stage.floor.order("event", cell, kind="gap", symbols=[watched.symbol])
                if cell.loss is Loss.SEQUENCE:
                    await watched.until(lambda: watched.route_books.gaps > gaps, "the gap is noticed")
                else:
                    await watched.updates(12, or_when=lambda: watched.route_books.gaps > gaps)
                if watched.route_books.gaps > gaps:
                    break
            if cell.loss is Loss.CROSSING:  # until then it may lack the lost change: only a new subscription helps
                watched.ask_again()
            await watched.live()
            found = watched.route_books.gaps - gaps
            if cell.loss is Loss.HEALED:
                assert found == 0
            elif cell.loss is Loss.CROSSING:
                assert found <= 1
            elif cell.numbered_together:
                assert 1 <= found <= len(watched.books)
            else:
                assert found == 1
            assert watched.watch.reconnects == reconnects

        await each(stage.floor.cells, story)

    async def test_a_wrong_checksum_is_a_gap_where_checksums_live(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            watched = stage.watched[cell]
            gaps = watched.route_books.gaps
            await stage.floor.order("event", cell, kind="checksum", symbols=[watched.symbol])
            if cell.checksum:
                await watched.until(lambda: watched.route_books.gaps > gaps, "the checksum is missed")
            else:
                await watched.updates(12)
            await watched.live()
            assert watched.route_books.gaps - gaps == cell.checksum

        await each(stage.floor.cells, story)

    async def test_garbage_is_counted_and_survived(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            watched = stage.watched[cell]
            gaps, reconnects, noise = watched.route_books.gaps, watched.watch.reconnects, watched.noise
            for _ in range(NOISES):
                await stage.floor.order("event", cell, kind="garbage", bytes=64)
            expected = noise + NOISES * watched.sockets
            await watched.until(lambda: watched.noise >= expected, "all garbage is counted")
            await watched.live()
            assert watched.watch.reconnects == reconnects, watched.said
            found = watched.route_books.gaps - gaps
            # it may have been a change: where no number tells, books are asked for again
            assert found >= len(watched.books) if cell.blind else found == 0, watched.said

        await each(stage.floor.cells, story)

    async def test_a_first_book_that_never_comes_is_asked_for_again(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            async with WatchedRoute(stage.floor, cell, withhold=2) as watched:
                await watched.live()
                assert watched.tampering.withhold == 0
                assert watched.watch.reconnects == watched.route_books.gaps == watched.bugs == 0, watched.said
                if cell.asked_by_watchdog:
                    assert any("no first book for" in text for text in watched.said), watched.said

        await each(stage.floor.cells, story)

    async def test_a_frame_that_cannot_be_read_is_a_lost_change(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            watched = stage.watched[cell]
            gaps, reconnects = watched.route_books.gaps, watched.watch.reconnects
            watched.tampering.cut = 1
            await watched.until(lambda: watched.tampering.cut == 0, "a frame is cut")
            if cell.loss is not Loss.HEALED:
                await watched.until(lambda: watched.route_books.gaps > gaps, "the loss is noticed")
            await watched.live()
            assert (watched.watch.reconnects, watched.bugs) == (reconnects, 0), watched.said

        await each(stage.floor.cells, story)

    async def test_a_closed_connection_is_opened_again(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            watched = stage.watched[cell]
            gaps, reconnects = watched.route_books.gaps, watched.watch.reconnects
            await stage.floor.order("event", cell, kind="close", code=1006)
            await watched.until(
                lambda: watched.watch.reconnects >= reconnects + watched.sockets, "every socket is open again"
            )
            await watched.live()
            assert watched.watch.reconnects == reconnects + watched.sockets
            assert watched.route_books.gaps == gaps, watched.said

        await each(stage.floor.cells, story)

    async def test_an_oversize_frame_costs_a_connection_at_most(self, stage: Stage) -> None:
        few_at_a_time = asyncio.Semaphore(3)  # the message is large for every client

        async def story(cell: Cell) -> None:
            watched = stage.watched[cell]
            gaps, reconnects = watched.route_books.gaps, watched.watch.reconnects
            async with few_at_a_time:
                await stage.floor.order("event", cell, kind="oversize", bytes=MAX_MESSAGE + 1)
                await watched.until(lambda: watched.watch.reconnects > reconnects, "the sender is left")
            await watched.live()
            assert watched.watch.reconnects <= reconnects + watched.sockets
            assert watched.route_books.gaps == gaps, watched.said

        await each(stage.floor.cells, story)

    async def test_the_daily_cut_is_no_gap(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            watched = stage.watched[cell]
            await watched.until(lambda: watched.watch.sockets_up == watched.sockets, "all sockets are up")
            gaps, before = watched.route_books.gaps, watched.handovers + watched.watch.reconnects
            await stage.floor.order("event", cell, kind="close", planned=True, notice_s=1.5)
            await watched.until(
                lambda: watched.handovers + watched.watch.reconnects >= before + watched.sockets,
                "every socket has a successor",
            )
            await watched.live()
            assert watched.route_books.gaps == gaps, watched.said

        await each(stage.floor.cells, story)

    async def test_an_unknown_symbol_does_not_harm_its_neighbours(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            gone = gone_beside(stage.floor.instruments(cell))
            async with WatchedRoute(stage.floor, cell, beside=[gone]) as watched:
                await watched.live()
                await watched.live()
                assert not watched.route_books.pairs[gone.symbol].book.synced
                assert watched.watch.reconnects == watched.route_books.gaps == watched.bugs == 0, watched.said

        await each(stage.floor.cells, story)

    async def test_a_channel_that_is_acknowledged_and_silent_is_named(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            channel = Channel.TRADES  # the channel that no venue derives from another
            quiet_s = {**cell.facts.quiet_s, channel: SILENT_S}
            symbol = stage.watched[cell].symbol
            silenced = channel_key(channel, symbol)
            phase = {"silent": [channel.value], "symbols": [symbol], "to_s": 60}
            await stage.floor.order("phase", cell, **phase)
            async with WatchedRoute(stage.floor, cell, facts={"quiet_s": quiet_s}) as watched:
                await watched.live()
                await watched.until(lambda: silenced in watched.silent(), f"{silenced} is named")
                await watched.until(lambda: watched.silent() == [silenced], "nothing else is named")
                await watched.live()
                assert watched.watch.reconnects == watched.route_books.gaps == watched.bugs == 0, watched.said

        await each(stage.floor.cells, story)

    async def test_slow_pongs_are_measured_and_dead_ones_end_the_connection(self, stage: Stage) -> None:
        async def story(cell: Cell) -> None:
            facts = cell.facts
            often = {
                "ws_ping_s": None if facts.ws_ping_s is None else 0.4,
                "app_ping_s": None if facts.app_ping_s is None else 0.4,
                "idle_cut_s": 2.0,
            }
            async with WatchedRoute(stage.floor, cell, facts=often) as watched:
                await watched.live()
                await watched.until(lambda: watched.pongs_ms() != [], "pongs are measured")
                calm_ms = min(watched.pongs_ms())
                await stage.floor.order("phase", cell, rest_factor=SLOW_FACTOR, to_s=SLOW_S)
                await watched.until(lambda: max(watched.pongs_ms()) > calm_ms + SLOW_MS, "slow pongs are measured")
                assert watched.watch.reconnects == watched.route_books.gaps == 0, watched.said
                await stage.floor.order("phase", cell, blackhole=True, to_s=CUT_ROAD_S)
                await watched.until(lambda: watched.keepalive() is False, "missing pongs are noticed")
                await watched.until(lambda: watched.watch.reconnects >= watched.sockets, "it is opened again")
                await watched.live()
                assert watched.route_books.gaps == watched.bugs == 0, watched.said

        await each(stage.floor.cells, story)
