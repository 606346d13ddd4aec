"""Numbers and foreign text: fixed width, a dash for missing, nothing a terminal could obey."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.format import (
    DASH,
    bar,
    bps,
    clean,
    clock,
    count,
    duration,
    fit,
    level,
    millions,
    milliseconds,
    money,
    number,
    percent,
    ratio,
    seconds,
    wrap,
)
from tui.state_look import GLYPHS

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    "write", [number, milliseconds, bps, percent, money, millions, duration, seconds, clock, ratio, count]
)
def test_missing_is_a_dash_never_zero(write: object) -> None:
    assert callable(write)
    assert write(None) == DASH


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_missing(value: float) -> None:
    assert number(value) == DASH


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.13, "2.1"), (9.94, "9.9"), (9.96, "10"), (842.4, "842"), (3200.0, "3\u202f200")],
)
def test_milliseconds_keep_the_digits_that_mean_something(value: float, text: str) -> None:
    assert milliseconds(value) == text


def test_thin_space_takes_one_cell() -> None:
    assert cell_len(number(1_234_567)) == len("1 234 567")


@pytest.mark.parametrize(
    ("value", "text"), [(0.124, "0.12"), (5.94, "5.9"), (62.0, "62.0"), (1200.0, "1\u202f200"), (-3.0, "-3.0")]
)
def test_basis_points(value: float, text: str) -> None:
    assert bps(value) == text


def test_signed_basis_points() -> None:
    assert bps(62.0, sign=True) == "+62.0"
    assert bps(-62.0, sign=True) == "-62.0"


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (0.004, "0.4"), (0.12, "12"), (1.0, "100")])
def test_a_small_share_is_not_nothing(value: float, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("span_s", "text"),
    [(0, "00:00"), (15, "00:15"), (3599, "59:59"), (11_520, "3h12"), (187_200, "2d04")],
)
def test_duration(span_s: int, text: str) -> None:
    assert duration(span_s * SECOND) == text


@pytest.mark.parametrize(("value", "text"), [(100_000.0, "100k"), (2_500_000.0, "2.5M"), (950.0, "950"), (3e9, "3B")])
def test_money(value: float, text: str) -> None:
    assert money(value) == text


@pytest.mark.parametrize(("ms", "text"), [(8_400, "8.4 s"), (42_000, "42 s"), (720_000, "12 min"), (10_800_000, "3 h")])
def test_ages(ms: float, text: str) -> None:
    assert seconds(ms) == text


def test_an_absurd_time_stamp_is_missing() -> None:
    assert clock(10**30) == DASH


@given(st.text(max_size=60), st.integers(1, 40), st.booleans())
def test_fit_is_exact_in_cells(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(clean(text), width, right=right)) == width


@given(st.text(max_size=200))
def test_clean_leaves_nothing_to_obey(text: str) -> None:
    assert all(unicodedata.category(c)[0] != "C" and unicodedata.category(c) != "Mn" for c in clean(text))


def test_clean_keeps_words_and_takes_the_bell() -> None:
    assert clean("503 \x1b[2J\x07Überlast\u202egnp") == "503 [2JÜberlastgnp"


@given(st.text(alphabet="ab é", max_size=120), st.integers(3, 30))
def test_wrapped_lines_fit(text: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in wrap(text, width))


@given(st.floats(0, 50), st.integers(1, 40), st.booleans())
def test_a_bar_fills_its_field_and_shows_anything_above_zero(cells: float, width: int, leftwards: bool) -> None:
    drawn = bar(cells, width, leftwards=leftwards)
    assert cell_len(drawn) == width
    assert bool(drawn.strip()) == (cells > 0)


def test_the_same_money_is_the_same_width_on_both_sides() -> None:
    left, right = bar(3.5, 8, leftwards=True), bar(3.5, 8)
    assert left.count("█") == right.count("█") == 3
    assert (left.count("▐"), right.count("▌")) == (1, 1)


def test_levels_rise_with_the_share() -> None:
    assert [level(s) for s in (0.0, 0.5, 1.0, 7.0)] == ["▁", "▅", "█", "█"]


def test_every_glyph_takes_one_cell_and_is_no_emoji() -> None:
    assert all(cell_len(glyph) == 1 for glyph in GLYPHS.values())
    assert len(set(GLYPHS.values())) == len(GLYPHS)
    assert "⏸" not in GLYPHS.values()


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (millions(4_999.0), "<0.01"),
        (millions(5_001.0), "0.01"),
        (millions(0.0), "0.00"),
        (bps(0.004), "<0.01"),
        (bps(0.004, sign=True), "<0.01"),
        (bps(-0.004, sign=True), ">-0.01"),
        (bps(0.0), "0.00"),
        (milliseconds(0.04), "<0.1"),
        (number(0.3), "<1"),
        (number(0.0), "0"),
        (number(1.2e-9, 8), "<0.00000001"),
        (percent(0.0004), "<0.1"),
        (ratio(0.04), "<0.1x"),
        (seconds(40.0), "<0.1 s"),
        (seconds(0.0), "0.0 s"),
    ],
)
def test_a_figure_that_rounds_to_nothing_is_not_nothing(text: str, right: str) -> None:
    """A depth of 4 999 in millions is not the same as an empty side."""
    assert text == right
