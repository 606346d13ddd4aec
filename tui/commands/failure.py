"""The end of a command that nobody has thought of: one sentence, and the details where they can be found."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from feeds import __version__
from feeds.config import paths
from feeds.plain_text import plain

FAILED = 1
FILE = "last-error.txt"
"""In the state folder; only the newest is kept."""


def report(error: BaseException, arguments: Sequence[str]) -> int:
    """Says it on stderr, writes the traceback to a file; the exit code."""
    what = plain(f"{type(error).__name__}: {error}".rstrip(": "))
    file = _write(error, arguments)
    where = f"details are in {file}; --debug shows them" if file else "run it again with --debug to see where"
    print(f"detour: stopped by a fault of its own ({what}); {where}", file=sys.stderr)
    return FAILED


def _write(error: BaseException, arguments: Sequence[str]) -> Path | None:
    """None where it cannot be written."""
    head = f"detour {__version__}, Python {platform.python_version()}, {platform.platform()}"
    lines = [head, shlex.join(["detour", *arguments]), "", *traceback.format_exception(error)]
    try:
        file = paths.state_dir() / FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        # the user's own: a command line may name private things
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as written:
            written.write("\n".join(lines))
    except (OSError, RuntimeError):  # platformdirs raises RuntimeError where there is no home
        return None
    return file
