"""The events log."""

from __future__ import annotations

from msgspec import structs

from feeds.frame import EventRow, Frame
from tests.tui.scripted import T0, frame
from tui.history import HistoryBuffer
from tui.panes.events import events_lines
from tui.view import View


def text(shown: Frame, width: int = 160, height: int = 12, **changes: object) -> list[str]:
    view = structs.replace(View(history=HistoryBuffer(), frame=shown, now_ns=shown.t_ns), **changes)
    return [line.text for line in events_lines(view, width, height)]


def test_newest_first_with_time_kind_and_route() -> None:
    lines = text(frame("1011", 45))
    assert lines[1].startswith(" 21:03:27 ▲ advice")
    assert lines[2].startswith(" 21:03:24 · gap         binance.linear BTC/USDT:USDT gap of 3")


def test_the_route_is_not_said_twice() -> None:
    assert all(line.count("binance.spot") <= 1 for line in text(frame("1011", 45)))


def test_long_events_are_wrapped_not_cut() -> None:
    joined = " ".join(" ".join(text(frame("1011", 45), width=90, height=20)).split())
    assert '503 "Service Unavailable" 12 %' in joined
    assert all(len(line) <= 90 for line in text(frame("1011", 45), width=90, height=20))


def test_scrolled_up_shows_older_ones() -> None:
    lines = text(frame("1011", 45), events_up=3)
    assert "3 newer above" in lines[0]
    assert "21:03:16" in lines[1]


def test_the_filter_reaches_events() -> None:
    lines = text(frame("1011", 45), query="bybit")
    assert len(lines) == 2
    assert "daily reconnect" in lines[1]


def test_hostile_text_is_only_text() -> None:
    event = EventRow(t_ns=T0, level="alarm", code="status", route=None, text="[bold]x[/]\x1b]0;pwned\x07\r\n", seq=1)
    lines = text(structs.replace(frame("calm"), events=(event,)))
    assert "[bold]x[/]]0;pwned" in lines[1]
    assert not any(ord(c) < 32 for c in "".join(lines))


def test_no_events_are_not_an_empty_pane() -> None:
    assert "nothing has happened" in text(frame("warmup"))[1]
