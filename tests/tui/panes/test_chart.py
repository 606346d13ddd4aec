"""Charts: scale, gaps, lost probes, cursor; never wider or higher than told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from feeds.link_messages import History
from tests.tui.scripted import SECOND, T0
from tui.history import HistoryBuffer
from tui.panes.chart import Trace, chart, linear_scale, log_scale, span_for

END_S = T0 // SECOND


def buffer_of(**series: Sequence[float | None]) -> HistoryBuffer:
    buffer = HistoryBuffer()
    buffer.load(History(end_ns=T0, step_s=1.0, series={name: list(values) for name, values in series.items()}))
    return buffer


def drawn(
    buffer: HistoryBuffer, *, width: int = 60, height: int = 12, span_s: int = 60, log: bool = True, back_s: int = 0
) -> list[str]:
    trace = Trace(name="a", label="binance.linear", role="hue.0", text="842", lost="lost")
    lines = chart(
        buffer, [trace], width=width, height=height, end_s=END_S, span_s=span_s, log=log, back_s=back_s, legend=25
    )
    return [line.text for line in lines]


def test_has_exactly_the_size_it_was_given() -> None:
    lines = drawn(buffer_of(a=[20.0] * 60))
    assert len(lines) == 12
    assert {cell_len(line) for line in lines[:-1]} == {60}


def test_a_peak_of_one_second_survives() -> None:
    calm = drawn(buffer_of(a=[20.0] * 900), span_s=900)
    peak = drawn(buffer_of(a=[20.0] * 400 + [900.0] + [20.0] * 499), span_s=900)
    assert "⠀" not in "".join(calm)
    assert sum(c not in " │┤" for c in peak[1][6:35]) > sum(c not in " │┤" for c in calm[1][6:35])


def test_missing_seconds_are_a_gap_not_a_line() -> None:
    lines = drawn(buffer_of(a=[20.0] * 15 + [None] * 30 + [20.0] * 15))
    body = "".join(max(column, default=" ") for column in zip(*(line[6:35] for line in lines[:-1]), strict=True))
    assert "        " in body


def test_a_lost_probe_is_a_mark() -> None:
    lost = [0.0] * 30 + [0.5] + [0.0] * 29
    assert drawn(buffer_of(a=[20.0] * 60, lost=lost))[0].count("×") == 1
    assert "×" not in "".join(drawn(buffer_of(a=[20.0] * 60, lost=[0.0] * 60)))


def test_the_cursor_stands_where_one_looks() -> None:
    lines = drawn(buffer_of(a=[20.0] * 60), back_s=30)
    columns = {line.index("┊") for line in lines[:-1] if "┊" in line}
    assert len(columns) == 1
    assert "cursor 21:02:30" in lines[-1]


def test_nothing_measured_is_said() -> None:
    assert drawn(buffer_of(a=[None] * 10)) == [" nothing measured yet"]


def test_too_small_is_said_not_broken() -> None:
    assert drawn(buffer_of(a=[1.0] * 10), width=12, height=2) == [" too small for a chart"]


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_a_log_scale_holds_all_its_values(values: list[float]) -> None:
    scale = log_scale(values)
    assert scale.low <= min(values) * 1.0000001
    assert scale.high >= max(values) * 0.9999999
    assert all(0 <= scale.height(v) <= 1 for v in values)
    assert scale.high / scale.low >= 9.99


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_a_linear_scale_begins_at_zero(values: list[float]) -> None:
    scale = linear_scale(values)
    assert scale.low == 0
    assert scale.high >= max(values, default=0)


def test_ticks_are_round_and_ordered() -> None:
    ticks = log_scale([22.0, 842.0]).ticks(11)
    assert list(dict(sorted(ticks.items())).values()) == sorted(ticks.values(), reverse=True)
    assert {10.0, 1000.0} <= set(ticks.values())


@pytest.mark.parametrize(("held", "span"), [(5, 60), (100, 120), (250, 300), (800, 900), (1800, 900)])
def test_a_young_session_fills_its_chart(held: int, span: int) -> None:
    assert span_for(buffer_of(a=[1.0] * held), 900, END_S) == span
