"""The depth pane: the chosen symbol's depth by route. Bars of equal width are equal money all over the pane."""

from __future__ import annotations

from collections.abc import Iterable

from feeds.frame import Depth, Frame, PairRow, RouteRow
from feeds.model import venue_of
from tui.format import DASH, bar, clean, fit, millions, number, seconds
from tui.lines import EMPTY, Line, Part, line, note, title
from tui.selection import chosen_route, chosen_symbol, pairs_of
from tui.state_look import hues
from tui.view import BANDS, View

_GONE_MS = 10_000.0
_FIGURE = 5
_WAS = 10

_NO_BOOK = {
    "waiting": "waiting for its book",
    "resyncing": "rebuilding its book",
    "refused": "refused by the venue",
    "absent": "not listed there",
    "stale": "stale",
    "live": "",
}


def depth_lines(view: View, width: int, height: int) -> list[Line]:
    """One line a route, then the total, the total without the largest venue, and the effective number of venues."""
    symbol = chosen_symbol(view)
    detail = f"{clean(symbol)} · ±{view.band} bp, M · bid | ask" if symbol else ""
    head = title(width, 3, "Depth", detail, current=view.pane == "depth")
    if view.frame is None:
        return [head, note("waiting")]
    pairs = pairs_of(view.frame, symbol, view.query)
    if not pairs:
        return [head, note("no route of this view trades it" if symbol else "no symbols")]
    name = min(18, max(len(p.route) for p in pairs))
    half = (width - name - 2 * _FIGURE - _WAS - 6) // 2
    if half < 3:
        return [head, note("too narrow for bars")]
    most = _most(pairs, view.band)
    venue_hue = hues(view.frame)
    chosen = chosen_route(view)
    room = max(1, height - 1 - 5)
    lines = [head]
    for pair in _shown(pairs, chosen, room):
        role = f"hue.{venue_hue.get(venue_of(pair.route), 0)}"
        selected = chosen is not None and pair.route == chosen.route
        parts = [(" " if not selected else "▌", "key"), (fit(clean(pair.route), name), role)]
        parts += _sides(view, pair, half, most, role)
        lines.append(line(*parts, background="select" if selected else ""))
    if len(pairs) > room:
        lines.append(note(f"+{len(pairs) - room} more routes"))
    if view.freshness != "gone":
        lines += _totals(view, view.frame, symbol)
        wider = _wider(view, pairs, name, venue_hue, width)
        if len(lines) + len(wider) < height and any(pair.state == "live" for pair in pairs):
            lines += [EMPTY, *wider]
    return lines


def _shown(pairs: list[PairRow], chosen: RouteRow | None, room: int) -> list[PairRow]:
    """As many as there is room for, the highlighted one among them."""
    shown = pairs[:room]
    mine = next((p for p in pairs[room:] if chosen is not None and p.route == chosen.route), None)
    return shown if mine is None else [*shown[:-1], mine]


def _wider(view: View, pairs: list[PairRow], name: int, venue_hue: dict[str, int], width: int) -> list[Line]:
    """The other bands as figures, as many as fit."""
    bands = [band for band in BANDS if band != view.band][: max(0, (width - name - 2) // 12)]
    lines = [line((" " * (name + 2), "text"), *((fit(f"±{band} bp", 12, right=True), "muted") for band in bands))]
    for pair in pairs:
        cells: list[Part] = []
        for band in bands:
            depth = pair.depth.get(band) if pair.state == "live" else None
            bid, ask = (None, None) if depth is None else (depth.bid, depth.ask)
            cells.append((fit(f"{millions(bid)}|{millions(ask)}", 12, right=True), "text"))
        role = f"hue.{venue_hue.get(venue_of(pair.route), 0)}"
        lines.append(line((" ", "text"), (fit(clean(pair.route), name + 1), role), *cells))
    return lines


def _most(pairs: Iterable[PairRow], band: str) -> float:
    """The most money any bar of the pane has to show, its own normal included."""
    values: list[float] = [1.0]
    for pair in pairs:
        both = [pair.depth.get(band), pair.normal_depth if band == "10" else None]
        values += [v for depth in both if depth is not None for v in (depth.bid, depth.ask) if v is not None]
    return max(values)


def _current(pair: PairRow, band: str) -> Depth | None:
    """What may be shown: live, or stale for less than ten seconds."""
    old = pair.state == "stale" and (pair.quiet_ms is None or pair.quiet_ms >= _GONE_MS)
    return None if pair.state not in ("live", "stale") or old else pair.depth.get(band)


def _sides(view: View, pair: PairRow, half: int, most: float, role: str) -> list[Part]:
    depth = None if view.freshness == "gone" else _current(pair, view.band)
    if depth is None:
        why = "old" if view.freshness == "gone" else _NO_BOOK[pair.state]
        if pair.state == "stale":
            why = f"stale for {seconds(pair.quiet_ms)}"
        elif pair.state == "live" and not why:
            why = "book does not reach that far"
        return [("  ", "text"), (why, "muted")]
    normal = pair.normal_depth if view.band == "10" else None
    stale = pair.state == "stale"
    bar_role = "faint" if stale else role
    figure = "faint" if stale else "text"
    thin = pair.thin and normal is not None
    return [
        *_bar(depth.bid, normal.bid if normal else None, half, most, bar_role, leftwards=True),
        (fit(millions(depth.bid), _FIGURE + 1, right=True), "bright bold" if thin else figure),
        (" │ ", "rule"),
        (fit(millions(depth.ask), _FIGURE), "bright bold" if thin else figure),
        *_bar(depth.ask, normal.ask if normal else None, half, most, bar_role, leftwards=False),
        (_was(pair, normal, thin), "muted"),
    ]


def _was(pair: PairRow, normal: Depth | None, thin: bool) -> str:
    if pair.state == "stale":
        return f" {seconds(pair.quiet_ms)} old"
    if not thin or normal is None:
        return ""
    return f" was {millions(min((v for v in (normal.bid, normal.ask) if v is not None), default=None))}"


def _bar(
    value: float | None, normal: float | None, width: int, most: float, role: str, *, leftwards: bool
) -> list[Part]:
    """The bar, and shaded behind it what the route lacks to its own normal."""
    drawn = bar((value or 0.0) / most * width, width, leftwards=leftwards).strip()
    reach = 0 if normal is None else min(width, round(normal / most * width))
    ghost = "░" * max(0, reach - len(drawn))
    blank = " " * (width - len(drawn) - len(ghost))
    parts = [(drawn, role), (ghost, "ghost"), (blank, "text")]
    return parts[::-1] if leftwards else parts


def _totals(view: View, frame: Frame, symbol: str | None) -> list[Line]:
    """What the frame adds up over all routes, whatever the filter; it says how many books the sum counts."""
    depth = next((d for d in frame.depth if d.symbol == symbol), None)
    total = None if depth is None else depth.bands.get(view.band)
    if depth is None or total is None:
        return [EMPTY, note("no live book to sum up")]
    counted = "" if total.books == depth.listed else f"  ({total.books} of {depth.listed} books)"
    without = f"{millions(total.bid_without)} | {millions(total.ask_without)}"
    effective = number(total.effective_venues, 1)
    return [
        EMPTY,
        line((" all ", "muted"), (f"{millions(total.bid)} | {millions(total.ask)}", "text"), (counted, "muted")),
        line((f" without {clean(total.largest)} ", "muted"), (without, "text")),
        line((" effective venues ", "muted"), (effective, "text"), (_effective_then(view, depth.symbol), "muted")),
    ]


def _effective_then(view: View, symbol: str) -> str:
    """The same at the beginning of what is remembered, when that is minutes ago."""
    begin = view.history.begin_s()
    if begin is None or view.band != "10" or view.at_s - begin < 120:
        return ""
    then = view.history.at(f"venues:{symbol}", begin + 5)
    return f" ({(view.at_s - begin) // 60} min ago {number(then, 1)})" if then is not None else f" ({DASH} before)"
