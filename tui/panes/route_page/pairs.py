"""The pairs of a route: price, spread, depth, gap and age."""

from __future__ import annotations

import math

from feeds.frame import PairRow, RouteRow
from tui.format import DASH, bps, clean, fit, millions, milliseconds, number, seconds
from tui.lines import Line, line, title
from tui.view import View


def pairs(view: View, row: RouteRow, width: int) -> list[Line]:
    mine: list[PairRow] = [] if view.frame is None else [p for p in view.frame.pairs if p.route == row.route]
    if not mine:
        return []
    name = min(20, max(len(p.symbol) for p in mine))
    lines = [
        title(width, None, "Pairs", "spread and gap in bp, depth within 10 bp in M"),
        line(
            (
                f" {fit('symbol', name)} {'state':9} {'bid':>9} {'spread':>6} {'bid|ask':>11} {'gap':>6} {'age':>6}",
                "muted",
            )
        ),
    ]
    for p in mine:
        live = p.state == "live"
        depth = p.depth.get("10") if live else None
        sides = DASH if depth is None else f"{millions(depth.bid)}|{millions(depth.ask)}"
        figure_role = "text" if live else "faint"
        gap = bps(p.gap_bps, sign=True) if live else DASH
        if live and p.unlike:
            gap = "unlike"  # perhaps another coin of the same name
        age = milliseconds(p.age_ms) if live else seconds(p.quiet_ms)
        lines.append(
            line(
                (f" {fit(clean(p.symbol), name)}", "text"),
                (f" {p.state:9}", "muted"),
                (" " + fit(_price(p) if live else DASH, 9, right=True), figure_role),
                (" " + fit(bps(p.spread_bps) if live else DASH, 6, right=True), figure_role),
                (" " + fit(sides, 11, right=True), figure_role),
                (" " + fit(gap, 6, right=True), figure_role),
                (" " + fit(age, 6, right=True), figure_role),
            )
        )
    return lines


def _price(pair: PairRow) -> str:
    if pair.bid is None:
        return DASH
    tick = f"{pair.tick:.10f}".rstrip("0").rstrip(".") if pair.tick else "0.01"
    # eight digits say enough where the venue's smallest step is far below them (Bitfinex: significant digits)
    most = max(0, 7 - math.floor(math.log10(pair.bid))) if pair.bid > 0 else 8
    return number(pair.bid, min(8, most, len(tick.partition(".")[2])))
