"""The advice pane, for the chosen symbol: best route, second, split, home with its costs, who is out, and N-1."""

from __future__ import annotations

from feeds.frame import AdviceRow, Cost
from tui.format import bps, clean, duration, fit, money, number, wrap
from tui.lines import EMPTY, Line, Part, line, note, title
from tui.selection import advice_of, chosen_symbol
from tui.view import View

_TAG = 6
_INDENT = " " * (_TAG + 1)
_REST = 11
"""Cells behind a cost: ``saves 123.4``."""
_NEGLIGIBLE = 0.001
"""Shares of an order below this come from lot sizes and rounding; they are not shown as missing."""
_SMALLEST_PART = 0.005
"""Of a split: less would read 0 %."""
_PARTS: tuple[tuple[str, str], ...] = (
    ("fee_bps", "fee"),
    ("spread_bps", "spread"),
    ("walk_bps", "walk"),
    ("price_bps", "price"),
    ("latency_bps", "latency"),
    ("risk_bps", "risk"),
    ("basis_bps", "basis"),
)


def advice_lines(view: View, width: int, height: int) -> list[Line]:
    """The most useful block first; what does not fit is left out from below."""
    symbol = chosen_symbol(view)
    advice = None if view.frame is None else advice_of(view.frame, symbol)
    order = "" if advice is None else f"{advice.side} {money(advice.notional)} {clean(advice.symbol)}"
    head = title(width, 5, "Advice", order, current=view.pane == "advice")
    if view.frame is None:
        return [head, note("waiting")]
    if view.freshness == "gone":
        return [head, note("too old to act on")]
    if advice is None:
        return [head, note("none yet: books and routes are warming up" if symbol else "no symbols")]
    blocks = (
        _suggestions(advice, width),
        _home(advice, width, view),
        _flags(advice, width),
        _out(advice, width),
        _all(advice, width),
        _without(advice, width),
    )
    lines = [head]
    for block in blocks:
        if not block or len(lines) + 2 > height:
            continue
        if len(lines) > 1 and len(lines) + len(block) + 1 <= height:
            lines.append(EMPTY)
        lines += block
    return lines[:height]


def _entry(tag: str, name: str, cost: str, rest: str, width: int, role: str = "text") -> Line:
    room = max(8, width - 1 - _TAG - 5 - 3 - _REST)
    return line(
        (" " + fit(tag, _TAG), "key" if tag == "go" else "muted"),
        (fit(clean(name), min(20, room)), role),
        (fit(cost, 5, right=True), role),
        (" bp", "muted"),
        (f" {rest}" if rest else "", "good" if rest.startswith("saves") else "muted"),
    )


def _saving(saving_bps: float | None) -> str:
    """Against home: less is saved, more is shown with a plus."""
    if saving_bps is None or abs(saving_bps) < 0.05:
        return ""
    return f"saves {bps(saving_bps)}" if saving_bps > 0 else f"+{bps(-saving_bps)}"


def _suggestions(advice: AdviceRow, width: int) -> list[Line]:
    if advice.best is None:
        return [line((" " + fit("go", _TAG), "key"), ("no usable route", "bright bold"))]
    rest = "home" if advice.best == advice.home else _saving(advice.saving_bps)
    lines = [_entry("go", advice.best, bps(advice.best_cost_bps), rest, width, "bright bold")]
    others = [c for c in advice.costs if c.route != advice.best]
    if others:
        second = others[0]
        home = None if advice.best == advice.home else advice.home_cost_bps
        rest = "home" if second.route == advice.home else _saving(None if home is None else home - second.total_bps)
        lines.append(_entry("2nd", second.route, bps(second.total_bps), rest, width))
    parts = [s for s in advice.split if s.share >= _SMALLEST_PART]
    if len(parts) > 1:
        shares = " + ".join(f"{clean(s.route)} {number(s.share * 100)} %" for s in parts)
        tail = f"{bps(advice.split_cost_bps)} bp"
        if len(shares) + len(tail) + _TAG + 4 <= width:
            lines.append(line((" " + fit("split", _TAG), "muted"), (f"{shares}  ", "text"), (tail, "text")))
        else:
            lines.append(line((" " + fit("split", _TAG), "muted"), (tail, "text"), (" all in", "muted")))
            lines += [
                line(
                    (_INDENT, "text"),
                    (fit(f"{number(s.share * 100)} %", 5, right=True), "text"),
                    (f" {clean(s.route)}", "text"),
                )
                for s in parts
            ]
    if advice.unallocated > advice.notional * _NEGLIGIBLE:
        lines.append(line((_INDENT, "text"), (f"{money(advice.unallocated)} finds no book", "bright bold")))
    return lines


def _home(advice: AdviceRow, width: int, view: View) -> list[Line]:
    if advice.home is None:
        return [note("no home route: press h on one")]
    cost = next((c for c in advice.costs if c.route == advice.home), None)
    if cost is None:
        why = next((e.why for e in advice.excluded if e.route == advice.home), "cannot be priced")
        return [line((" " + fit("home", _TAG), "muted"), (f"{clean(advice.home)} ", "text"), (clean(why), "bright"))]
    lines = [] if advice.home == advice.best else [_entry("home", advice.home, bps(cost.total_bps), "", width)]
    lines += _breakdown(cost, width)
    if advice.why:
        lines += [line((_INDENT, "text"), (text, "muted")) for text in wrap(clean(advice.why), width - _TAG - 2)[:2]]
    if advice.since_ns is not None and view.frame is not None:
        held = duration(view.frame.t_ns - advice.since_ns)
        lines.append(line((_INDENT, "text"), (f"suggested for {held}", "faint")))
    return lines


def _breakdown(cost: Cost, width: int) -> list[Line]:
    """Where the cost comes from; parts that are nothing are left out."""
    parts: list[Part] = []
    lines: list[Line] = []
    used = 0
    for field, word in _PARTS:
        value: float = getattr(cost, field)
        if abs(value) < 0.005:
            continue
        text = f"{word} {bps(value)}  "
        if used + len(text) > width - _TAG - 2:
            lines.append(line((_INDENT, "text"), *parts))
            parts, used = [], 0
        parts += [(f"{word} ", "muted"), (f"{bps(value)}  ", "text")]
        used += len(text)
    return [*lines, line((_INDENT, "text"), *parts)] if parts else lines


def _flags(advice: AdviceRow, width: int) -> list[Line]:
    """What to know before going to a route that could be used."""
    lines: list[Line] = []
    for flag in advice.flags:
        texts = wrap(f"{clean(flag.route)}: {clean(flag.why)}", width - _TAG - 2)[:2]
        for text in texts:
            lines.append(line((" " + fit("" if lines else "note", _TAG), "muted"), (text, "bright")))
    return lines


def _out(advice: AdviceRow, width: int) -> list[Line]:
    """Who must not be used, and why; a reason that does not fit beside the name stands below it."""
    room = width - _TAG - 2
    name = max((min(18, len(e.route)) for e in advice.excluded), default=0)
    lines: list[Line] = []
    for e in advice.excluded:
        tag = (" " + fit("" if lines else "out", _TAG), "muted")
        why = clean(e.why)
        if name + 1 + len(why) <= room:
            lines.append(line(tag, (fit(clean(e.route), name + 1), "text"), (why, "muted")))
        else:
            lines.append(line(tag, (fit(clean(e.route), room), "text")))
            lines += [line((_INDENT, "text"), (f" {text}", "muted")) for text in wrap(why, room - 1)[:2]]
    return lines


def _all(advice: AdviceRow, width: int) -> list[Line]:
    """Every usable route beyond the two named above."""
    lines: list[Line] = []
    named = {advice.best, advice.home, *(c.route for c in [c for c in advice.costs if c.route != advice.best][:1])}
    for cost in advice.costs:
        if cost.route in named:
            continue
        short = "" if cost.filled >= advice.notional * 0.999 else f"only {money(cost.filled)}"
        lines.append(_entry("also" if not lines else "", cost.route, bps(cost.total_bps), short, width))
    return lines


def _without(advice: AdviceRow, width: int) -> list[Line]:
    lines = []
    for index, row in enumerate(advice.n_minus_1):
        missing = row.unallocated > advice.notional * _NEGLIGIBLE
        unfilled = f"{money(row.unallocated)} short" if missing else ""
        lines.append(_entry("N-1" if index == 0 else "", f"no {row.without}", bps(row.cost_bps), unfilled, width))
    if advice.effective_venues is not None:
        text = f"capacity of {number(advice.effective_venues, 1)} equal venues"
        lines.append(line((_INDENT, "text"), (text, "muted")))
    return lines
