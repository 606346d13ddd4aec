"""Frames between processes: a collector serves them, screens connect and disconnect.

The wire is a 4-byte big-endian length and a msgpack body, both ways: ``Message`` to the screen, ``Command`` back.
``attachment`` is the screen's end.
An address is a path (Unix socket, mode 0600) or, where there are none, ``tcp:PORT:TOKEN`` on loopback, where the client
sends the token first. A slow screen misses frames and gets the latest one; the collector never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from feeds.frame import Frame
from feeds.link_messages import Command, Goodbye, History, Message, Past, Shown

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_COMMAND_BYTES = 64 * 1024
MAX_SCREENS = 256
"""Links at one time, those that have not shown their token yet included: our handles are needed for venues."""
STUCK_S = 30.0
"""A screen that reads nothing for this long is disconnected."""
TOKEN_S = 5.0
"""For showing the token."""
PAST_S = 1.0
"""The history is encoded at most this often, however many screens attach."""
SERIES_AT_ONCE = 32
COMMAND_PAUSE_S = 0.01
"""Between two commands of one screen: no finger is faster, and a flood of them waits in its own socket."""
TOKEN_BYTES = 32
MAX_PATH_BYTES = 100
"""Of a socket's path; systems allow 104 or 108."""

_encode = msgspec.msgpack.Encoder().encode
_decode_command = msgspec.msgpack.Decoder(Command).decode


class LinkError(ConnectionError):
    """A collector cannot be reached or does not speak our protocol; the text is one sentence for the user."""


class Address(Struct, frozen=True):
    """Where a collector listens: either ``path`` or ``port`` with ``token``."""

    path: str | None = None
    port: int | None = None
    token: str = ""

    @property
    def place(self) -> str:
        """For sentences: without the token."""
        return self.path if self.path is not None else f"port {self.port}"

    def __str__(self) -> str:
        return self.path if self.path is not None else f"tcp:{self.port}:{self.token}"


def parse_address(text: str) -> Address:
    """The inverse of ``str(Address)``. Raises LinkError."""
    if not text.startswith("tcp:"):
        return Address(path=text)
    parts = text.split(":")
    if len(parts) != 3 or not parts[1].isdigit() or not 0 < int(parts[1]) < 65536:
        raise LinkError(f"address {text!r} is neither a socket path nor tcp:PORT:TOKEN")
    return Address(port=int(parts[1]), token=parts[2])


def new_address(*folders: Path) -> Address:
    """A fresh address in the first of ``folders`` that can be used; it is made private. Raises LinkError."""
    if not hasattr(socket, "AF_UNIX") or sys.platform == "win32":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return Address(port=free.getsockname()[1], token=secrets.token_hex(TOKEN_BYTES))
    wrong = "no folder was given"
    for folder in folders:
        path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.sock"
        if len(os.fsencode(path)) > MAX_PATH_BYTES:
            wrong = f"{folder}: its name is too long for a socket"
            continue
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            wrong = f"{folder}: {error.strerror}"
            continue
        if os.access(folder, os.W_OK | os.X_OK):
            return Address(path=str(path))
        wrong = f"{folder}: cannot be written"
    raise LinkError(
        f"no place for the socket that screens attach to ({wrong}); set XDG_RUNTIME_DIR to a folder of yours"
    )


def packet(message: Message | Command) -> bytes:
    return _framed(_encode(message))


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


async def read_packet(reader: asyncio.StreamReader, limit: int) -> bytes:
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > limit:
        raise LinkError(f"a message of {size} bytes is over the limit of {limit}")
    return await reader.readexactly(size)


class _Screen:
    """One attached screen: at most one frame waits for it."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.number = -1


class Server:
    """Serves frames to any number of screens."""

    def __init__(self, history: Callable[[], Awaitable[History]], command: Callable[[Command], None]) -> None:
        self._history = history
        self._command = command
        self._screens: set[_Screen] = set()
        self._latest: Frame | None = None
        self._encoded: bytes | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.AbstractServer | None = None
        self._address: Address | None = None
        self._why: str | None = None
        self._past: asyncio.Task[bytes] | None = None
        self._past_s = 0.0

    @property
    def screens(self) -> int:
        return len(self._screens)

    async def start(self, address: Address) -> None:
        """Raises LinkError when another collector listens there or the place cannot be used."""
        self._address = address
        try:
            if address.path is not None:
                await _clear_stale_socket(address.path)
                old = os.umask(0o177)
                try:
                    self._server = await asyncio.start_unix_server(self._accept, address.path, backlog=MAX_SCREENS)
                finally:
                    os.umask(old)
            else:
                self._server = await asyncio.start_server(self._accept, "127.0.0.1", address.port, backlog=MAX_SCREENS)
        except OSError as error:
            raise LinkError(f"cannot listen at {address.place}: {error.strerror or error}") from error

    def publish(self, frame: Frame) -> None:
        self._latest = frame
        self._encoded = None
        for screen in self._screens:
            screen.wake.set()

    async def close(self, why: str) -> None:
        """Tells every screen why, then stops listening."""
        self._why = why
        for _ in range(4):  # as many turns of the event loop as a new connection needs until its task runs
            await asyncio.sleep(0)
        if self._server is not None:
            self._server.close()
        for screen in self._screens:
            screen.wake.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in (*self._tasks, *(() if self._past is None else (self._past,))):
            task.cancel()
        await asyncio.sleep(0)  # aborted transports close their sockets
        if self._address is not None and self._address.path is not None:
            with contextlib.suppress(OSError):
                Path(self._address.path).unlink()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._tasks) >= MAX_SCREENS:
            writer.transport.abort()
            return
        self._tasks.add(task)
        screen = _Screen()
        reading: asyncio.Task[None] | None = None
        try:
            if self._address is not None and self._address.path is None:
                given = await asyncio.wait_for(reader.readexactly(TOKEN_BYTES * 2), TOKEN_S)
                if not hmac.compare_digest(given, self._address.token.encode()):
                    return
            self._screens.add(screen)
            reading = asyncio.create_task(self._read_commands(reader, screen))
            await self._send_frames(writer, screen, reading)
        except (
            OSError,
            LinkError,
            asyncio.IncompleteReadError,
            TimeoutError,
            asyncio.CancelledError,
            RuntimeError,  # uvloop's word for a transport that has closed meanwhile
        ):
            # the screen has gone, is stuck, or does not speak our protocol: it loses its link, nothing else happens
            pass
        finally:
            self._screens.discard(screen)
            self._tasks.discard(task)
            if reading is not None:
                reading.cancel()
            writer.transport.abort()

    async def _send_frames(self, writer: asyncio.StreamWriter, screen: _Screen, reading: asyncio.Task[None]) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # drain() waits until the kernel has taken all of it
        await self._send(writer, await self._past_packet())
        while not reading.done():
            screen.wake.clear()
            latest = self._latest
            if latest is not None and latest.number != screen.number:
                screen.number = latest.number
                if self._encoded is None:
                    self._encoded = packet(Shown(latest))
                await self._send(writer, self._encoded)
            if self._why is not None:
                await self._send(writer, packet(Goodbye(self._why)))
                return
            await screen.wake.wait()

    async def _past_packet(self) -> bytes:
        """One encoding for all who attach within a second."""
        now_s = asyncio.get_running_loop().time()
        if self._past is None or (self._past.done() and now_s - self._past_s >= PAST_S):
            self._past, self._past_s = asyncio.create_task(self._encode_past()), now_s
        return await asyncio.shield(self._past)

    async def _encode_past(self) -> bytes:
        """As ``packet(Past(history))``, in turns: encoding a full one at once would make messages of venues late."""
        history = await self._history()
        series: dict[str, msgspec.Raw] = {}
        for number, (name, values) in enumerate(history.series.items()):
            series[name] = msgspec.Raw(_encode(values))
            if number % SERIES_AT_ONCE == 0:
                await asyncio.sleep(0)
        held = {"end_ns": history.end_ns, "step_s": history.step_s, "series": series}
        return _framed(_encode({"type": Past.__name__, "history": held}))

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await asyncio.wait_for(writer.drain(), STUCK_S)

    async def _read_commands(self, reader: asyncio.StreamReader, screen: _Screen) -> None:
        try:
            while True:
                self._command(_decode_command(await read_packet(reader, MAX_COMMAND_BYTES)))
                await asyncio.sleep(COMMAND_PAUSE_S)
        except (OSError, LinkError, asyncio.IncompleteReadError, msgspec.MsgspecError):
            screen.wake.set()  # so that ``_send_frames`` notices that no more commands come


async def _clear_stale_socket(path: str) -> None:
    """Removes a socket that nobody listens on. Raises LinkError when somebody does."""
    if not Path(path).is_socket():
        return
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        Path(path).unlink(missing_ok=True)
        return
    writer.close()
    raise LinkError(f"another collector already listens at {path}")
