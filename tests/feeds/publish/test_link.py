"""A screen attaches, gets the history, follows, sends commands, stalls and leaves; the collector never waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from feeds.link_messages import Command, Goodbye, History, Past, Shown, UseHome, UseOrder
from feeds.publish import link
from feeds.publish.attachment import Attachment
from feeds.publish.link import Address, LinkError, Server, new_address, parse_address
from tests.feeds.frames import frame

HISTORY = History(end_ns=5, step_s=1.0, series={"rest:binance.linear": [None, 1.5]})


async def the_history() -> History:
    return HISTORY


def a_server(commands: list[Command] | None = None) -> Server:
    return Server(the_history, (commands if commands is not None else []).append)


@contextlib.asynccontextmanager
async def serving(address: Address, commands: list[Command] | None = None) -> AsyncIterator[Server]:
    server = a_server(commands)
    await server.start(address)
    try:
        yield server
    finally:
        await server.close("the test is over")


@pytest.fixture(params=["unix", "tcp"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    if request.param == "unix":
        return new_address(tmp_path / "run")
    return Address(port=_free_port(), token="ab" * 32)


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_a_screen_gets_the_past_then_every_new_frame_then_the_reason_of_the_end(address: Address) -> None:
    async with serving(address) as server:
        messages = Attachment(address).messages()
        past = await anext(messages)
        assert isinstance(past, Past) and past.history.series == HISTORY.series
        for number in (1, 2):
            server.publish(frame(number))
            shown = await anext(messages)
            assert isinstance(shown, Shown)
            assert shown.frame.number == number
            assert shown.frame.routes == frame(number).routes
        closing = asyncio.create_task(server.close("interrupted"))
        assert await anext(messages) == Goodbye("interrupted")
        await closing


async def test_a_screen_that_attaches_late_gets_the_latest_frame_at_once(address: Address) -> None:
    async with serving(address) as server:
        server.publish(frame(7))
        messages = Attachment(address).messages()
        await anext(messages)
        shown = await anext(messages)
        assert isinstance(shown, Shown) and shown.frame.number == 7


async def test_commands_reach_the_collector(address: Address) -> None:
    commands: list[Command] = []
    async with serving(address, commands) as server:
        screen = Attachment(address)
        messages = screen.messages()
        await anext(messages)
        await screen.send(UseHome("okx.linear"))
        await screen.send(UseOrder("buy", 5e4))
        while len(commands) < 2:
            server.publish(frame(len(commands) + 1))
            await asyncio.sleep(0)
        assert commands == [UseHome("okx.linear"), UseOrder("buy", 5e4)]


async def test_a_stuck_screen_holds_neither_the_collector_nor_other_screens_and_gets_the_latest(
    tmp_path: Path,
) -> None:
    address = new_address(tmp_path)
    async with serving(address) as server:
        assert address.path is not None
        stuck_reader, stuck_writer = await asyncio.open_unix_connection(address.path, limit=1)
        good = Attachment(address).messages()
        await anext(good)
        wide = tuple(frame().pairs[0] for _ in range(2000))
        for number in range(1, 60):
            server.publish(frame(number, pairs=wide))  # far beyond every socket buffer
            message = await anext(good)
            assert isinstance(message, Shown) and message.frame.number == number
        assert server.screens == 2
        del stuck_reader
        stuck_writer.transport.abort()


async def test_garbage_from_a_client_ends_only_its_own_link(tmp_path: Path) -> None:
    address = new_address(tmp_path)
    async with serving(address) as server:
        assert address.path is not None
        for garbage in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x03abc"):
            reader, writer = await asyncio.open_unix_connection(address.path)
            writer.write(garbage)
            while await reader.read(65536):
                pass
            writer.close()
        good = Attachment(address).messages()
        await anext(good)
        server.publish(frame(1))
        assert isinstance(await anext(good), Shown)


async def test_a_wrong_token_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "TOKEN_S", 0.2)
    port = _free_port()
    async with serving(Address(port=port, token="ab" * 32)) as server:
        server.publish(frame(1))
        for token in ("cd" * 32, "", "short", "x" * 100_000):
            with pytest.raises(LinkError, match="the token is wrong"):
                await asyncio.wait_for(anext(Attachment(Address(port=port, token=token)).messages()), 5.0)
        assert server.screens == 0


async def test_the_socket_is_private_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    address = new_address(tmp_path / "run")
    assert address.path is not None
    async with serving(address):
        assert stat.S_IMODE(Path(address.path).stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
        with pytest.raises(LinkError, match="already listens"):
            await a_server().start(address)
    import socket

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(address.path)
    async with serving(address):
        pass


async def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="no collector answers"):
        await anext(Attachment(Address(path=str(tmp_path / "none")), patience_s=0.0).messages())


def test_addresses_survive_the_command_line() -> None:
    for address in (Address(path="/some/where.sock"), Address(port=4001, token="ff")):
        assert parse_address(str(address)) == address
    with pytest.raises(LinkError, match="tcp:PORT:TOKEN"):
        parse_address("tcp:99999999:x")
