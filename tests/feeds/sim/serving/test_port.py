"""Listening ports that serve, refuse, hang or drop every new connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from feeds.sim.serving.port import Port, SilentProtocol
from tests.feeds.sim.serving.fake_transport import FakeTransport


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    made = Port(Echo)
    made.start()
    yield made
    await made.close()


async def greeting(number: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    try:
        return await reader.read(16)
    finally:
        writer.close()


async def test_a_port_serves_refuses_hangs_and_serves_again(port: Port) -> None:
    assert await greeting(port.number) == b"hello"
    port.decide = lambda: "refuse"
    with pytest.raises(ConnectionResetError):
        await greeting(port.number)
    port.decide = lambda: "hang"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await greeting(port.number)
    port.decide = lambda: "serve"
    assert await greeting(port.number) == b"hello"


async def test_an_unreachable_port_lets_nobody_in_and_answers_again(port: Port) -> None:
    await port.set_unreachable(True)
    with pytest.raises((TimeoutError, OSError)):
        async with asyncio.timeout(0.1):
            await greeting(port.number)
    await port.set_unreachable(False)
    assert await greeting(port.number) == b"hello"


async def test_a_taken_port_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError):
            Port(Echo, taken.getsockname()[1])


async def test_a_witness_holds_only_so_many(port: Port) -> None:
    alive: set[asyncio.Transport] = set()
    wires = [FakeTransport() for _ in range(3)]
    for wire in wires:
        SilentProtocol(alive, limit=2).connection_made(wire)
    assert len(alive) == 2
    assert wires[2].aborted
