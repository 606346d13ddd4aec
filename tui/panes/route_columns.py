"""Columns of the routes board: what each shows, how wide, and which go first when there is no room."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from feeds.frame import RouteRow
from tui.format import DASH, count, duration, fit, milliseconds, number, percent, seconds
from tui.lines import Part
from tui.state_look import GLYPHS, state_role

BRIGHT = "bright bold"
_SILENT_MS = 3_000.0
"""Silence from which the figures of a feed are dimmed."""
_GONE_MS = 10_000.0
"""Silence from which they are removed; how long it lasts is shown instead."""


class Cell(Struct, frozen=True):
    text: str
    role: str = "text"


class Column(Struct, frozen=True, kw_only=True):
    """``rank``: 0 stays at any width; higher ones go first."""

    key: str
    head: str
    width: int
    rank: int
    cell: Callable[[RouteRow, int], Cell]
    """The row and the time shown -> what to write; right-aligned unless ``left``."""
    left: bool = False


def is_high(value: float | None, high_from: float | None) -> bool:
    """Whether the value has reached what the frame calls high for this route. Works for past values too."""
    return value is not None and high_from is not None and value >= high_from


def in_reasons(row: RouteRow, *signals: str) -> bool:
    """Whether a reason of the verdict names this figure."""
    return any(reason.signal.startswith(signals) for reason in row.reasons)


def _ms(value: float | None, bright: bool) -> Cell:
    return Cell(milliseconds(value), "muted" if value is None else BRIGHT if bright else "text")


def _rest50(row: RouteRow, now_ns: int) -> Cell:
    value = row.rest_ms.p50
    return _ms(value, is_high(value, row.rest_high_ms) or in_reasons(row, "rest_rtt"))


def _rest99(row: RouteRow, now_ns: int) -> Cell:
    return _ms(row.rest_ms.p99, in_reasons(row, "rest_p99"))


def _share(value: float | None, bright: bool) -> Cell:
    return Cell(percent(value), "muted" if not value else BRIGHT if bright else "text")


def _feed(value: float | None, row: RouteRow, bright: bool) -> Cell:
    silent = row.silence_ms or 0.0
    if silent >= _GONE_MS or (value is not None and not row.connected):
        return Cell(DASH, "muted")
    if silent >= _SILENT_MS:
        return Cell(milliseconds(value), "faint")
    return _ms(value, bright)


def _age50(row: RouteRow, now_ns: int) -> Cell:
    silent = row.silence_ms or 0.0
    if silent >= _GONE_MS:  # the figure is gone, its age stands there
        return Cell(seconds(silent), BRIGHT)
    value = row.feed_age_ms.p50
    return _feed(value, row, is_high(value, row.age_high_ms) or in_reasons(row, "feed_age"))


def _rate(row: RouteRow, now_ns: int) -> Cell:
    if row.msgs_s is None:
        return Cell(DASH, "muted")
    silent = (row.silence_ms or 0.0) >= _SILENT_MS
    return Cell(number(row.msgs_s), "faint" if silent else "text")


def _score(row: RouteRow, now_ns: int) -> Cell:
    return Cell(count(row.score), "muted" if row.score is None else state_role(row.state))


def _counter(value: int) -> Cell:
    return Cell(number(value), "text" if value else "muted")


COLUMNS: tuple[Column, ...] = (
    Column(
        key="state",
        head="state",
        width=9,
        rank=0,
        left=True,
        cell=lambda row, now: Cell(row.state.value, f"{state_role(row.state)} bold"),
    ),
    Column(
        key="why",
        head="why",
        width=9,
        rank=0,
        left=True,
        cell=lambda row, now: Cell(row.cause.value if row.cause else "", "text"),
    ),
    Column(
        key="since",
        head="since",
        width=5,
        rank=0,
        cell=lambda row, now: Cell(duration(now - row.since_ns), "muted"),
    ),
    Column(key="score", head="score", width=5, rank=1, cell=_score),
    Column(key="rest50", head="REST p50", width=8, rank=0, cell=_rest50),
    Column(key="rest99", head="p99", width=6, rank=1, cell=_rest99),
    Column(
        key="lost",
        head="lost%",
        width=5,
        rank=4,
        cell=lambda row, now: _share(row.rest_ms.lost, in_reasons(row, "rest_lost")),
    ),
    Column(
        key="errors",
        head="err%",
        width=5,
        rank=4,
        cell=lambda row, now: _share(row.error_share, in_reasons(row, "rest_error")),
    ),
    Column(key="ws", head="ws", width=5, rank=2, cell=lambda row, now: _ms(row.ws_ms.p50, in_reasons(row, "ws_"))),
    Column(
        key="tcp",
        head="tcp",
        width=5,
        rank=2,
        cell=lambda row, now: _ms(row.tcp_ms, in_reasons(row, "tcp_", "kernel_")),
    ),
    Column(key="age50", head="age p50", width=7, rank=0, cell=_age50),
    Column(
        key="age99",
        head="p99",
        width=6,
        rank=2,
        cell=lambda row, now: _feed(row.feed_age_ms.p99, row, in_reasons(row, "feed_age_p99")),
    ),
    Column(
        key="engine",
        head="engine",
        width=6,
        rank=5,
        cell=lambda row, now: _feed(row.engine_lag_ms, row, in_reasons(row, "engine_")),
    ),
    Column(key="rate", head="msg/s", width=6, rank=2, cell=_rate),
    Column(key="gaps", head="gaps", width=5, rank=5, cell=lambda row, now: _counter(row.gaps)),
    Column(key="recon", head="recon", width=5, rank=5, cell=lambda row, now: _counter(row.reconnects)),
    Column(
        key="offset",
        head="clock",
        width=6,
        rank=5,
        cell=lambda row, now: Cell(milliseconds(row.offset_ms), "muted"),
    ),
    Column(
        key="weight",
        head="limit%",
        width=6,
        rank=5,
        cell=lambda row, now: _share(row.weight_used, in_reasons(row, "weight_")),
    ),
)

HISTORY_MIN = 8


def columns_for(width: int, name_width: int) -> tuple[list[Column], int]:
    """The columns that fit, in order, and what is left for the history strip (0: none).

    The strip comes before the rarest columns; at least ``HISTORY_MIN`` cells or nothing.
    """
    room = width - 3 - name_width - 1
    kept = [c for c in COLUMNS if c.rank == 0]
    room -= sum(c.width + 1 for c in kept)
    for rank in range(1, 6):
        more = [c for c in COLUMNS if c.rank == rank]
        need = sum(c.width + 1 for c in more)
        reserve = 0 if rank < 2 else HISTORY_MIN + 1 if rank < 4 else 25
        if need + reserve > room:
            break
        kept += more
        room -= need
    strip = room - 2 if room - 2 >= HISTORY_MIN else 0
    return [c for c in COLUMNS if c in kept], strip


def header(columns: list[Column]) -> list[Part]:
    return [(" " + fit(c.head, c.width, right=not c.left), "muted") for c in columns]


def row_parts(row: RouteRow, columns: list[Column], now_ns: int, *, gone: bool) -> list[Part]:
    """The cells of one row; when ``gone``, nothing but what it was."""
    if gone:
        word, why, *others = columns
        was = (" " + fit(f"was {row.state.value}", word.width + 1 + why.width), "faint")
        return [was, *((" " + fit(DASH, c.width, right=not c.left), "muted") for c in others)]
    parts: list[Part] = []
    for column in columns:
        cell = column.cell(row, now_ns)
        parts.append((" " + fit(cell.text, column.width, right=not column.left), cell.role))
    return parts


def glyph(row: RouteRow, *, gone: bool) -> str:
    return "·" if gone else GLYPHS[row.state]
