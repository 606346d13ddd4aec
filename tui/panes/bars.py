"""The lines around the panes: header, the one sentence, tabs of a small screen, footer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from feeds.model import State
from tui.format import clean, clock, fit, milliseconds, money, wrap
from tui.headline import headline
from tui.lines import Line, Part, line
from tui.view import GLYPHS, PANES, View, chosen_symbol

_NAMES = {
    "routes": "Routes",
    "spreads": "Spreads",
    "depth": "Depth",
    "rtt": "Round trip",
    "advice": "Advice",
    "events": "Events",
}


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


def headline_lines(view: View, width: int, height: int) -> list[Line]:
    """The one sentence, on one line where it fits, else on ``height`` of them; what to do is brighter."""
    said = headline(view)
    background = "banner" if said.tone == "lost" else ""
    key = f"{said.key} " if said.key and view.frame is not None else ""
    room = width - 3
    if cell_len(said.text) + len(key) + 2 <= room:
        gap = room - cell_len(said.text) - len(key)
        return [
            line(
                (f" {said.glyph} ", f"{said.role} bold"),
                (said.what, said.role if said.tone != "good" else "text"),
                (f" {said.act}" if said.act else "", "bright bold" if said.tone == "bad" else "text"),
                (" " * gap, "text"),
                (key, "muted"),
                background=background,
            )
        ]
    words = wrap(said.text, room)
    if height > 1 and max(cell_len(said.what), cell_len(said.act)) <= room:
        words = [said.what, said.act] if said.act else [said.what]
    words = [*words[: height - 1], fit(" ".join(words[height - 1 :]), room)] if len(words) > height else words
    roles = (said.role if said.tone != "good" else "text", "bright bold" if said.tone == "bad" else "text")
    lines: list[Line] = []
    seen = 0
    for index, text in enumerate(words):
        # the boundary between what and act may fall inside this line
        cut = max(0, min(len(text), len(said.what) - seen))
        lead = f" {said.glyph} " if index == 0 else "   "
        lines.append(
            line((lead, f"{said.role} bold"), (text[:cut], roles[0]), (text[cut:], roles[1]), background=background)
        )
        seen += len(text) + 1
    return lines


def tabs_line(view: View, width: int) -> Line:
    """The panes of a small screen, or of a zoomed one."""
    parts: list[Part] = [(" ", "text")]
    short = width < 76
    for index, name in enumerate(PANES, 1):
        word = _NAMES[name][:6] if short else _NAMES[name]
        current = name == view.pane
        parts += [(f" {index} ", "key"), (f"{word} ", "title bold underline" if current else "muted")]
    return line(*parts)


def footer_line(keys: Sequence[tuple[str, str]], width: int, notice: str = "") -> Line:
    """What the keys do; the ones that do not fit are in the help. A notice takes the place of all but the last."""
    if notice:
        return line((" ", "text"), (fit(clean(notice), width - 2), "bright bold"), background="bar")
    parts: list[Part] = [(" ", "text")]
    used = 1
    last = keys[-1] if keys else ("", "")
    last_cells = cell_len(last[0]) + cell_len(last[1]) + 3
    for key, word in keys:
        cells = cell_len(key) + cell_len(word) + 3
        if (key, word) != last and used + cells + last_cells > width:
            continue
        parts += [(key, "key"), (f" {word}  ", "muted")]
        used += cells
    return line(*parts, background="bar")
