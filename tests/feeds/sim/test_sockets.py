"""Frames, one client's way out, and listeners that refuse or go deaf."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from feeds.sim import sockets
from feeds.sim.sockets import BINARY, PING, TEXT, Client, Port, Silent, close_frame, frame
from feeds.sim.twin import Close
from tests.feeds.sim.patience import until


class Wire(asyncio.Transport):
    """A transport that remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.waiting = 0
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def client(wire: Wire) -> Client:
    return Client("binance.spot", "spot", None, wire)  # type: ignore[arg-type]  # no session is asked here


@given(st.sampled_from([TEXT, BINARY]), st.binary(max_size=70_000))
def test_frames_are_what_another_library_writes(opcode: int, body: bytes) -> None:
    assert frame(opcode, body) == Frame(Opcode(opcode), body).serialize(mask=False, extensions=[])


def test_long_reasons_still_fit_a_control_frame() -> None:
    assert len(close_frame(1001, "x" * 500)) == 127


async def test_answers_leave_in_order_and_data_waits_behind_them() -> None:
    wire = Wire()
    out = client(wire)
    out.send(["ack"], delay_s=0.01)
    out.send_bytes(frame(TEXT, b"data"))
    assert wire.sent == []
    await until(lambda: len(wire.sent) == 2)
    assert wire.sent == [frame(TEXT, b"ack"), frame(TEXT, b"data")]
    out.send_bytes(b"now")
    assert wire.sent[-1] == b"now"


async def test_nothing_leaves_while_held_and_all_of_it_after() -> None:
    wire = Wire()
    out = client(wire)
    out.hold(True)
    out.send(["one"])
    out.send_bytes(b"two")
    out.send_aside(frame(PING, b"three"), 0.0)
    await asyncio.sleep(0)
    assert wire.sent == []
    out.hold(False)
    assert wire.sent == [frame(TEXT, b"one"), b"two", frame(PING, b"three")]


async def test_a_slow_client_is_cut() -> None:
    wire = Wire()
    out = client(wire)
    wire.waiting = sockets.BUFFER_LIMIT + 1
    out.send_bytes(b"more")
    assert wire.aborted
    held = Wire()
    out = client(held)
    out.hold(True)
    for _ in range(5):
        out.send_bytes(b"x" * (1 << 20))
    assert held.aborted


async def test_a_close_is_the_last_frame_and_1006_drops_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "CLOSE_WAIT_S", 0.0)
    wire = Wire()
    out = client(wire)
    out.send(["bye", Close(1001, "restart"), "never"])
    await until(lambda: wire.aborted)
    assert wire.sent == [frame(TEXT, b"bye"), close_frame(1001, "restart")]
    dropped = Wire()
    out = client(dropped)
    out.send([Close(1006)])
    await until(lambda: dropped.aborted)
    assert dropped.sent == []


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
    port.verdict = lambda: "refuse"
    with pytest.raises(ConnectionResetError):
        await greeting(port.number)
    port.verdict = lambda: "hang"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await greeting(port.number)
    port.verdict = lambda: "serve"
    assert await greeting(port.number) == b"hello"


async def test_a_deaf_port_lets_nobody_in_and_hears_again(port: Port) -> None:
    await port.set_deaf(True)
    with pytest.raises((TimeoutError, OSError)):
        async with asyncio.timeout(0.1):
            await greeting(port.number)
    await port.set_deaf(False)
    assert await greeting(port.number) == b"hello"


async def test_a_taken_port_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError):
            Port(Echo, taken.getsockname()[1])


async def test_a_witness_holds_only_so_many(port: Port) -> None:
    alive: set[asyncio.Transport] = set()
    wires = [Wire() for _ in range(3)]
    for wire in wires:
        Silent(alive, limit=2).connection_made(wire)
    assert len(alive) == 2
    assert wires[2].aborted
