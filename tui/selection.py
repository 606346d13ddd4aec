"""What of a frame is looked at: routes that match the filter, the chosen route and symbol, its pairs and advice."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.frame import AdviceRow, Frame, PairRow, RouteRow
from tui.view import View


def matches(name: str, query: str) -> bool:
    """Every word of the filter occurs somewhere in the name."""
    folded = name.casefold()
    return all(word in folded for word in query.casefold().split())


def ordered(frame: Frame, query: str = "") -> list[RouteRow]:
    """The routes that match the filter, worst first as the frame says."""
    by_name = {row.route: row for row in frame.routes}
    rows = [by_name[name] for name in frame.summary.worst_first]
    return [row for row in rows if matches(f"{row.route} {row.state.value} {row.cause or ''}", query)]


def chosen_route(view: View) -> RouteRow | None:
    """The highlighted row: the picked one while it is there, else the worst."""
    if view.frame is None:
        return None
    rows = ordered(view.frame, view.query)
    return next((row for row in rows if row.route == view.route), rows[0] if rows else None)


def chosen_symbol(view: View) -> str | None:
    """The picked symbol while it is watched, else the first one that home trades, else the first."""
    frame = view.frame
    if frame is None or not frame.symbols:
        return None
    if view.symbol in frame.symbols:
        return view.symbol
    at_home = {
        p.stands_for or p.symbol for p in frame.pairs if p.route == frame.home and p.state not in ("absent", "refused")
    }
    return next((symbol for symbol in frame.symbols if symbol in at_home), frame.symbols[0])


def pairs_of(frame: Frame, symbol: str | None, query: str = "") -> list[PairRow]:
    """The symbol's pairs in the board's order, without routes that do not list it."""
    by_route = {
        pair.route: pair
        for pair in frame.pairs
        if (pair.stands_for or pair.symbol) == symbol and pair.state != "absent"
    }
    return [by_route[row.route] for row in ordered(frame, query) if row.route in by_route]


def advice_of(frame: Frame, symbol: str | None) -> AdviceRow | None:
    return next((row for row in frame.advice if row.symbol == symbol), None)


def step(names: Sequence[str], current: str | None, by: int) -> str | None:
    """The next name, or the one before; after the last comes the first."""
    if not names:
        return None
    if current not in names:
        return names[0]
    return names[(names.index(current) + by) % len(names)]
