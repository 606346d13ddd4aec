"""``detour watch``: list, show, add, remove, use and edit watchlists in the user's config file.

stdout is data, stderr is talk; bad input is one sentence, exit code 2 and an untouched file.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feeds.config import save
from feeds.config.checks import ConfigError
from feeds.config.known import Known, known_routes, routes_by_name
from feeds.config.load import Config, load_config, parse, read_text
from feeds.config.paths import cache_dir
from feeds.config.paths import config_file as user_file
from feeds.config.sample import documented_defaults
from feeds.config.watchlist_reader import check_watchlist
from feeds.config.watchlists import Watchlist
from feeds.instruments.cache import LIVE, listed
from feeds.model import venue_of

OK, BAD_INPUT, EDITOR_FAILED = 0, 2, 1


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``watch`` and its own commands to the parser of ``detour``."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="use this config file, not the user's"
    )
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


def run(args: argparse.Namespace) -> int:
    """Carry out a parsed ``detour watch`` command; the result is the exit code."""
    given: Path | None = getattr(args, "config", None)
    known = Known(
        routes=known_routes(),
        by_name=routes_by_name(),
        listed=lambda route: listed(cache_dir(), LIVE, route),
    )
    actions: dict[str, Callable[[argparse.Namespace, Path, Known], int]] = {
        "add": _add,
        "remove": _remove,
        "use": _use,
        "edit": _edit,
    }
    try:
        if args.action in actions:
            return actions[args.action](args, given if given is not None else user_file(), known)
        # a listing from the cache must not stand in the way of looking at one's own file
        config = load_config(given, _unlisted(known))
        return _list(config) if args.action == "list" else _show(config, args.name)
    except ConfigError as error:
        _say(str(error))
        return BAD_INPUT


def _list(config: Config) -> int:
    width = max(len(name) for name in config.watchlists)
    for name, watchlist in config.watchlists.items():
        mark = "*" if name == config.watchlist else " "
        print(
            f"{mark} {name:<{width}}  {_count(len(watchlist.symbols), 'symbol')} on "
            f"{_count(len(watchlist.routes), 'route')}  home {watchlist.home or '-'}  "
            f"{watchlist.side} {_amounts(watchlist)}"
        )
    return OK


def _show(config: Config, name: str | None) -> int:
    watchlist = config.chosen(name)
    print(f"name      {watchlist.name}{'  (in use)' if watchlist.name == config.watchlist else ''}")
    print(f"home      {watchlist.home or '-'}")
    print(f"order     {watchlist.side} {_amounts(watchlist)}")
    width = max(len(route) for route in watchlist.routes)
    for route in watchlist.routes:
        symbols = "  ".join(symbol for r, symbol in watchlist.pairs if r == route)
        print(f"{'pairs' if route == watchlist.routes[0] else '':<10}{route:<{width}}  {symbols}")
    return OK


def _add(args: argparse.Namespace, file: Path, known: Known) -> int:
    body: dict[str, Any] = {"symbols": args.symbols}
    for key, value in (("routes", args.routes), ("home", args.home), ("notionals", args.notional), ("side", args.side)):
        if value is not None:
            body[key] = value
    new = check_watchlist("detour watch add", args.name, body, known)
    text = read_text(file)
    before = parse(text, file, _unlisted(known))
    if args.name in before.written and not args.replace:
        raise ConfigError(f"{file}: there is a watchlist {args.name!r} already; --replace replaces it.")
    if new.home is None and (home := _home_of(before.chosen(), new)) is not None:
        body["home"] = home
    save.put_watchlist(file, args.name, body, _unlisted(known))
    _mention_comments(text, file)
    _say(f"watchlist {args.name!r} written to {file}; 'detour watch use {args.name}' makes it the one in use.")
    return OK


def _remove(args: argparse.Namespace, file: Path, known: Known) -> int:
    text = read_text(file)
    save.remove_watchlist(file, args.name, _unlisted(known))
    _mention_comments(text, file)
    _say(f"watchlist {args.name!r} removed; the file before is {save.backup_of(file)}.")
    return OK


def _use(args: argparse.Namespace, file: Path, known: Known) -> int:
    text = read_text(file)
    save.use_watchlist(file, args.name, _unlisted(known))
    _mention_comments(text, file)
    _say(f"watchlist {args.name!r} is in use.")
    return OK


def _edit(args: argparse.Namespace, file: Path, known: Known) -> int:
    before = read_text(file)
    with tempfile.TemporaryDirectory(prefix="detour-") as folder:
        copy = Path(folder) / "config.toml"
        copy.write_text(before or documented_defaults(), encoding="utf-8")
        started = copy.read_bytes()
        while True:
            if not _run_editor(copy):
                return EDITOR_FAILED
            if copy.read_bytes() == started:
                _say("nothing was changed.")
                return OK
            try:
                save.replace_text(file, read_text(copy, required=True), known)
            except ConfigError as error:
                # the sentence names the copy's line, which is the line in the user's editor
                _say(str(error).replace(str(copy), str(file)))
                if _asks_again():
                    continue
                kept = file.with_name(file.name + ".rejected")
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(copy.read_bytes())
                _say(f"{file} is as it was; what you wrote is in {kept}.")
                return BAD_INPUT
            _say(f"{file} written.")
            return OK


def _run_editor(copy: Path) -> bool:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if os.name == "nt" else "vi")
    try:
        code = subprocess.run([*shlex.split(command), str(copy)], check=False).returncode
    except (OSError, ValueError) as error:
        _say(f"the editor {command!r} cannot be started ({error}); set EDITOR.")
        return False
    if code:
        _say(f"the editor ended with code {code}; nothing was changed.")
    return code == 0


def _asks_again() -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write("Edit again? [Y/n] ")
    sys.stderr.flush()
    return not sys.stdin.readline().strip().lower().startswith("n")


def _home_of(in_use: Watchlist, new: Watchlist) -> str | None:
    """Where the user trades already, if the new watchlist goes there."""
    if in_use.home is None or in_use.home in new.routes:
        return in_use.home
    return next((route for route in new.routes if venue_of(route) == venue_of(str(in_use.home))), None)


def _unlisted(known: Known) -> Known:
    """For lists that are in the file already: a venue may delist a symbol any day without breaking the file."""
    return Known(routes=known.routes, by_name=known.by_name)


def _mention_comments(before: str, file: Path) -> None:
    if save.has_comments(before):
        _say(f"comments cannot be kept by this command; the file with them is {save.backup_of(file)}.")


def _amounts(watchlist: Watchlist) -> str:
    return " ".join(f"{amount:g}" if amount < 1e6 else f"{amount:.0f}" for amount in watchlist.notionals)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _say(text: str) -> None:
    print(text, file=sys.stderr)
