"""Child processes of ours: each is ``python -m MODULE`` and ends when its standard input is closed.

The only place that starts them: ``start`` on an event loop, ``logged`` where there is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from feeds import stderr

READY_S = 30.0
LINE_BYTES = 1024 * 1024
LAST_BYTES = 64 * 1024
LOG_TAIL_BYTES = 2000
END_S = 5.0


class ChildError(Exception):
    """A child did not start; the text is the last line of its stderr, for the user."""

    def __init__(self, text: str, code: int | None) -> None:
        super().__init__(text)
        self.code = code


class Child:
    """A running child. Closing its standard input is the order to end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._forwarding: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.returncode

    @property
    def stdin(self) -> asyncio.StreamWriter:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> asyncio.StreamReader:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> asyncio.StreamReader:
        """Not for a child that was started with ``forget_stderr``."""
        assert self._process.stderr is not None
        return self._process.stderr

    def forward_stderr(self) -> None:
        """From now on its stderr goes to ours: a pipe that nobody reads would fill up and stop the child."""
        self._forwarding = asyncio.create_task(self._forward_stderr())

    async def _forward_stderr(self) -> None:
        while data := await self.stderr.read(4096):
            stderr.pass_on(data.decode(errors="replace"))

    async def wait(self) -> int:
        return await self._process.wait()

    async def outcome(self, at_most_s: float | None = None) -> tuple[int, bytes, bytes]:
        """(exit code, stdout, stderr) once it has ended by itself. Raises TimeoutError, with the child killed."""
        try:
            out, err = await asyncio.wait_for(self._process.communicate(), at_most_s)
        finally:
            await self.kill()
        return await self.wait(), out, err

    def terminate(self) -> None:
        """SIGTERM: the child may still write what it holds."""
        self._process.terminate()

    async def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def end(self, patience_s: float = 3.0) -> None:
        """Closes its stdin, then terminates it, then kills it, each after ``patience_s``."""
        if self._process.returncode is not None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        for force in (self._process.terminate, self._process.kill, None):
            try:
                await asyncio.wait_for(self._process.wait(), patience_s)
                return
            except TimeoutError:
                if force is not None:
                    with contextlib.suppress(ProcessLookupError):
                        force()


def command(module: str, arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


async def start(
    module: str,
    arguments: Sequence[str] = (),
    *,
    forget_stderr: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """All three standard streams are pipes. ``environment`` is added to ours. Raises OSError."""
    process = await asyncio.create_subprocess_exec(
        *command(module, arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL if forget_stderr else PIPE,
        limit=LINE_BYTES,
        env={**os.environ, **(environment or {})},
        start_new_session=True,  # a Ctrl-C at the terminal is the parent's to handle
    )
    return Child(process)


async def start_ready(module: str, arguments: Sequence[str]) -> tuple[Child, bytes]:
    """Starts it and waits for its first line on stdout. Raises ChildError with its stderr."""
    child = await start(module, arguments)
    try:
        line = await asyncio.wait_for(child.stdout.readline(), READY_S)
    except (TimeoutError, ValueError):
        line = b""
    if not line:
        await child.end(0.5)
        last = (await child.stderr.read(LAST_BYTES)).decode(errors="replace").strip()
        raise ChildError(last.splitlines()[-1] if last else f"{module} did not start", child.code)
    child.forward_stderr()
    return child, line


@contextlib.contextmanager
def logged(module: str, arguments: Sequence[str], log: Path) -> Iterator[None]:
    """Runs it while the block runs, with its stderr in the file ``log``. Where it failed early, we print the log's end.

    Where ``log`` cannot be written, in a file without a name. Blocks for up to ``END_S`` at the end.
    """
    with _opened_log(log) as sink:
        process = subprocess.Popen(
            command(module, arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=sink if sink is not None else subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is the parent's to handle
        )
        try:
            yield
        finally:
            failed = process.poll()
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if failed and sink is not None:
                sink.seek(max(0, os.fstat(sink.fileno()).st_size - LOG_TAIL_BYTES))
                print(sink.read().decode(errors="replace").strip(), file=sys.stderr)


@contextlib.contextmanager
def _opened_log(log: Path) -> Iterator[BinaryIO | None]:
    """A read-only or full home is no reason to run without a screen."""
    with contextlib.ExitStack() as stack:
        sink: BinaryIO | None = None
        with contextlib.suppress(OSError):
            log.parent.mkdir(parents=True, exist_ok=True)
            sink = stack.enter_context(log.open("w+b"))
        if sink is None:
            with contextlib.suppress(OSError):
                sink = stack.enter_context(tempfile.TemporaryFile())
        yield sink


async def parent_gone() -> None:
    """Returns when our standard input ends: the parent has closed it or has died."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()

    def wait() -> None:
        # a daemon thread, not sys.stdin and not the executor: both would hold the interpreter's exit
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has closed already
            loop.call_soon_threadsafe(gone.set)

    threading.Thread(target=wait, name="parent", daemon=True).start()
    await gone.wait()
