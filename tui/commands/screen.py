"""What ``detour``, ``detour demo`` and ``detour attach`` share: the user's file and the screen on a collector."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from feeds.config.known import everything_known
from feeds.config.load import Config, load_config
from feeds.publish import link
from feeds.publish.attachment import Attachment
from tui.ascii_text import ascii_only, speak


def configuration(path: Path | None) -> Config:
    """The user's file, with its themes and keys checked too. Raises ConfigError."""
    known = everything_known()
    read = load_config(path, known)
    if read.theme is None and not read.keys:
        return read  # nothing of the screen's to check: do not load it before the collector has started
    from tui.bindings import ACTIONS
    from tui.theme import PALETTES

    return load_config(path, msgspec.structs.replace(known, actions=ACTIONS, themes=PALETTES))


def no_screen_here() -> str | None:
    """Why the live screen cannot be shown on this terminal, as one sentence; None: it can.

    Keys are read from stdin and the screen is drawn on stderr.
    """
    if sys.stdout.isatty() and os.environ.get("TERM") == "dumb":
        return "this terminal (TERM=dumb) cannot show the live screen; use 'detour log' to measure without it"
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return "the live screen needs a terminal; use 'detour log' to measure without one"
    return None


def show_screen(collector: Attachment, user: Config) -> int:
    from tui.app import run  # Textual: only once it is needed

    # Textual writes to stderr, or to stdout on Windows, as they were when the process began.
    for stream in (sys.__stdout__, sys.__stderr__):
        speak(stream, only_ascii=ascii_only(getattr(stream, "encoding", None), os.environ))
    try:
        return run(collector, theme=user.theme, keys=dict(user.keys))
    except link.LinkError as error:
        print(f"detour: {error}", file=sys.stderr)
        return 1
