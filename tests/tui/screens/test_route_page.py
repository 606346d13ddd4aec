"""A route's page: opened, left, scrolled, alive."""

from __future__ import annotations

from feeds.link_messages import Shown
from tests.tui.driver import screen
from tests.tui.scripted import frame


async def test_a_route_page_lives_on_new_frames() -> None:
    async with screen(t_s=25.0) as seen:
        await seen.press("enter")
        before = seen.text("page")
        await seen.hear(Shown(frame("1011", 45)))
        assert seen.text("page") != before
        assert "+20 rest_error_last30s_share" in seen.text("page")


async def test_a_small_route_page_scrolls() -> None:
    async with screen(size=(80, 24)) as seen:
        await seen.press("enter")
        assert "Channels" not in seen.text("page")
        await seen.press("pagedown", "pagedown")
        assert "Channels" in seen.text("page")
        await seen.press("pageup", "pageup")
        assert "Reasons" in seen.text("page")
