"""The collector's end of the pipe: starts the child that runs ccxt.pro, reads it, and knows when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import msgspec

from feeds.ccxt_pro.messages import Order, Unframer, Word, frame, read_word
from feeds.child_process import Child

SILENT_S = 20.0
"""It says something every second; loading ccxt takes a few."""
WORDS_KEPT_BYTES = 2_000
READ_BYTES = 256 * 1024


class ChildLostError(Exception):
    """The child has ended or says nothing any more: our trouble, not the venue's."""


class Pipe:
    """A running child. ``words`` ends with ChildLostError."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self._child = process, Child(process)
        self._last = b""
        self._hearing = asyncio.create_task(self._hear())
        self.garbled = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """None while it runs."""
        return self._process.returncode

    async def _hear(self) -> None:
        """Its stderr, of which the end is kept: an unread pipe would stop it."""
        assert self._process.stderr is not None
        while said := await self._process.stderr.read(4096):
            self._last = (self._last + said)[-WORDS_KEPT_BYTES:]

    def tell(self, order: Order) -> None:
        """Small, so that nothing waits. What a dead child no longer reads is noticed by ``words``."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(frame(order))

    async def words(self, silent_s: float = SILENT_S) -> AsyncIterator[Word]:
        """What it says. A message that is none is counted. Raises ChildLostError."""
        assert self._process.stdout is not None
        unframer = Unframer()
        while True:
            try:
                data = await asyncio.wait_for(self._process.stdout.read(READ_BYTES), silent_s)
            except TimeoutError:
                raise ChildLostError(f"it has said nothing for {silent_s:g} s") from None
            if not data:
                code = await self._process.wait()
                await asyncio.wait([self._hearing], timeout=0.5)
                last = self._last.decode(errors="replace").strip().splitlines()
                raise ChildLostError(f"it has ended (code {code})" + (f": {last[-1][:160]}" if last else ""))
            try:
                for body in unframer.feed(data):
                    try:
                        yield read_word(body)
                    except msgspec.DecodeError:
                        self.garbled += 1
            except ValueError as error:
                raise ChildLostError(f"it has sent {error}") from None

    async def end(self) -> None:
        await self._child.end(1.5)
        self._hearing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._hearing


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
