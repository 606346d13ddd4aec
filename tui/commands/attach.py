"""``detour attach``: the screen on a collector that runs elsewhere on this machine."""

from __future__ import annotations

import argparse
import sys

from feeds.config import paths
from feeds.config.checks import ConfigError
from feeds.publish import link
from tui.commands.screen import configuration, no_screen_here, show_screen


def run(options: argparse.Namespace) -> int:
    """``detour attach``: without an address, the only collector that runs here."""
    if (why := no_screen_here()) is not None:
        print(f"detour: {why}", file=sys.stderr)
        return 2
    try:
        address = link.parse_address(options.address) if options.address else _only_collector()
        read = configuration(None)
    except (link.LinkError, ConfigError) as error:
        print(f"detour: {error}", file=sys.stderr)
        return 2
    return show_screen(address, read)


def _only_collector() -> link.Address:
    found = sorted(paths.runtime_dir().glob("*.sock"))
    if len(found) == 1:
        return link.Address(path=str(found[0]))
    if not found:
        raise link.LinkError("no collector runs here: start one with 'detour log --serve'")
    raise link.LinkError("several collectors run here, name one: " + ", ".join(str(path) for path in found))
