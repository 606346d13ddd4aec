"""The collector's end of the pipe: starts the child that runs ccxt.pro, reads it, and knows when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec

from feeds import child_process
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

    def __init__(self, child: Child) -> None:
        self._child = child
        self._last = b""
        self._hearing = asyncio.create_task(self._hear())
        self.garbled = 0

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def code(self) -> int | None:
        """None while it runs."""
        return self._child.code

    async def _hear(self) -> None:
        """Its stderr, of which the end is kept: an unread pipe would stop it."""
        while said := await self._child.stderr.read(4096):
            self._last = (self._last + said)[-WORDS_KEPT_BYTES:]

    def tell(self, order: Order) -> None:
        """Small, so that nothing waits. What a dead child no longer reads is noticed by ``words``."""
        if not self._child.stdin.is_closing():
            self._child.stdin.write(frame(order))

    async def words(self, silent_s: float = SILENT_S) -> AsyncIterator[Word]:
        """What it says. A message that is none is counted. Raises ChildLostError."""
        unframer = Unframer()
        while True:
            try:
                data = await asyncio.wait_for(self._child.stdout.read(READ_BYTES), silent_s)
            except TimeoutError:
                raise ChildLostError(f"it has said nothing for {silent_s:g} s") from None
            if not data:
                code = await self._child.wait()
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
    return Pipe(await child_process.start("feeds.ccxt_pro.child"))
