"""The ``detour`` command: parses the command line and hands over to the module of the command.

stdout is data, stderr is talk; bad input is one sentence and exit code 2, a fault of ours one sentence and 1. Nothing
heavy is imported before the command is known: ``detour --help`` must answer at once.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence

from feeds import stdio
from tui.ascii_text import ascii_only, speak
from tui.commands.failure import report
from tui.commands.parser import build_parser

_MODULES: dict[str | None, str] = {
    None: "live",
    "demo": "live",
    "attach": "attach",
    "log": "log",
    "advise": "advise",
    "watch": "watch",
    "venues": "venues",
    "sim": "sim",
}
"""By command, the module in ``tui.commands`` whose ``run(options)`` carries it out and returns the exit code."""


_DISK_ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)


def main(argv: Sequence[str] | None = None) -> int:
    stdio.occupy()
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        speak(stream, only_ascii=ascii_only(getattr(stream, "encoding", None), os.environ))
    options: argparse.Namespace | None = None
    try:
        try:
            options = build_parser().parse_args(arguments)
            command = importlib.import_module(f"tui.commands.{_MODULES[options.command]}")
            return int(command.run(options))
        finally:
            sys.stdout.flush()  # here, where an error has a sentence, and not when the interpreter ends
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader has what it wanted (``detour venues | head``): that is no failure
        _silence_stdout()
        return 0
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            return _failed(error, options, arguments)
        _silence_stdout()
        print(f"detour: stdout: {error.strerror}", file=sys.stderr)
        return 1
    except Exception as error:  # of any kind: whatever was forgotten must not end in a page of code
        return _failed(error, options, arguments)


def _failed(error: Exception, options: argparse.Namespace | None, arguments: Sequence[str]) -> int:
    """One sentence and a file with the rest; with ``--debug`` the error itself."""
    if getattr(options, "debug", False):
        raise error
    return report(error, arguments)


def _silence_stdout() -> None:
    """What is still in its buffer cannot be written: no traceback at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


if __name__ == "__main__":
    sys.exit(main())
