"""``detour attach``: the screen on a collector that runs elsewhere on this machine."""

from __future__ import annotations

import argparse
import sys

from feeds.config import paths
from feeds.config.checks import ConfigError
from feeds.publish import attachment, link
from tui.commands.screen import configuration, no_screen_here, show_screen

PATIENCE_S = 1.0
"""It has just answered."""


def run(options: argparse.Namespace) -> int:
    """``detour attach``: without an address, the only collector that runs here."""
    if (why := no_screen_here()) is not None:
        print(f"detour: {why}", file=sys.stderr)
        return 2
    try:
        read = configuration(None)
        if options.address:
            address = link.parse_address(options.address)
        else:
            address = attachment.only_collector(paths.runtime_dirs())
        attachment.check(address)
    except (link.LinkError, ConfigError) as error:
        print(f"detour: {error}", file=sys.stderr)
        return 2
    return show_screen(attachment.Attachment(address, PATIENCE_S), read)
