"""The board as it was at the cursor: what the tape remembers of each route, and nothing else."""

from __future__ import annotations

from msgspec import structs

from feeds.frame import Frame, Percentiles, RestMs, RouteRow
from feeds.model import SEVERITY, State
from tui.history import Tape
from tui.view import View

_SECOND_NS = 1_000_000_000
_STATES = {rank: state for state, rank in SEVERITY.items()}


def past_frame(view: View) -> Frame | None:
    """The frame shown, with its routes as they were ``back_s`` ago. Causes and reasons are not remembered."""
    frame = view.frame
    if frame is None:
        return None
    at_s = view.at_s - view.back_s
    routes = tuple(_past_row(row, view.tape, at_s) for row in frame.routes)
    return structs.replace(frame, t_ns=at_s * _SECOND_NS, routes=routes)


def _past_row(row: RouteRow, tape: Tape, at_s: int) -> RouteRow:
    rank = tape.at(f"state:{row.route}", at_s)
    score = tape.at(f"score:{row.route}", at_s)
    state = State.UNKNOWN if rank is None else _STATES.get(int(rank), State.UNKNOWN)
    return RouteRow(
        route=row.route,
        venue=row.venue,
        product=row.product,
        state=state,
        cause=None,
        score=None if score is None else round(score),
        since_ns=_since_s(tape, row.route, at_s, rank) * _SECOND_NS,
        rest_ms=RestMs(p50=tape.at(f"rest:{row.route}", at_s), lost=tape.at(f"lost:{row.route}", at_s)),
        feed_age_ms=Percentiles(p50=tape.at(f"age:{row.route}", at_s)),
        baseline_rest_ms=row.baseline_rest_ms,
        baseline_age_ms=row.baseline_age_ms,
        connected=True,
    )


def _since_s(tape: Tape, route: str, at_s: int, rank: float | None) -> int:
    """The first second of the state that held at ``at_s``, as far back as the tape goes."""
    begin_s = tape.begin_s()
    if begin_s is None or at_s < begin_s:
        return at_s
    states = tape.window(f"state:{route}", at_s, at_s - begin_s + 1)
    same = 0
    for value in reversed(states):
        if value != rank:
            break
        same += 1
    return at_s - max(0, same - 1)
