"""A screen's end of the link: attaches, and attaches again where the link broke while the collector lives."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import msgspec

from feeds.link_messages import Command, Goodbye, Message
from feeds.publish import link
from feeds.publish.link import Address, LinkError

PATIENCE_S = 10.0
"""For a collector that is being started."""
ANSWER_S = 5.0
"""A collector that listens sends its history at once; a busy one may need this long."""
PAUSES_S: Sequence[float] = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between tries to attach again; the last one repeats."""
TICK_S = 0.5
BORN_S = 5.0
"""A socket younger than this may belong to a collector that does not listen yet."""

_decode = msgspec.msgpack.Decoder(Message).decode


class Attachment:
    """One screen on one collector; implements the screen's ``FrameSource``."""

    def __init__(self, address: Address, patience_s: float = PATIENCE_S) -> None:
        self._address = address
        self._patience_s = patience_s
        self._writer: asyncio.StreamWriter | None = None
        self._stopped_s = 0.0
        """The longest time for which this process has not run, since it attached."""

    async def messages(self) -> AsyncIterator[Message]:
        """History first, then frames as they come; ends after the collector's Goodbye.

        A link that breaks is a Goodbye of our own that says why; then the same from the beginning. Raises LinkError
        when nobody answers at first, or what answers is no collector that lets us in.
        """
        reader, writer = await self._connect(self._patience_s)
        ticking = asyncio.create_task(self._watch_ourselves())
        try:
            while True:
                self._writer, self._stopped_s = writer, 0.0
                heard = False
                try:
                    while True:
                        message = _decode(await link.read_packet(reader, link.MAX_MESSAGE_BYTES))
                        heard = True
                        yield message
                        if isinstance(message, Goodbye):
                            return
                except (OSError, asyncio.IncompleteReadError) as error:
                    if not heard:
                        raise LinkError(_refused(self._address)) from error
                except msgspec.MsgspecError as error:
                    raise LinkError("the collector speaks another version of the protocol") from error
                finally:
                    self._writer = None
                    writer.transport.abort()
                async for found in self._find_again():
                    if isinstance(found, Goodbye):
                        yield found
                    else:
                        reader, writer = found
        finally:
            ticking.cancel()

    async def _find_again(self) -> AsyncIterator[Goodbye | tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """What to say as long as nobody answers; the new connection last."""
        tries = 0
        while True:
            try:
                connected = await self._connect(0.0)
            except LinkError:
                if tries == 0:
                    yield Goodbye("the collector has ended without a word; looking for it again")
                await asyncio.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
                tries += 1
                continue
            if tries == 0:
                yield Goodbye(f"{self._why_cut()}; attaching again")
            yield connected
            return

    def _why_cut(self) -> str:
        if self._stopped_s >= link.STUCK_S:
            return f"the collector closed the link because this screen took nothing for {link.STUCK_S:.0f} s"
        return "the link to the collector broke"

    async def _watch_ourselves(self) -> None:
        while True:
            due_s = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            self._stopped_s = max(self._stopped_s, time.monotonic() - due_s)

    async def send(self, command: Command) -> None:
        """Dropped when the link is down: the screen shows that by itself."""
        if self._writer is not None:
            self._writer.write(link.packet(command))
            with contextlib.suppress(OSError):
                await self._writer.drain()

    async def _connect(self, patience_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while True:
            try:
                if self._address.path is not None:
                    return await asyncio.open_unix_connection(self._address.path)
                reader, writer = await asyncio.open_connection("127.0.0.1", self._address.port)
                writer.write(self._address.token.encode())
                return reader, writer
            except OSError as error:
                if loop.time() >= deadline:
                    raise LinkError(_nobody(self._address)) from error
                await asyncio.sleep(0.02)


def _nobody(address: Address) -> str:
    return f"no collector answers at {address.place}"


def _refused(address: Address) -> str:
    if address.path is None:
        return f"what listens at {address.place} closed the link at once: the token is wrong, or it is no collector"
    return f"what listens at {address.place} closed the link at once: it is no collector, or has too many screens"


def check(address: Address, answer_s: float = ANSWER_S) -> None:
    """Whether a collector answers there, before a screen is drawn. Raises LinkError."""
    try:
        with _connected(address, answer_s) as connection:
            if address.path is None:
                connection.sendall(address.token.encode())
            first = connection.recv(1)
    except TimeoutError as error:
        raise LinkError(f"what listens at {address.place} does not answer within {answer_s:.0f} s") from error
    except ConnectionResetError as error:
        raise LinkError(_refused(address)) from error
    except (OSError, ValueError) as error:
        raise LinkError(_nobody(address)) from error
    if not first:
        raise LinkError(_refused(address))


def only_collector(folders: Iterable[Path]) -> Address:
    """Of the one collector that listens in ``folders``. Sockets left behind by a killed one go. Raises LinkError."""
    live: list[Address] = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.sock"))):
        address = Address(path=str(path))
        try:
            _connected(address, ANSWER_S).close()
        except (ConnectionRefusedError, FileNotFoundError):
            _remove_old(path)
        except OSError:
            continue  # not ours to judge
        else:
            live.append(address)
    if len(live) == 1:
        return live[0]
    if not live:
        raise LinkError("no collector runs here: start one with 'detour log --serve'")
    raise LinkError("several collectors run here, name one: " + ", ".join(str(address) for address in live))


def _remove_old(path: Path) -> None:
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > BORN_S:
            path.unlink()


def _connected(address: Address, answer_s: float) -> socket.socket:
    """Raises OSError; ValueError for a path that cannot be one."""
    if address.path is None:
        return socket.create_connection(("127.0.0.1", address.port or 0), answer_s)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(answer_s)
        connection.connect(address.path)
    except BaseException:
        connection.close()
        raise
    return connection
