"""The route page as a whole: every reason with its figures, nothing invented, nothing too wide."""

from __future__ import annotations

import pytest
from msgspec import structs
from rich.cells import cell_len

from feeds.frame import Depth, Frame
from tests.tui.scripted import changed, frame, history
from tui.history import HistoryBuffer
from tui.panes.route_page.page import route_lines
from tui.selection import chosen_route
from tui.view import View


def page(shown: Frame, width: int = 160, **changes: object) -> list[str]:
    buffer = HistoryBuffer()
    buffer.load(history("1011", 45, length_s=120))
    view = structs.replace(View(history=buffer, frame=shown, now_ns=shown.t_ns), **changes)
    return [line.text for line in route_lines(view, chosen_route(view), width, 41)]


def test_every_reason_has_value_normal_ratio_since_and_points() -> None:
    text = "\n".join(page(frame("1011", 45)))
    assert "+32 rest_rtt_last5_ms             781       24    33x  21:03:21  rest" in text
    assert "+20 rest_error_last30s_share     12 %        –      –  21:03:22  rest" in text
    assert "feed_age_last5s_ms" in text


@pytest.mark.parametrize("width", [80, 123, 124, 160, 200])
@pytest.mark.parametrize("scenario", ["1011", "calm", "warmup", "closed"])
def test_nothing_is_wider_than_the_page(width: int, scenario: str) -> None:
    assert max(cell_len(text) for text in page(frame(scenario, 45), width)) <= width


def test_a_route_that_went_away_is_said() -> None:
    shown = changed(frame("calm"), routes=())
    assert "not in the picture" in page(shown)[0]


def test_old_figures_are_removed() -> None:
    text = "\n".join(page(frame("1011", 45), age_s=60.0))
    assert "too old" in text
    assert "781" not in text


def test_a_thin_book_is_not_an_empty_one_and_another_coin_has_no_gap() -> None:
    shown = frame("calm")
    view_of = page(shown)
    pairs = tuple(
        structs.replace(pair, depth={"10": Depth(4_999.0, 0.0)}, gap_bps=None, unlike=True) for pair in shown.pairs
    )
    told = [text for text in page(changed(shown, pairs=pairs)) if "<0.01|0.00" in text]
    assert told and all("unlike" in text for text in told)
    assert not any("unlike" in text for text in view_of)
