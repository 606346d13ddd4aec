"""The command line of ``detour``: every command, its arguments and its help. Imports nothing heavy."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from feeds import __version__
from feeds.config.duration import parse_duration_s

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


def _debug() -> _Parser:
    common = _Parser(add_help=False)
    common.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of a fault of Detour's own"
    )
    return common


def _common(sim: bool = False, watchlist: bool = True) -> _Parser:
    """Options that several commands take, before or after the command's name."""
    common = _debug()
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

    log = commands.add_parser(
        "log",
        parents=[_common(sim=True)],
        help="measure without a screen; JSON lines out",
        epilog="SIGHUP opens the file again. Exit code: 0 ended as told, or nobody reads stdout any more; "
        "1 the last rows could not be written; 2 bad input.",
    )
    log.add_argument("--out", metavar="PATH|-", default="-", help="append to this file or FIFO; - is stdout (default)")
    log.add_argument("--for", dest="for_s", type=_duration, metavar="TIME", help="end after 60s, 5m, 1h30m")
    log.add_argument("--every", type=_duration, metavar="TIME", default=1.0, help="between rows (default 1s)")
    log.add_argument("--serve", nargs="?", const="", metavar="ADDRESS", help="let screens attach meanwhile")

    attach = commands.add_parser(
        "attach", parents=[_debug()], help="the screen on a collector that runs elsewhere on this machine"
    )
    attach.add_argument(
        "address", nargs="?", metavar="ADDRESS", help="what 'detour log --serve' printed (default: the only one)"
    )

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

    _add_watch(commands)

    venues = commands.add_parser("venues", parents=[_common(watchlist=False)], help="what each venue offers")
    venues.add_argument("--json", action="store_true", help="JSON lines instead of a table")

    sim = commands.add_parser("sim", parents=[_debug()], help="run the simulated venues alone, for any other client")
    sim.add_argument("--scenario", metavar="NAME|FILE", default="calm", help="default calm")
    sim.add_argument("--port-base", type=int, metavar="N", default=0, help="first port (default: any free ones)")
    sim.add_argument("--speed", type=_positive, metavar="X", default=1.0, help="run the scenario X times as fast")
    sim.add_argument("--venues", metavar="A,B", help="only these venues")
    return parser


def _add_watch(commands: argparse._SubParsersAction[Any]) -> None:
    """``watch`` and its own commands."""
    common = _common(watchlist=False)
    watch = commands.add_parser("watch", parents=[common], help="your watchlists: list, show, add, remove, use, edit")
    actions = watch.add_subparsers(dest="action", metavar="ACTION", required=True)

    actions.add_parser("list", parents=[common], help="all watchlists; * marks the one in use")

    show = actions.add_parser("show", parents=[common], help="what a watchlist resolves to")
    show.add_argument("name", nargs="?", metavar="NAME", help="default: the one in use")

    add = actions.add_parser(
        "add",
        parents=[common],
        help="a new watchlist",
        epilog="Example: detour watch add alts --symbols SOL/USDT XRP/USDT --routes 'okx.*' bybit.spot --home okx.spot",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--symbols", nargs="+", required=True, metavar="SYMBOL", help="e.g. BTC/USDT BTC/USDT:USDT")
    add.add_argument("--routes", nargs="+", metavar="ROUTE", help="e.g. binance.spot 'okx.*' (default: all)")
    add.add_argument("--home", metavar="ROUTE", help="where you trade by default")
    add.add_argument("--notional", nargs="+", type=float, metavar="N", help="order sizes in the quote currency")
    add.add_argument("--side", choices=("buy", "sell"), help="default buy")
    add.add_argument("--replace", action="store_true", help="if there is one of that name already")

    remove = actions.add_parser("remove", parents=[common], help="take a watchlist out of the file")
    remove.add_argument("name", metavar="NAME")

    use = actions.add_parser("use", parents=[common], help="make a watchlist the one in use")
    use.add_argument("name", metavar="NAME")

    actions.add_parser("edit", parents=[common], help="the config file in your editor, checked before it counts")
