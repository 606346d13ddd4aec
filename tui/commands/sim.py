"""``detour sim``: the simulated venues alone, for any other client."""

from __future__ import annotations

import argparse

from feeds.sim.run import main


def run(options: argparse.Namespace) -> int:
    arguments = ["--scenario", options.scenario, "--port-base", str(options.port_base), "--speed", str(options.speed)]
    if options.venues:
        arguments += ["--venues", options.venues]
    return main(arguments)
