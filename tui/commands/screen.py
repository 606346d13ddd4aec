"""What ``detour``, ``detour demo`` and ``detour attach`` share: the user's file and the screen on a collector."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from feeds.config.known import everything_known
from feeds.config.load import Config, load_config
from feeds.publish import link
from feeds.publish.attachment import Attachment


def configuration(path: Path | None) -> Config:
    """The user's file, with its themes and keys checked too. Raises ConfigError."""
    known = everything_known()
    read = load_config(path, known)
    if read.theme is None and not read.keys:
        return read  # nothing of the screen's to check: do not load it before the collector has started
    from tui.bindings import ACTIONS
    from tui.theme import PALETTES

    return load_config(path, msgspec.structs.replace(known, actions=ACTIONS, themes=PALETTES))


def has_terminal() -> bool:
    """Says what to do where there is none. Keys are read from stdin and the screen is drawn on stderr."""
    if all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return True
    print("detour: the live screen needs a terminal; use 'detour log' to measure without one", file=sys.stderr)
    return False


def show_screen(collector: Attachment, user: Config) -> int:
    from tui.app import run  # Textual: only once it is needed

    try:
        return run(collector, theme=user.theme, keys=dict(user.keys))
    except link.LinkError as error:
        print(f"detour: {error}", file=sys.stderr)
        return 1
