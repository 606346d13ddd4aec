"""What ``detour``, ``detour demo`` and ``detour attach`` share: the user's file and the screen on a collector."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from feeds.config import load as config
from feeds.publish import link


def configuration(path: Path | None) -> config.Config:
    """The user's file, with its themes and keys checked too. Raises ConfigError."""
    known = config.everything_known()
    read = config.load(path, known)
    if read.theme is None and not read.keys:
        return read  # nothing of the screen's to check: do not load it before the collector has started
    from tui.bindings import ACTIONS
    from tui.theme import PALETTES

    return config.load(path, msgspec.structs.replace(known, actions=ACTIONS, themes=PALETTES))


def show_screen(address: link.Address, user: config.Config) -> int:
    from tui.app import run  # Textual: only once it is needed

    try:
        return run(link.Attachment(address), theme=user.theme, keys=dict(user.keys))
    except link.LinkError as error:
        print(f"detour: {error}", file=sys.stderr)
        return 1
