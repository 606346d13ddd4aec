"""The header: where, when, how far the figures can be trusted, and how many routes are in which state."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from feeds.model import State
from tui.format import clean, clock, milliseconds, money
from tui.lines import Line, Part, line
from tui.selection import chosen_symbol
from tui.state_look import GLYPHS
from tui.view import View


def header_line(view: View, width: int) -> Line:
    """Left: who, where, when; right: how far what follows can be trusted, and the counts by state."""
    frame = view.frame
    left: list[Part] = [(" detour ", "title bold")]
    if frame is None:
        return _spread(left, [("no collector yet ", "muted")], width)
    if frame.simulated is not None:
        left += [(f" simulated: {clean(frame.simulated)} ", "state.suspect bold")]
    left += [(f" {clean(frame.watchlist)}", "text"), (f"  {clean(frame.vantage)}", "text")]
    left += [(f"  {clock(view.now_ns)} UTC ", "text")]
    if view.frozen:
        left += [(f" FROZEN since {clock(frame.t_ns)} ", "state.congested bold reverse")]
    if view.back_s:
        left += [(f" looking at {clock((view.at_s - view.back_s) * 1_000_000_000)} ", "key bold")]
    order = f"{frame.order.side} {money(frame.order.notional)} {clean(chosen_symbol(view) or '')}"
    full = [(f"{order}   ", "muted"), *_trust(view), *_counts(view)]
    room = width - sum(cell_len(text) for text, _ in left)
    short = [*_counts(view, words=False), (" ", "text")]
    for right in (
        full,
        [*_trust(view), *_counts(view)],
        [*_trust(view), *short],
        [*_trust(view, words=False), *short],
        short,
    ):
        if sum(cell_len(text) for text, _ in right) <= room:
            return _spread(left, right, width)
    return _spread(left, [], width)


def _trust(view: View, *, words: bool = True) -> list[Part]:
    frame = view.frame
    if frame is None:
        return []
    own = frame.own
    glyph, role = {
        "up": (GLYPHS[State.OK], "state.ok"),
        "down": (GLYPHS[State.DOWN], "state.down bold"),
        "unknown": (GLYPHS[State.UNKNOWN], "state.unknown"),
    }[own.witness]
    state = f"{milliseconds(own.witness_ms)} ms" if own.witness == "up" else own.witness
    lag = own.loop_lag_ms.p99
    late = own.late
    if not words:
        return [
            ("up", "muted"),
            (f"{glyph} ", role),
            ("lag ", "muted"),
            (f"{milliseconds(lag)}  ", "bright bold" if late else "text"),
        ]
    return [
        ("uplink ", "muted"),
        (f"{glyph} ", role),
        (f"{state}   ", "text" if own.witness == "up" else role),
        ("own lag ", "muted"),
        (
            f"{milliseconds(lag)}{'' if lag is None else ' ms'}{' late' if late else ''}   ",
            "bright bold" if late else "text",
        ),
    ]


def _counts(view: View, *, words: bool = True) -> list[Part]:
    if view.frame is None:
        return []
    counts = view.frame.summary
    groups = (
        ("clear", State.OK, counts.clear),
        ("slow", State.CONGESTED, counts.slow),
        ("closed", State.DOWN, counts.closed),
        ("unknown", State.UNKNOWN, counts.unknown),
    )
    parts: list[Part] = []
    for word, state, number in groups:
        role = f"state.{state.value}" if number else "faint"
        parts.append((f"{GLYPHS[state]} {number}" if words else f"{GLYPHS[state]}{number} ", role))
        if words:
            parts.append((f" {word}  ", "muted" if number else "faint"))
    return parts


def _spread(left: Sequence[Part], right: Sequence[Part], width: int) -> Line:
    used = sum(cell_len(text) for text, _ in (*left, *right))
    return line(*left, (" " * max(0, width - used), "text"), *right, background="bar")
