"""A child process that gets commands and gives answers, one JSON object a line."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
ANSWER_S = 90.0
TAIL_CHARS = 300


class ChildError(Exception):
    """The child reported an error, has ended or does not answer; the text is for people."""


class Child:
    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._talk = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of the block that this is for
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._talk,
            cwd=REPOSITORY,
            env={**os.environ, **(env or {})},
            bufsize=0,
        )
        self._kept = b""

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(3.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._talk.close()

    def send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError as error:
            raise self._failed("died") from error

    def receive(self, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        """Its next answer. Raises ChildError."""
        assert self._process.stdout is not None
        while b"\n" not in self._kept:
            if not select.select([self._process.stdout], [], [], timeout_s)[0]:
                raise self._failed(f"said nothing for {timeout_s:g} s")
            data = self._process.stdout.read(1 << 16)
            if not data:
                raise self._failed("died")
            self._kept += data
        line, _, self._kept = self._kept.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ChildError(f"{self.name}: {answer['error']}")
        return answer

    def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self.send(message)
        return self.receive()

    def _failed(self, what: str) -> ChildError:
        self._talk.seek(0)
        said = self._talk.read().decode(errors="replace").strip()
        return ChildError(f"{self.name} {what}" + (f": {said[-TAIL_CHARS:]}" if said else ""))
