from __future__ import annotations

import pytest

from feeds.config.duration import parse_duration_s


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("7", 7)])
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5x", "-3s", "0s", "1h nonsense", "9e9", "9999999d"])
def test_nonsense_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration_s(text)
