"""Clients that are hostile, slow, stopped or many: each loses its own link at most; measuring and the others go on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from feeds.link_messages import Command, History, Past, Shown, UseHome, UseOrder
from feeds.publish import attachment, link
from feeds.publish.attachment import Attachment, check, only_collector
from feeds.publish.link import Address, LinkError, Server
from tests.feeds.frames import frame

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")

HISTORY = History(end_ns=5, step_s=1.0, series={f"rest:{n}": [None, 1.5] * 900 for n in range(20)})


class Served:
    """A server in a folder of its own, what it was asked, and how often its history was encoded."""

    def __init__(self, path: Path) -> None:
        self.address = Address(path=str(path))
        self.commands: list[Command] = []
        self.encodings = 0
        self.server = Server(self.history, self.commands.append)

    async def history(self) -> History:
        self.encodings += 1
        await asyncio.sleep(0)
        return HISTORY

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert self.address.path is not None
        return await asyncio.open_unix_connection(self.address.path)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    made = Served(tmp_path / "c.sock")
    await made.server.start(made.address)
    yield made
    await made.server.close("the test is over")


def body(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def sent(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5.0):
        while not true():  # noqa: ASYNC110 - of another task, which has no event for it
            await asyncio.sleep(0.01)


async def still_serves(served: Served, number: int) -> None:
    messages = Attachment(served.address).messages()
    past = await anext(messages)
    assert isinstance(past, Past) and past.history.series == HISTORY.series
    served.server.publish(frame(number))
    while True:
        shown = await asyncio.wait_for(anext(messages), 5.0)
        if isinstance(shown, Shown) and shown.frame.number == number:
            return


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff" + b"x" * 1000,
        (link.MAX_COMMAND_BYTES + 1).to_bytes(4, "big"),
        sent(b""),
        sent(b"abc"),
        sent(b"\xc1" * 50),
        sent(b"\x91" * 60_000),  # nested sixty thousand deep
        sent(body({"type": "Nobody"})),
        sent(body({"type": "UseOrder", "side": "hold", "notional": 5.0})),
        sent(body({"type": "UseOrder", "side": "buy", "notional": "much"})),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_garbage_costs_the_sender_its_link_and_nobody_else(served: Served, garbage: bytes) -> None:
    reader, writer = await served.client()
    writer.write(garbage)
    async with asyncio.timeout(5.0):
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
    writer.close()
    assert served.commands == []
    await still_serves(served, 1)


async def test_a_command_that_comes_byte_by_byte_is_one_command(served: Served) -> None:
    _, writer = await served.client()
    for byte in link.packet(UseHome("okx.linear")):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    await still_serves(served, 1)
    await until(lambda: bool(served.commands))
    assert served.commands == [UseHome("okx.linear")]
    writer.close()


async def test_a_flood_of_commands_waits_in_its_own_socket(served: Served) -> None:
    _, writer = await served.client()
    flood = link.packet(UseOrder("buy", 1.0)) * 5_000
    writer.write(flood)
    await asyncio.sleep(0.3)
    assert 0 < len(served.commands) < 100
    await still_serves(served, 1)
    writer.transport.abort()


async def test_177_screens_in_a_moment_cost_one_encoding_of_the_history(served: Served) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    screens = [Attachment(served.address).messages() for _ in range(177)]
    pasts = await asyncio.gather(*(anext(screen) for screen in screens))
    took_s = loop.time() - began_s
    assert all(isinstance(past, Past) for past in pasts)
    assert served.encodings <= 1 + took_s / link.PAST_S
    for screen in screens:
        await screen.aclose()  # type: ignore[attr-defined]  # an async generator


async def test_fifty_screens_each_get_every_frame_while_one_has_stopped_reading(served: Served) -> None:
    stopped_reader, stopped = await served.client()
    stopped_reader._transport.pause_reading()  # type: ignore[attr-defined]  # it takes nothing from now on
    screens = [Attachment(served.address).messages() for _ in range(50)]
    await asyncio.gather(*(anext(screen) for screen in screens))
    wide = tuple(frame().pairs[0] for _ in range(500))
    for number in range(1, 6):
        served.server.publish(frame(number, pairs=wide))
        shown = await asyncio.wait_for(asyncio.gather(*(anext(screen) for screen in screens)), 10.0)
        assert [m.frame.number for m in shown if isinstance(m, Shown)] == [number] * 50
    assert served.server.screens == 51
    stopped.transport.abort()
    for screen in screens:
        await screen.aclose()  # type: ignore[attr-defined]  # an async generator


async def test_no_more_links_than_we_have_handles_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MAX_SCREENS", 3)
    held = [await served.client() for _ in range(3)]
    for reader, _ in held:
        await reader.readexactly(4)
    with pytest.raises(LinkError, match="too many screens"):
        await anext(Attachment(served.address).messages())
    for _, writer in held:
        writer.transport.abort()
    await until(lambda: not served.server.screens)
    await still_serves(served, 1)


STOPPED = """
import asyncio, sys
from feeds.publish import link
from feeds.publish.attachment import Attachment
link.STUCK_S = 1.0
async def main():
    async for message in Attachment(link.Address(path=sys.argv[1])).messages():
        print(type(message).__name__, getattr(message, "why", ""), flush=True)
asyncio.run(main())
"""


async def test_a_screen_that_was_stopped_says_what_is_true_and_attaches_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "STUCK_S", 1.0)
    screen = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STOPPED, str(served.address.path), stdout=asyncio.subprocess.PIPE
    )
    assert screen.stdout is not None
    wide = tuple(frame().pairs[0] for _ in range(2000))
    try:
        assert await asyncio.wait_for(screen.stdout.readline(), 20.0) == b"Past \n"
        screen.send_signal(signal.SIGSTOP)
        number = 0
        async with asyncio.timeout(15.0):
            while served.server.screens:  # until it is cut
                number += 1
                served.server.publish(frame(number, pairs=wide))
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        screen.send_signal(signal.SIGCONT)
        served.server.publish(frame(number + 1))
        said: list[str] = []
        async with asyncio.timeout(10.0):
            while len(said) < 3:
                line = (await screen.stdout.readline()).decode().strip()
                if said or line.startswith("Goodbye"):
                    said.append(line)
        assert said == [
            "Goodbye the collector closed the link because this screen took nothing for 1 s; attaching again",
            "Past",
            "Shown",
        ]
    finally:
        screen.kill()
        await screen.wait()


async def test_a_collector_that_was_killed_is_said_to_have_ended_and_found_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachment, "PAUSES_S", (0.05,))
    first = Served(tmp_path / "c.sock")
    await first.server.start(first.address)
    messages = Attachment(first.address).messages()
    assert isinstance(await anext(messages), Past)
    await asyncio.sleep(0.1)  # its link waits for the next frame now
    assert first.server._server is not None
    first.server._server.close()
    (tmp_path / "c.sock").unlink()
    for task in list(first.server._tasks):
        task.cancel()
    said = await asyncio.wait_for(anext(messages), 5.0)
    assert getattr(said, "why", "") == "the collector has ended without a word; looking for it again"
    second = Served(tmp_path / "c.sock")
    await second.server.start(second.address)
    assert isinstance(await asyncio.wait_for(anext(messages), 5.0), Past)
    await second.server.close("over")


async def test_of_a_dead_and_a_live_socket_the_live_one_is_taken_and_the_dead_one_goes(tmp_path: Path) -> None:
    import socket

    for name, age_s in (("a.sock", 60.0), ("z.sock", 0.0)):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / name))
        when_s = (tmp_path / name).stat().st_mtime - age_s
        os.utime(tmp_path / name, (when_s, when_s))
    with pytest.raises(LinkError, match="no collector runs here"):
        await asyncio.to_thread(only_collector, [tmp_path])
    live = Served(tmp_path / "live.sock")
    await live.server.start(live.address)
    assert await asyncio.to_thread(only_collector, [tmp_path, tmp_path / "none"]) == live.address
    # the young one may be a collector that is being born
    assert sorted(path.name for path in tmp_path.iterdir()) == ["live.sock", "z.sock"]
    other = Served(tmp_path / "other.sock")
    await other.server.start(other.address)
    with pytest.raises(LinkError, match=r"name one: .*live.sock, .*other.sock"):
        await asyncio.to_thread(only_collector, [tmp_path])
    await live.server.close("over")
    await other.server.close("over")


async def test_a_dead_socket_and_a_wrong_token_are_refused_at_once(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    began_s = asyncio.get_running_loop().time()
    for place in (tmp_path / "dead.sock", tmp_path / "none.sock", tmp_path):
        with pytest.raises(LinkError, match="no collector answers at"):
            check(Address(path=str(place)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(LinkError, match=f"no collector answers at port {port}"):
        check(Address(port=port, token="ab" * 32))
    server = Server(Served(tmp_path / "unused").history, lambda command: None)
    await server.start(Address(port=port, token="ab" * 32))
    with pytest.raises(LinkError, match="the token is wrong"):
        await asyncio.to_thread(check, Address(port=port, token="cd" * 32))
    await asyncio.to_thread(check, Address(port=port, token="ab" * 32))
    assert asyncio.get_running_loop().time() - began_s < 3.0
    await server.close("over")


async def test_what_listens_and_is_silent_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        mute.listen()
        with pytest.raises(LinkError, match="does not answer within"):
            await asyncio.to_thread(check, Address(path=str(tmp_path / "mute.sock")), 0.2)
