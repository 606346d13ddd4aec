"""Single figures of a route, two a line, and what its error answers said."""

from __future__ import annotations

from feeds.frame import RouteRow
from tui.format import clean, fit, milliseconds, number, percent, seconds
from tui.lines import Line, Part, line, title
from tui.panes.route_columns import is_high


def figures(row: RouteRow, width: int) -> list[Line]:
    """Single figures, two a line."""
    cells: list[tuple[str, str, bool]] = [
        ("REST p50", f"{milliseconds(row.rest_ms.p50)} ms", is_high(row.rest_ms.p50, row.rest_high_ms)),
        ("its normal", f"{milliseconds(row.baseline_rest_ms)} ms", False),
        ("REST p99", f"{milliseconds(row.rest_ms.p99)} ms", False),
        ("lost", f"{percent(row.rest_ms.lost)} %", bool(row.rest_ms.lost)),
        ("feed age p50", f"{milliseconds(row.feed_age_ms.p50)} ms", is_high(row.feed_age_ms.p50, row.age_high_ms)),
        ("its normal", f"{milliseconds(row.baseline_age_ms)} ms", False),
        ("feed age p99", f"{milliseconds(row.feed_age_ms.p99)} ms", False),
        ("engine lag", f"{milliseconds(row.engine_lag_ms)} ms", False),
        ("websocket p50", f"{milliseconds(row.ws_ms.p50)} ms", False),
        ("websocket p99", f"{milliseconds(row.ws_ms.p99)} ms", False),
        ("errors", f"{percent(row.error_share)} %", bool(row.error_share)),
        ("limit used", f"{percent(row.weight_used)} %", False),
        ("clock offset", f"{milliseconds(row.offset_ms)} ±{milliseconds(row.offset_err_ms)} ms", False),
        ("silent for", seconds(row.silence_ms), False),
        ("gaps/resyncs", f"{row.gaps}/{row.resyncs}", bool(row.gaps)),
        ("reconnects", str(row.reconnects), False),
        ("garbled", number(row.garbled), bool(row.garbled)),
        ("unknown msgs", number(row.unknown), False),
    ]
    half = max(20, (width - 2) // 2)
    lines = [title(width, None, "Figures")]
    for index in range(0, len(cells), 2):
        parts: list[Part] = []
        for name, text, bright in cells[index : index + 2]:
            parts += [
                (f" {fit(name, 14)}", "muted"),
                (fit(text, half - 16, right=True) + " ", "bright bold" if bright else "text"),
            ]
        lines.append(line(*parts))
    for text, times in row.errors[:4]:
        lines.append(line((f" {times:>5}x ", "state.congested"), (fit(clean(text), max(4, width - 9)), "text")))
    return lines
