import asyncio
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from itertools import pairwise

import pytest
from msgspec import structs

from feeds.clock import SystemClock
from feeds.model import BookSnapshot, Channel, Fault, Garbled, Trade
from feeds.transport.connection import StreamTiming
from feeds.transport.stream import Stream
from feeds.venues.base import Answer, RateLimit, RestRequest, Subscription
from tests.feeds.loopback import (
    OUR_LIMIT_CLOSE,
    Collected,
    FakeVenue,
    Served,
    facts,
    frame,
    head,
    plan,
    read_frame,
    reply,
    serving,
    upgrade,
)
from tests.feeds.transport.streaming import QUICK, numbered, streaming


async def test_messages_become_events_with_honest_times() -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        assert await read_frame(reader) == (1, b"subscribe")
        writer.write(frame(b"ack trades A") + b"".join(frame(f"trade A {n}".encode()) for n in range(50)))
        await asyncio.sleep(60)

    clock = SystemClock()
    before_ns, before_mono_ns = clock.time_ns(), clock.monotonic_ns()
    async with streaming(talk) as (stream, sink, _):
        await sink.until(lambda: stream.stats.messages == 51)
        assert sink.trades == [str(n) for n in range(50)]
        assert stream.connected and sink.links[0].connected and not sink.links[0].planned
        for wall_ns, mono_ns in sink.times:
            assert before_ns <= wall_ns <= clock.time_ns() and before_mono_ns <= mono_ns <= clock.monotonic_ns()
        stats = stream.stats
        assert len({readable for readable, _ in sink.times}) == stats.bursts < 51
        assert len(stats.own_lag_ns) == stats.bursts and min(stats.take_own_lag_ns()) > 0
        assert stats.take_own_lag_ns() == []
        assert stats.last_data_ns is not None and stats.last_any_ns is not None
        (life,) = stream.silences(SystemClock().monotonic_ns())
        assert life.acked and life.data
        info, sample = stream.tcp_info(), stream.sample()
        assert (info is None) == (sample.tcp_rtt_ms is None)
    assert not stream.connected and stream.tcp_info() is None
    assert stream.silences(0) == ()


async def test_the_end_is_said_politely() -> None:
    said: list[tuple[int, bytes]] = []

    async def listen(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        while True:
            said.append(await read_frame(reader))
            if said[-1][0] == 8:
                writer.write(frame(said[-1][1], 8))
                return

    async with streaming(listen) as (_, sink, _served):
        await sink.until(lambda: bool(said))
    assert said[-1] == (8, (1000).to_bytes(2))
    assert sink.links[-1].connected, "our own stop is not a loss"


async def test_accepting_and_hanging_up_is_not_forgiven() -> None:
    async def hang_up(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)

    timing = StreamTiming(backoff_s=0.02, backoff_cap_s=5.0, steady_s=0.0)
    async with streaming(hang_up, timing=timing) as (stream, sink, served):
        await sink.until(lambda: stream.stats.reconnects >= 4)
    gaps = [b - a for a, b in pairwise(served.accepted_s)]
    assert all(gap >= 0.01 * 2**n for n, gap in enumerate(gaps)), gaps


async def test_data_forgives() -> None:
    async def one_each(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(frame(b"trade A 1"))
        await writer.drain()
        await asyncio.sleep(0.02)

    timing = StreamTiming(backoff_s=0.02, backoff_cap_s=60.0, steady_s=0.01)
    async with streaming(one_each, timing=timing) as (stream, sink, _):
        await sink.until(lambda: stream.stats.reconnects >= 12, timeout_s=8)
    assert len(sink.trades) >= 8


async def test_data_that_lasts_no_time_at_all_is_not_enough() -> None:
    async def one_each(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(frame(b"trade A 1"))

    timing = StreamTiming(backoff_s=0.02, backoff_cap_s=60.0, steady_s=5.0)
    async with streaming(one_each, timing=timing) as (stream, sink, served):
        await sink.until(lambda: stream.stats.reconnects >= 4)
    assert served.accepted_s[4] - served.accepted_s[3] >= 0.08


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (429, Fault.OUR_LIMIT),
        (418, Fault.OUR_LIMIT),
        (403, Fault.REFUSED),
        (451, Fault.GEO_BLOCK),
        (503, Fault.OVERLOAD),
        (404, Fault.BAD_REQUEST),
        (200, Fault.UNKNOWN),
        (302, Fault.UNKNOWN),
    ],
)
async def test_a_refused_handshake_says_why_and_is_tried_again(status: int, fault: Fault) -> None:
    async def refuse_first(reader: Reader, writer: Writer) -> None:
        if len(served_list[0].accepted_s) > 2:
            await upgrade(reader, writer)
            await asyncio.sleep(60)
        await head(reader)
        writer.write(reply(b"no\x1b[31m", status, {"location": "ws://127.0.0.1:1/"}))

    served_list: list[Served] = []
    async with streaming(refuse_first) as (stream, sink, served):
        served_list.append(served)
        await sink.until(lambda: stream.connected)
    assert stream.stats.refused == 2 and stream.stats.reconnects == 0
    first = sink.links[0]
    assert (first.connected, first.fault, first.http_status) == (False, fault, status)
    assert first.text == f"HTTP {status}: no[31m", "foreign text is made harmless"


async def test_retry_after_is_honoured() -> None:
    async def limit(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(reply(b"", 429, {"retry-after": "30"}))

    async with streaming(limit) as (_, sink, served):
        await sink.until(lambda: bool(sink.links))
        await asyncio.sleep(0.25)
    assert len(served.accepted_s) == 1
    assert sink.links[0].wait_s == 30.0, "the listener is told how long the next try waits"


@pytest.mark.parametrize("answer", [b"", b"\x00\xff\x00\xff\r\n\r\n", b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n"])
async def test_what_is_no_websocket_is_survived(answer: bytes) -> None:
    async def nonsense(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(answer)

    async with streaming(nonsense) as (stream, sink, _):
        await sink.until(lambda: len(sink.links) >= 2)
    assert all(not x.connected and x.text and x.http_status is None for x in sink.links)
    assert stream.stats.handler_errors == 0


async def test_nobody_listening_is_survived() -> None:
    sink = Collected()
    stream = Stream("fake.spot", FakeVenue(), plan(), (), "ws://127.0.0.1:1", sink, SystemClock(), timing=QUICK)
    task = asyncio.create_task(stream.run())
    await sink.until(lambda: len(sink.links) >= 3)
    stream.stop()
    await asyncio.wait_for(task, 5)
    assert not any(x.connected for x in sink.links) and stream.stats.refused >= 3


async def test_garbage_binary_and_fragments_are_counted_and_survived() -> None:
    async def babble(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(frame(b"\xff\xfe\x00garbage") + frame(b"trade A 1", opcode=2) + frame(b"odd"))
        writer.write(frame(b"tra", fin=False) + frame(b"de ", opcode=0, fin=False) + frame(b"", opcode=9))
        writer.write(frame(b"A 2", opcode=0) + frame(b"trade A 3"))
        await asyncio.sleep(60)

    async with streaming(babble) as (stream, sink, served):
        await sink.until(lambda: stream.stats.messages == 5)
        assert sink.trades == ["1", "2", "3"] and isinstance(sink.got[0], Garbled)
        assert (stream.stats.garbled, stream.stats.unknown, stream.stats.binary) == (1, 1, 1)
        assert len(served.accepted_s) == 1 and stream.connected


@pytest.mark.parametrize(
    "poison",
    [
        bytes([0x81, 127]) + (64 * 1024 * 1024).to_bytes(8),
        bytes([0x83, 1]) + b"x",
        frame(b"x", opcode=0),
        frame(b"", fin=False) + frame(b"", opcode=0, fin=False) * 5000,
    ],
    ids=["oversize", "reserved opcode", "stray continuation", "endless fragments"],
)
async def test_poison_costs_the_connection_and_nothing_else(poison: bytes) -> None:
    async def poison_first(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(poison if len(served_list[0].accepted_s) == 1 else frame(b"trade A 1"))
        await asyncio.sleep(60)

    served_list: list[Served] = []
    async with streaming(poison_first) as (stream, sink, served):
        served_list.append(served)
        await sink.until(lambda: sink.trades == ["1"])
    assert [x.connected for x in sink.links] == [True, False, True] and sink.links[1].text
    assert stream.stats.reconnects == 1


async def test_a_bug_of_ours_is_counted_and_does_not_stop_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Collected):
        def events(self, stream: Stream, events: object, wall_ns: int, mono_ns: int) -> None:
            super().events(stream, events, wall_ns, mono_ns)  # type: ignore[arg-type] # passed through
            if isinstance(self.got[-1], BookSnapshot):
                raise ValueError("the sink is broken")

        def link(self, sample: object) -> None:
            super().link(sample)  # type: ignore[arg-type] # passed through
            raise ValueError("the sink is broken")

    async def talk(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(frame(b"crash") + frame(b"snap A") + frame(b"trade A 1"))
        await asyncio.sleep(60)

    async with streaming(talk, sink=Broken()) as (stream, sink, served):
        await sink.until(lambda: sink.trades == ["1"])
        assert stream.stats.handler_errors == 3 and stream.connected and len(served.accepted_s) == 1
    assert "our own handler failed" in caplog.text


async def test_the_venues_goodbye_is_told() -> None:
    async def goodbye(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(frame((1012).to_bytes(2) + b"service restart", 8))
        await reader.read()

    async with streaming(goodbye) as (_, sink, _served):
        await sink.until(lambda: any(not x.connected for x in sink.links))
    lost = next(x for x in sink.links if not x.connected)
    assert (lost.code, lost.text, lost.planned, lost.fault) == (1012, "service restart", False, None)


async def test_a_close_that_says_our_limit_is_our_fault_until_the_socket_is_back() -> None:
    accepted = 0

    async def close(reader: Reader, writer: Writer) -> None:
        nonlocal accepted
        accepted += 1
        if accepted == 2:
            await head(reader)
            writer.write(reply(status=503))
            return
        await upgrade(reader, writer)
        await read_frame(reader)
        if accepted == 1:
            writer.write(frame(OUR_LIMIT_CLOSE.to_bytes(2) + b"too many messages", opcode=8))
        await asyncio.sleep(60)

    timing = structs.replace(QUICK, backoff_s=0.2, backoff_cap_s=0.2)
    async with streaming(close, timing=timing) as (stream, sink, _):
        await sink.until(lambda: len(sink.links) == 2)
        lost = sink.links[1]
        assert (lost.connected, lost.code, lost.fault) == (False, OUR_LIMIT_CLOSE, Fault.OUR_LIMIT)
        assert stream.sample().fault is Fault.OUR_LIMIT, "as long as nothing else is known"
        await sink.until(lambda: len(sink.links) == 3)
        assert sink.links[2].fault is Fault.OVERLOAD and stream.sample().http_status == 503
        await sink.until(lambda: len(sink.links) == 4)
        assert sink.links[3].connected and stream.sample().fault is None


async def test_a_cut_without_goodbye_is_told() -> None:
    async def cut(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        await read_frame(reader)
        writer.transport.abort()

    async with streaming(cut) as (_, sink, _served):
        await sink.until(lambda: any(not x.connected for x in sink.links))
    lost = next(x for x in sink.links if not x.connected)
    assert lost.code is None and lost.text and not lost.planned


async def test_a_socket_without_a_sign_of_life_is_given_up() -> None:
    async def mute(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        await asyncio.sleep(60)

    async with streaming(mute, spot=facts(idle_cut_s=0.1, ws_ping_s=0.05)) as (_, sink, served):
        await sink.until(lambda: len(served.accepted_s) >= 2)
    lost = next(x for x in sink.links if not x.connected)
    assert "nothing received for 0.1 s" in lost.text


async def test_connections_stay_within_the_hosts_limit() -> None:
    async def hang_up(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)

    spot = facts(connects=RateLimit(4, 0.4))
    async with streaming(hang_up, spot=spot) as (stream, sink, served):
        await sink.until(lambda: stream.stats.reconnects >= 5)
    for at_s in served.accepted_s:
        assert sum(1 for s in served.accepted_s if at_s <= s < at_s + 0.35) <= 2, "half of what the venue allows"


async def test_subscriptions_are_paced_within_the_venues_send_limit() -> None:
    times: list[float] = []

    async def count(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        while True:
            await read_frame(reader)
            times.append(asyncio.get_running_loop().time())

    async with streaming(count, spot=facts(sends=RateLimit(2, 0.2))) as (stream, sink, _):
        await sink.until(lambda: stream.connected)
        for symbol in "BCDEF":
            stream.resubscribe(Channel.BOOK, symbol)
        await sink.until(lambda: len(times) == 6)
    assert times[5] - times[0] >= 0.35
    assert stream.stats.resubscribed == 5


async def test_a_token_is_asked_for_before_every_dial() -> None:
    asked: list[RestRequest] = []
    paths: list[bytes] = []

    async def ask(request: RestRequest) -> Answer:
        asked.append(request)
        return Answer(status=500 if len(asked) == 1 else 200, headers={}, body=f"t{len(asked)}".encode())

    async def once(reader: Reader, writer: Writer) -> None:
        paths.append((await upgrade(reader, writer)).split(b" ")[1])

    token = RestRequest(path="/token")
    async with streaming(once, socket_plan=plan(handshake=token), ask=ask) as (_, sink, _served):
        await sink.until(lambda: len(paths) >= 2)
    assert asked[0] == token and paths[:2] == [b"/ws?token=t2", b"/ws?token=t3"]
    assert sink.links[0].text == "token: no token" and sink.links[0].http_status == 500


async def test_pings_of_both_kinds_measure_the_round_trip_and_replies_go_out() -> None:
    heard: list[bytes] = []

    async def polite(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(frame(b"ping 42"))
        while True:
            opcode, data = await read_frame(reader)
            heard.append(data)
            if opcode == 9:
                writer.write(frame(data, 10))
            elif data.startswith(b"ping "):
                writer.write(frame(b"pong " + data[5:]))

    spot = facts(app_ping_s=0.05, ws_ping_s=0.05)
    async with streaming(polite, spot=spot) as (stream, sink, _):
        await sink.until(lambda: len(stream.stats.ws_ms) >= 3)
        assert b"reply 42" in heard and b"ping 1" in heard
        assert all(0 < ms < 1000 for ms in stream.stats.take_ws_ms())
        assert stream.keepalive_ok is True and stream.stats.pongs_lost == 0
        assert stream.stats.messages >= 1 and stream.stats.last_data_ns is None, "pongs are life, not data"


async def test_lost_pongs_are_counted_and_are_no_round_trips() -> None:
    async def deaf(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        for n in range(1000):
            writer.write(frame(f"trade A {n}".encode()))
            await asyncio.sleep(0.02)

    async with streaming(deaf, spot=facts(app_ping_s=0.05)) as (stream, sink, served):
        await sink.until(lambda: stream.stats.pongs_lost >= 2)
        assert stream.keepalive_ok is False and not stream.stats.ws_ms
        assert stream.connected and len(served.accepted_s) == 1, "data flows: not dead"


async def test_an_acknowledged_but_silent_channel_is_reported_and_asked_for_again() -> None:
    heard: list[bytes] = []

    async def half(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(frame(b"ack book A") + frame(b"ack book B"))

        async def listen() -> None:
            while True:
                heard.append((await read_frame(reader))[1])
                if heard[-1] == b"again book B":
                    writer.write(frame(b"snap B"))

        listening = asyncio.ensure_future(listen())
        try:
            while True:
                writer.write(frame(b"delta A"))
                await asyncio.sleep(0.02)
        finally:
            listening.cancel()

    books = plan(Subscription(Channel.BOOK, "A"), Subscription(Channel.BOOK, "B"))
    clock = SystemClock()
    # Half a minute of patience is too long for a test: the venue's own limit is set to a quarter of a second.
    async with streaming(half, spot=facts(quiet_s={Channel.BOOK: 0.25}), socket_plan=books) as (stream, sink, _):
        await sink.until(lambda: any(x.never_data for x in stream.silences(clock.monotonic_ns())))
        silent = [x.key for x in stream.silences(clock.monotonic_ns()) if x.late]
        assert silent == ["book:B"]
        await sink.until(lambda: any(isinstance(e, BookSnapshot) for e in sink.got))
        assert not [x for x in stream.silences(clock.monotonic_ns()) if x.late]
    assert heard.count(b"again book B") == 1 and b"again book A" not in heard


async def test_cancelling_ends_it_too() -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await numbered(reader, writer)

    sink = Collected()
    async with serving(talk) as served:
        stream = Stream("fake.spot", FakeVenue(), plan(), (), served.ws, sink, SystemClock(), timing=QUICK)
        task = asyncio.create_task(stream.run())
        await sink.until(lambda: any(isinstance(e, Trade) for e in sink.got))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
        assert not stream.connected
        told = len(sink.got)
        await asyncio.sleep(0.05)
        assert len(sink.got) == told, "nothing arrives after the end"
