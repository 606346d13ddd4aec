"""The ``detour`` command: parses the command line and hands over to the module of the command.

stdout is data, stderr is talk; bad input is one sentence and exit code 2, a fault of ours one sentence and 1. Nothing
heavy is imported before the command is known: ``detour --help`` must answer at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

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


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        speak(stream, only_ascii=ascii_only(getattr(stream, "encoding", None), os.environ))
    options = build_parser().parse_args(arguments)
    try:
        command = importlib.import_module(f"tui.commands.{_MODULES[options.command]}")
        return int(command.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _silence_stdout()
        return 0
    except Exception as error:  # of any kind: whatever was forgotten must not end in a page of code
        if getattr(options, "debug", False):
            raise
        return report(error, arguments)


def _silence_stdout() -> None:
    """The reader of our stdout has gone (``detour log | head``): no traceback at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
