"""Why a route is judged as it is: every reason with its figures."""

from __future__ import annotations

from feeds.frame import RouteRow
from feeds.model import State
from tui.format import DASH, bps, clean, clock, fit, milliseconds, percent, ratio, wrap
from tui.lines import Line, line, note, title
from tui.state_look import state_role


def reasons(row: RouteRow, width: int) -> list[Line]:
    """Every reason of the verdict: value, own normal, ratio, since when, points, and its clause."""
    lines = [title(width, None, "Reasons", "what adds up to the score")]
    if not row.reasons:
        words = "nothing speaks against this route" if row.state is State.OK else "no measured reason was given"
        return [*lines, note(words)]
    name = min(26, max(len(r.signal) for r in row.reasons))
    lines.append(
        line((f"  pts {fit('signal', name)} {'value':>8} {'normal':>8} {'ratio':>6}  {'since':8}  evidence", "muted"))
    )
    for r in row.reasons:
        lines.append(
            line(
                (f" {fit(f'+{r.points}', 4, right=True)} ", state_role(row.state)),
                (fit(clean(r.signal), name), "text"),
                (" " + fit(_figure(r.signal, r.value), 8, right=True), "bright bold"),
                (" " + fit(_figure(r.signal, r.baseline), 8, right=True), "text"),
                (" " + fit(ratio(r.ratio), 6, right=True), "text"),
                (f"  {clock(r.since_ns)}  ", "muted"),
                (r.evidence.value, "muted"),
            )
        )
        if r.text:
            lines += [line((" " * 6, "text"), (text, "muted")) for text in wrap(clean(r.text), width - 8)[:2]]
    return lines


def _figure(signal: str, value: float | None) -> str:
    """A reason's figure in the unit its name carries."""
    if value is None:
        return DASH
    stem = signal.partition(".")[0]
    if stem.endswith("_share"):
        return f"{percent(value)} %"
    if stem.endswith("_ms"):
        return milliseconds(value)
    return bps(value)
