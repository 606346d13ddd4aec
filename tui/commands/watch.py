"""``detour watch``: list, show, add, remove and use watchlists of the user's config file.

stdout is data, stderr is talk; bad input is one sentence, exit code 2 and an untouched file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feeds.config import save
from feeds.config.checks import ConfigError
from feeds.config.known import Known, known_routes, routes_by_name
from feeds.config.load import Config, load_config, parse, read_text
from feeds.config.paths import cache_dir
from feeds.config.paths import config_file as user_file
from feeds.config.watchlist_reader import check_watchlist
from feeds.config.watchlists import Watchlist
from feeds.instruments.cache import LIVE, listed
from feeds.model import venue_of
from tui.commands.watch_edit import BAD_INPUT, OK, edit, print_message


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
        "edit": edit,
    }
    try:
        if args.action in actions:
            return actions[args.action](args, given if given is not None else user_file(), known)
        # a listing from the cache must not stand in the way of looking at one's own file
        config = load_config(given, _unlisted(known))
        return _list(config) if args.action == "list" else _show(config, args.name)
    except ConfigError as error:
        print_message(str(error))
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
    print_message(f"watchlist {args.name!r} written to {file}; 'detour watch use {args.name}' makes it the one in use.")
    return OK


def _remove(args: argparse.Namespace, file: Path, known: Known) -> int:
    text = read_text(file)
    save.remove_watchlist(file, args.name, _unlisted(known))
    _mention_comments(text, file)
    print_message(f"watchlist {args.name!r} removed; the file before is {save.backup_of(file)}.")
    return OK


def _use(args: argparse.Namespace, file: Path, known: Known) -> int:
    text = read_text(file)
    save.use_watchlist(file, args.name, _unlisted(known))
    _mention_comments(text, file)
    print_message(f"watchlist {args.name!r} is in use.")
    return OK


def _home_of(in_use: Watchlist, new: Watchlist) -> str | None:
    """Where the user trades already, if the new watchlist goes there."""
    if in_use.home is None or in_use.home in new.routes:
        return in_use.home
    return next((route for route in new.routes if venue_of(route) == venue_of(str(in_use.home))), None)


def _unlisted(known: Known) -> Known:
    """Without listings: a symbol that a venue has delisted must not make the user's file invalid."""
    return Known(routes=known.routes, by_name=known.by_name)


def _mention_comments(before: str, file: Path) -> None:
    if save.has_comments(before):
        print_message(f"comments cannot be kept by this command; the file with them is {save.backup_of(file)}.")


def _amounts(watchlist: Watchlist) -> str:
    return " ".join(f"{amount:g}" if amount < 1e6 else f"{amount:.0f}" for amount in watchlist.notionals)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
