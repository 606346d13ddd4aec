"""``detour`` and ``detour demo``: the screen, with a collector process of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from feeds import child_process
from feeds.config import paths
from feeds.publish import link
from feeds.publish.attachment import Attachment
from feeds.transport.proxies import check_road
from tui.commands.screen import configuration, no_screen_here, show_screen


def run(options: argparse.Namespace) -> int:
    """``detour`` and ``detour demo``: starts the collector first, so that it measures while the screen is loading."""
    simulated = options.scenario if options.command == "demo" else getattr(options, "sim", None)
    path: Path | None = getattr(options, "config", None)
    watchlist: str | None = getattr(options, "watchlist", None)
    try:
        read = configuration(path)
        read.chosen(watchlist)
        check_road(read.proxies)
        if simulated is not None:
            from feeds.sim.scenario import load

            load(simulated)
    except ValueError as error:  # a sentence about the file, the watchlist, proxies, certificates or the scenario
        print(f"detour: {error}", file=sys.stderr)
        return 2
    if (why := no_screen_here()) is not None:
        print(f"detour: {why}", file=sys.stderr)
        return 2
    try:
        address = link.new_address(*paths.runtime_dirs())
    except link.LinkError as error:
        print(f"detour: {error}", file=sys.stderr)
        return 2
    arguments = ["--link", str(address), "--speed", str(getattr(options, "speed", 1.0))]
    if path is not None:
        arguments += ["--config", str(path)]
    if watchlist is not None:
        arguments += ["--watchlist", watchlist]
    if simulated is not None:
        arguments += ["--sim", simulated]
    with child_process.logged("feeds.collector.main", arguments, paths.state_dir() / "collector.log"):
        return show_screen(Attachment(address), read)
