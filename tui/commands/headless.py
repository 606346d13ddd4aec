"""What the commands without a screen share: the collector's options. Textual is not imported here."""

from __future__ import annotations

import argparse

from feeds.collector.main import Options


def collector_options(options: argparse.Namespace) -> Options:
    """Of the arguments that may be left out."""
    return Options(
        config_path=getattr(options, "config", None),
        watchlist=getattr(options, "watchlist", None),
        sim=getattr(options, "sim", None),
        speed=getattr(options, "speed", 1.0),
    )
