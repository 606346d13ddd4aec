from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.venues.reading import UNREADABLE, ms_ns, number


def test_empty_is_missing_and_zero_is_zero() -> None:
    assert number("") is None
    assert number("0") == 0.0
    assert number("-0.0001") == -0.0001
    assert ms_ns("") is None
    assert ms_ns("0") is None
    assert ms_ns("1790000000000") == 1_790_000_000_000_000_000


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e300", "x", "--1"])
def test_absurd_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        number(text)


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "9" * 20, "9" * 10_000])
def test_absurd_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ms_ns(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_as_unreadable(text: str) -> None:
    for read in (number, ms_ns):
        try:
            value = read(text)
        except UNREADABLE:
            continue
        assert value is None or abs(value) < 1 << 63
