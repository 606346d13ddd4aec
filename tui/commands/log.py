"""``detour log``: measuring without a screen, JSON lines out; screens may attach meanwhile."""

from __future__ import annotations

import argparse
import sys

from msgspec import structs

from feeds.collector import main
from feeds.config import paths
from feeds.publish import link
from tui.commands.headless import collector_options


def run(options: argparse.Namespace) -> int:
    address = None
    try:
        if options.serve is not None:
            address = link.parse_address(options.serve) if options.serve else link.new_address(*paths.runtime_dirs())
    except link.LinkError as error:
        print(f"detour: {error}", file=sys.stderr)
        return 2
    return main.run(
        structs.replace(
            collector_options(options),
            address=address,
            announce=address is not None,
            out=options.out,
            every_s=options.every,
            for_s=options.for_s,
        )
    )
