"""The ``detour`` command. stdout is data, stderr is talk; bad input is one sentence and exit code 2.

Nothing heavy is imported before the command is known: ``detour --help`` must answer at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from feeds import __version__
from feeds.config.duration import parse_duration_s
from tui.commands import watchlists

DEMO_SCENARIO = "1011"


class _Parser(argparse.ArgumentParser):
    """Says what was wrong in one sentence, without the usage block."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _duration(text: str) -> float:
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(text: str) -> float:
    try:
        value = float(text.replace("_", "").replace(",", ""))
    except ValueError:
        value = -1.0
    if not 0 < value < 1e15:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def _common(sim: bool = False, watchlist: bool = True) -> _Parser:
    """Options that several commands take, before or after the command's name."""
    common = _Parser(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="use this config file, not the user's"
    )
    if watchlist:
        common.add_argument(
            "--watchlist", metavar="NAME", default=argparse.SUPPRESS, help="use this watchlist, not the default one"
        )
    if sim:
        common.add_argument(
            "--sim",
            nargs="?",
            const="calm",
            metavar="SCENARIO",
            default=argparse.SUPPRESS,
            help="measure the simulated venues instead of the internet (a scenario's name or file; default calm)",
        )
        common.add_argument(
            "--speed", type=_positive, metavar="X", default=argparse.SUPPRESS, help="run the scenario X times as fast"
        )
    return common


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="detour",
        description="Which crypto route is congested, why, since when, whose fault, and where to trade instead.",
        epilog="Without a command: the live screen on your default watchlist.",
        parents=[_common(sim=True)],
    )
    parser.add_argument("--version", action="version", version=f"detour {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    demo = commands.add_parser("demo", parents=[_common()], help="the live screen on the embedded simulated venues")
    demo.add_argument("--scenario", metavar="NAME|FILE", default=DEMO_SCENARIO, help=f"default {DEMO_SCENARIO}")
    demo.add_argument("--speed", type=_positive, metavar="X", default=1.0, help="run the scenario X times as fast")

    log = commands.add_parser("log", parents=[_common(sim=True)], help="measure without a screen; JSON lines out")
    log.add_argument("--out", metavar="PATH|-", default="-", help="append to this file; - is stdout (default)")
    log.add_argument("--for", dest="for_s", type=_duration, metavar="TIME", help="end after 60s, 5m, 1h30m")
    log.add_argument("--every", type=_duration, metavar="TIME", default=1.0, help="between rows (default 1s)")
    log.add_argument("--serve", nargs="?", const="", metavar="ADDRESS", help="let screens attach meanwhile")

    attach = commands.add_parser("attach", help="the screen on a collector that runs elsewhere on this machine")
    attach.add_argument("address", nargs="?", metavar="ADDRESS", help="what 'detour log --serve' printed")

    advise = commands.add_parser(
        "advise",
        parents=[_common(sim=True)],
        help="one answer: where to trade this order now",
        epilog="Exit code: 0 home is the best route, 1 another route is better, 3 no route can be recommended.",
    )
    advise.add_argument("symbol", metavar="SYMBOL", help="e.g. BTC/USDT:USDT")
    advise.add_argument("side", choices=("buy", "sell"))
    advise.add_argument("notional", type=_positive, metavar="NOTIONAL", help="in the quote currency")
    advise.add_argument("--json", action="store_true", help="the advice row of the log instead of sentences")

    watchlists.add_parser(commands)

    venues = commands.add_parser("venues", parents=[_common(watchlist=False)], help="what each venue offers")
    venues.add_argument("--json", action="store_true", help="JSON lines instead of a table")

    sim = commands.add_parser("sim", help="run the simulated venues alone, for any other client")
    sim.add_argument("--scenario", metavar="NAME|FILE", default="calm", help="default calm")
    sim.add_argument("--port-base", type=int, metavar="N", default=0, help="first port (default: any free ones)")
    sim.add_argument("--speed", type=_positive, metavar="X", default=1.0, help="run the scenario X times as fast")
    sim.add_argument("--venues", metavar="A,B", help="only these venues")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(argv)
    try:
        return _run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _silence_stdout()
        return 0


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "watch":
            return watchlists.run(options)
        case "sim":
            from feeds.sim.run import main as simulate

            arguments = ["--scenario", options.scenario, "--port-base", str(options.port_base)]
            arguments += ["--speed", str(options.speed)]
            return simulate([*arguments, "--venues", options.venues] if options.venues else arguments)
        case "venues":
            from tui.commands.venues import run as show_venues

            return show_venues(options)
        case "log":
            from tui.commands.headless import log

            return log(options)
        case "advise":
            from tui.commands.headless import advise

            return advise(options)
        case "attach":
            from tui.commands.live import attach

            return attach(options)
        case _:
            from tui.commands.live import live

            return live(options)


def _silence_stdout() -> None:
    """The reader of our stdout has gone (``detour log | head``): nothing more to say, and no traceback at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
