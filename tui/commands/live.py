"""The live screen and its collector process, and the screen alone on a collector that runs elsewhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from feeds import child_process
from feeds.config import paths
from feeds.config.checks import ConfigError
from feeds.config.known import everything_known
from feeds.config.load import Config, load_config
from feeds.publish import link


def live(options: argparse.Namespace) -> int:
    """``detour`` and ``detour demo``: starts the collector first, so that it measures while the screen is loading."""
    simulated = options.scenario if options.command == "demo" else getattr(options, "sim", None)
    path: Path | None = getattr(options, "config", None)
    watchlist: str | None = getattr(options, "watchlist", None)
    try:
        configuration = _configuration(path)
        configuration.chosen(watchlist)
        if simulated is not None:
            from feeds.sim.scenario import load

            load(simulated)
    except ValueError as error:  # a sentence about the file, the watchlist or the scenario
        print(f"detour: {error}", file=sys.stderr)
        return 2
    if not sys.stdout.isatty():
        print("detour: the live screen needs a terminal; use 'detour log' to measure without one", file=sys.stderr)
        return 2
    address = link.new_address(paths.runtime_dir())
    arguments = ["--link", str(address), "--speed", str(getattr(options, "speed", 1.0))]
    if path is not None:
        arguments += ["--config", str(path)]
    if watchlist is not None:
        arguments += ["--watchlist", watchlist]
    if simulated is not None:
        arguments += ["--sim", simulated]
    with child_process.logged("feeds.collector.main", arguments, paths.state_dir() / "collector.log"):
        return _screen(address, configuration)


def attach(options: argparse.Namespace) -> int:
    """``detour attach``: without an address, the only collector that runs here."""
    try:
        address = link.parse_address(options.address) if options.address else _only_collector()
        configuration = _configuration(None)
    except (link.LinkError, ConfigError) as error:
        print(f"detour: {error}", file=sys.stderr)
        return 2
    return _screen(address, configuration)


def _configuration(path: Path | None) -> Config:
    """The user's file, checked for the screen's own words too. Raises ConfigError."""
    known = everything_known()
    read = load_config(path, known)
    if read.theme is None and not read.keys:
        return read  # nothing of the screen's to check: do not load it before the collector has started
    from tui.bindings import ACTIONS
    from tui.theme import PALETTES

    return load_config(path, msgspec.structs.replace(known, actions=ACTIONS, themes=PALETTES))


def _screen(address: link.Address, configuration: Config) -> int:
    from tui.app import run  # Textual: only once it is needed

    try:
        return run(link.Attachment(address), theme=configuration.theme, keys=dict(configuration.keys))
    except link.LinkError as error:
        print(f"detour: {error}", file=sys.stderr)
        return 1


def _only_collector() -> link.Address:
    found = sorted(paths.runtime_dir().glob("*.sock"))
    if len(found) == 1:
        return link.Address(path=str(found[0]))
    if not found:
        raise link.LinkError("no collector runs here: start one with 'detour log --serve'")
    raise link.LinkError("several collectors run here, name one: " + ", ".join(str(path) for path in found))
