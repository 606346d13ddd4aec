import asyncio
import time
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer

import pytest

from feeds.model import Fault
from feeds.transport import websocket
from feeds.transport.websocket import DialError, WebSocket, dial
from tests.feeds.loopback import frame, head, read_frame, reply, serving, upgrade


class Heard:
    """A receiver that keeps everything."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.messages: list[tuple[bytes, bool]] = []
        self.lost = asyncio.Event()
        self.got = asyncio.Event()

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def burst_begins(self) -> int:
        self.calls.append("begins")
        return time.monotonic_ns()

    def message(self, raw: bytes, binary: bool) -> None:
        assert type(raw) is bytes, "sessions may hash it or keep it"
        self.calls.append("message")
        self.messages.append((raw, binary))
        self.got.set()

    def pong(self, payload: bytes) -> None:
        self.calls.append(f"pong {payload.decode()}")
        self.got.set()

    def burst_ends(self, size: int) -> int:
        assert size > 0
        self.calls.append("ends")
        return time.monotonic_ns()

    def held_back(self, waited_ns: int) -> None:
        self.calls.append("held back")

    def ended(self) -> None:
        self.lost.set()


async def shut(socket: WebSocket) -> None:
    socket.transport.abort()
    await socket.wait_closed()


async def test_a_burst_is_reported_as_one_with_its_messages_in_between() -> None:
    async def talk(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        await writer.drain()
        await read_frame(reader)
        writer.write(frame(b"one") + frame(b"two", opcode=2) + frame(b"p", opcode=10))
        await asyncio.sleep(60)

    heard = Heard()
    async with serving(talk) as served:
        socket = await dial(served.ws, heard, now_s=0)
        heard.calls.clear()
        assert socket.send_now("go")
        await asyncio.wait_for(heard.got.wait(), 5)
        assert heard.calls == ["begins", "message", "message", "pong p", "ends"]
        assert heard.messages == [(b"one", False), (b"two", True)]
        await shut(socket)
        assert heard.lost.is_set() and not socket.send_now("late") and not socket.ping_now(b"late")


async def test_messages_in_the_handshakes_own_packet_are_not_lost() -> None:
    async def eager(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        writer.write(frame(b"first"))
        await asyncio.sleep(60)

    heard = Heard()
    async with serving(eager) as served:
        socket = await dial(served.ws, heard, now_s=0)
        await asyncio.wait_for(heard.got.wait(), 5)
        await shut(socket)
    assert heard.messages == [(b"first", False)]


async def test_text_and_bytes_go_out_as_they_are() -> None:
    sent: list[tuple[int, bytes]] = []

    async def listen(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        for _ in range(3):
            sent.append(await read_frame(reader))
        writer.write(frame(b"done"))
        await asyncio.sleep(60)

    heard = Heard()
    async with serving(listen) as served:
        socket = await dial(served.ws, heard, now_s=0)
        assert socket.send_now("é") and socket.send_now(b"\x00") and socket.ping_now(b"x")
        await asyncio.wait_for(heard.got.wait(), 5)
        await shut(socket)
    assert sent == [(1, "é".encode()), (2, b"\x00"), (9, b"x")]


async def test_no_compression_is_offered_and_no_credentials_leak_in_the_text() -> None:
    asked: list[bytes] = []

    async def refuse(reader: Reader, writer: Writer) -> None:
        asked.append(await head(reader))
        writer.write(reply(b"<html>\n\tgo away\x07</html>" + b"x" * 5000, 403, {"Retry-After": "7"}))

    async with serving(refuse) as served:
        with pytest.raises(DialError) as caught:
            await dial(served.ws + "/ws?token=secret", Heard(), now_s=0)
    assert b"sec-websocket-extensions" not in asked[0].lower()
    error = caught.value
    assert (error.fault, error.http_status, error.retry_after_s) == (Fault.REFUSED, 403, 7.0)
    assert "secret" not in str(error) and str(error) == "HTTP 403 (an HTML page)"


async def test_a_handshake_that_never_ends_times_out() -> None:
    async def stall(reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(60)

    async with serving(stall) as served:
        with pytest.raises(DialError, match="timed out") as caught:
            await dial(served.ws, Heard(), now_s=0, timeout_s=0.1)
    assert caught.value.fault is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "nonsense", "ws://", "ws://127.0.0.1:99999/", "ws://\udcff/"])
async def test_a_url_that_cannot_be_dialled_is_a_dial_error(url: str) -> None:
    with pytest.raises(DialError):
        await dial(url, Heard(), now_s=0)


async def test_a_venue_that_does_not_read_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_UNSENT", 64 * 1024)

    async def deaf(reader: Reader, writer: Writer) -> None:
        await upgrade(reader, writer)
        await asyncio.sleep(60)

    heard = Heard()
    async with serving(deaf) as served:
        socket = await dial(served.ws, heard, now_s=0)
        assert not all(socket.send_now("x" * 65_000) for _ in range(1000))
        await asyncio.wait_for(heard.lost.wait(), 5)
        await socket.wait_closed()


async def test_a_venues_own_headers_go_with_the_handshake() -> None:
    asked: list[bytes] = []

    async def refuse(reader: Reader, writer: Writer) -> None:
        asked.append(await head(reader))
        writer.write(reply(b"", 503))

    async with serving(refuse) as served:
        with pytest.raises(DialError):
            await dial(served.ws, Heard(), now_s=0, headers={"X-Gate-Size-Decimal": "1"})
    assert b"\r\nx-gate-size-decimal: 1\r\n" in asked[0].lower()
