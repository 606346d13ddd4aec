"""The collector's end of the pipe: starts the child that runs ccxt.pro, reads it, and knows when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec

from feeds import child_process
from feeds.ccxt_pro.messages import ChildCommand, ChildMessage, Unframer, frame, read_message
from feeds.child_process import Child

SILENT_S = 20.0
"""The child sends a message every second; loading ccxt takes it a few seconds."""
STDERR_KEPT_BYTES = 2_000
READ_BYTES = 256 * 1024


class ChildLostError(Exception):
    """The child has ended or sends nothing any more: our own failure, not the venue's."""


class Pipe:
    """A running child. ``messages`` ends with ChildLostError."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._stderr = b""
        self._reading_stderr = asyncio.create_task(self._read_stderr())
        self.garbled = 0

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def code(self) -> int | None:
        """None while it runs."""
        return self._child.code

    async def _read_stderr(self) -> None:
        """Keep the end of its stderr. A pipe that nobody reads would block the child."""
        while data := await self._child.stderr.read(4096):
            self._stderr = (self._stderr + data)[-STDERR_KEPT_BYTES:]

    def send(self, command: ChildCommand) -> None:
        """Commands are small, so nothing waits here. ``messages`` notices when the child is dead."""
        if not self._child.stdin.is_closing():
            self._child.stdin.write(frame(command))

    async def messages(self, silent_s: float = SILENT_S) -> AsyncIterator[ChildMessage]:
        """What it sends. A message that cannot be decoded is counted as garbled. Raises ChildLostError."""
        unframer = Unframer()
        while True:
            try:
                data = await asyncio.wait_for(self._child.stdout.read(READ_BYTES), silent_s)
            except TimeoutError:
                raise ChildLostError(f"it has said nothing for {silent_s:g} s") from None
            if not data:
                code = await self._child.wait()
                await asyncio.wait([self._reading_stderr], timeout=0.5)
                last = self._stderr.decode(errors="replace").strip().splitlines()
                raise ChildLostError(f"it has ended (code {code})" + (f": {last[-1][:160]}" if last else ""))
            try:
                for body in unframer.feed(data):
                    try:
                        yield read_message(body)
                    except msgspec.DecodeError:
                        self.garbled += 1
            except ValueError as error:
                raise ChildLostError(f"it has sent {error}") from None

    async def end(self) -> None:
        await self._child.end(1.5)
        self._reading_stderr.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading_stderr


async def start() -> Pipe:
    """Raises OSError where no process can be started."""
    return Pipe(await child_process.start("feeds.ccxt_pro.child"))
