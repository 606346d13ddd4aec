"""Child processes of ours: the simulator and the collector, each a Python of its own that ends with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

READY_S = 30.0
LINE_BYTES = 1024 * 1024


class ChildError(Exception):
    """A child did not start; the text is its own last words, for the user."""

    def __init__(self, text: str, code: int | None) -> None:
        super().__init__(text)
        self.code = code


class Child:
    """A running child. Closing its standard input is the order to end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._passing_on: asyncio.Task[None] | None = None

    def pass_on_stderr(self) -> None:
        """From now on what the child says is said by us: an unread pipe would fill up and stop it."""
        self._passing_on = asyncio.create_task(self._pass_on())

    async def _pass_on(self) -> None:
        assert self._process.stderr is not None
        while said := await self._process.stderr.read(4096):
            sys.stderr.write(said.decode(errors="replace"))
            sys.stderr.flush()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        return self._process.returncode

    async def wait(self) -> int:
        return await self._process.wait()

    async def end(self, patience_s: float = 3.0) -> None:
        """Asks, waits, then insists. Ends this one process by its id."""
        if self._process.returncode is not None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        for insist in (self._process.terminate, self._process.kill, None):
            try:
                await asyncio.wait_for(self._process.wait(), patience_s)
                return
            except TimeoutError:
                if insist is not None:
                    with contextlib.suppress(ProcessLookupError):
                        insist()


async def start_ready(module: str, arguments: Sequence[str]) -> tuple[Child, bytes]:
    """Starts ``python -m module`` and waits for its first line on stdout. Raises ChildError with its stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
        start_new_session=True,  # a Ctrl-C at the terminal is the parent's to handle
    )
    child = Child(process)
    assert process.stdout is not None and process.stderr is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
    except (TimeoutError, ValueError):
        line = b""
    if not line:
        await child.end(0.5)
        said = (await process.stderr.read(64 * 1024)).decode(errors="replace").strip()
        raise ChildError(said.splitlines()[-1] if said else f"{module} did not start", child.code)
    child.pass_on_stderr()
    return child, line


async def start_logged(module: str, arguments: Sequence[str], log: Path) -> Child:
    """Starts ``python -m module`` with its stderr appended to ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=sink,
            start_new_session=True,
        )
    return Child(process)


async def parent_gone() -> None:
    """Returns when our standard input ends: the parent has closed it or has died."""
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        await loop.run_in_executor(None, sys.stdin.buffer.read)
        return
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
