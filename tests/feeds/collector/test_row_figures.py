"""Ages are shown as far as they are known."""

from __future__ import annotations

import pytest

from feeds.collector.row_figures import shown_age


@pytest.mark.parametrize(
    ("age_ms", "error_ms", "shown"),
    [
        (12.0, 4.0, 12.0),
        (-3.0, 4.0, 0.0),
        (-30.0, 4.0, -30.0),
        (-3.0, None, -3.0),
        (None, 4.0, None),
    ],
)
def test_an_age_below_zero_by_less_than_the_error_is_nothing(
    age_ms: float | None, error_ms: float | None, shown: float | None
) -> None:
    assert shown_age(age_ms, error_ms) == shown
