"""The collector's end of the pipe: starts the child that runs ccxt.pro, reads it, and knows when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import msgspec

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

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self._child = process, Child(process)
        self._stderr = b""
        self._reading_stderr = asyncio.create_task(self._read_stderr())
        self.garbled = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """None while it runs."""
        return self._process.returncode

    async def _read_stderr(self) -> None:
        """Keep the end of its stderr. A pipe that nobody reads would block the child."""
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(4096):
            self._stderr = (self._stderr + data)[-STDERR_KEPT_BYTES:]

    def send(self, command: ChildCommand) -> None:
        """Commands are small, so nothing waits here. ``messages`` notices when the child is dead."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(frame(command))

    async def messages(self, silent_s: float = SILENT_S) -> AsyncIterator[ChildMessage]:
        """What it sends. A message that cannot be decoded is counted as garbled. Raises ChildLostError."""
        assert self._process.stdout is not None
        unframer = Unframer()
        while True:
            try:
                data = await asyncio.wait_for(self._process.stdout.read(READ_BYTES), silent_s)
            except TimeoutError:
                raise ChildLostError(f"it has said nothing for {silent_s:g} s") from None
            if not data:
                code = await self._process.wait()
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
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "feeds.ccxt_pro.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C at the terminal is the collector's to handle
    )
    return Pipe(process)
