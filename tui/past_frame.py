"""The routes as they were at the cursor, from the series of the history."""

from __future__ import annotations

from msgspec import structs

from feeds.frame import Frame, Percentiles, RestMs, RouteRow, worst_first
from feeds.model import SEVERITY, State
from tui.history import HistoryBuffer
from tui.view import View

_SECOND_NS = 1_000_000_000
_STATES = {rank: state for state, rank in SEVERITY.items()}


def past_frame(view: View) -> Frame | None:
    """The frame shown, with its routes as they were ``back_s`` ago. The history holds no causes and no reasons."""
    frame = view.frame
    if frame is None:
        return None
    at_s = view.at_s - view.back_s
    routes = tuple(_past_row(row, view.history, at_s) for row in frame.routes)
    order = tuple(row.route for row in worst_first(routes, frame.home))
    summary = structs.replace(frame.summary, worst_first=order)
    return structs.replace(frame, t_ns=at_s * _SECOND_NS, routes=routes, summary=summary)


def _past_row(row: RouteRow, buffer: HistoryBuffer, at_s: int) -> RouteRow:
    rank = buffer.at(f"state:{row.route}", at_s)
    score = buffer.at(f"score:{row.route}", at_s)
    since_s = buffer.at(f"since:{row.route}", at_s)
    state = State.UNKNOWN if rank is None else _STATES.get(int(rank), State.UNKNOWN)
    return RouteRow(
        route=row.route,
        venue=row.venue,
        product=row.product,
        state=state,
        cause=None,
        score=None if score is None else round(score),
        since_ns=at_s * _SECOND_NS if since_s is None else int(since_s * _SECOND_NS),
        rest_ms=RestMs(p50=buffer.at(f"rest:{row.route}", at_s), lost=buffer.at(f"lost:{row.route}", at_s)),
        feed_age_ms=Percentiles(p50=buffer.at(f"age:{row.route}", at_s)),
        rest_high_ms=row.rest_high_ms,
        age_high_ms=row.age_high_ms,
        connected=True,
    )
