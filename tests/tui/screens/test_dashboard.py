"""Every key of the dashboard does what the table says."""

from __future__ import annotations

import pytest
from textual.command import CommandPalette, Hit
from textual.widgets import Input

from feeds.link_messages import Shown, UseHome, UseOrder, UseWatchlist
from feeds.model import State
from tests.tui.driver import Clock, screen
from tests.tui.scripted import frame
from tests.tui.scripted_source import ScriptedSource
from tui.app import DetourApp
from tui.command_palette import DetourCommands
from tui.panes.line_pane import LinePane
from tui.screens.help import HelpScreen
from tui.screens.route_page import RouteScreen
from tui.screens.watchlists import WatchlistScreen
from tui.selection import chosen_symbol
from tui.view import PANES


async def test_tab_and_shift_tab_move_between_symbols() -> None:
    async with screen() as seen:
        assert "BTC/USDT:USDT" in seen.text("depth")
        await seen.press("tab")
        assert "ETH/USDT:USDT" in seen.text("depth")
        assert "ETH/USDT:USDT" in seen.text("advice")
        await seen.press("shift+tab", "shift+tab")
        assert chosen_symbol(seen.app.presenter.view) == "ETH/USDT"
        assert "ETH/USDT " in seen.text("spreads")


async def test_arrows_move_and_enter_opens_that_route() -> None:
    async with screen() as seen:
        await seen.press("down", "down", "enter")
        assert isinstance(seen.app.screen, RouteScreen)
        assert "bybit.linear" in seen.text("page").splitlines()[0]
        await seen.press("down")
        assert "bybit.spot" in seen.text("page").splitlines()[0]
        await seen.press("escape")
        assert not isinstance(seen.app.screen, RouteScreen)


async def test_freeze_holds_the_screen_and_says_so() -> None:
    async with screen() as seen:
        await seen.press("space")
        board = seen.text("routes")
        await seen.hear(Shown(frame("1011", 60)))
        await seen.wait(1.0)
        assert seen.text("routes") == board
        assert "FROZEN since 21:03:45" in seen.text("header")
        assert "21:04:01 UTC" in seen.text("header")
        await seen.press("space")
        assert seen.text("routes") != board
        assert "FROZEN" not in seen.text("header")


async def test_filter_narrows_while_typing_and_escape_clears() -> None:
    async with screen() as seen:
        await seen.press("slash", *"okx")
        assert seen.rows() == ["okx.linear", "okx.spot"]
        await seen.press("enter", "down")
        assert seen.rows() == ["okx.linear", "okx.spot"]
        assert "filter: okx" in seen.text("routes")
        await seen.press("escape")
        assert len(seen.rows()) == 6


async def test_keys_typed_into_the_filter_do_nothing_else() -> None:
    async with screen() as seen:
        await seen.press("slash", "q", "s", "h", "space", "1")
        assert seen.source.sent == []
        assert not seen.app.presenter.view.frozen
        await seen.press("escape")
        assert seen.app.presenter.view.query == ""
        assert not seen.app.screen.query_one("#filter", Input).has_class("-open")


async def test_number_keys_choose_and_z_zooms() -> None:
    async with screen() as seen:
        await seen.press("4", "z")
        assert seen.panes() == ["rtt"]
        await seen.press("3")
        assert seen.panes() == ["depth"]
        await seen.press("escape")
        assert len(seen.panes()) == len(PANES)


@pytest.mark.parametrize(("key", "pane"), [(str(i + 1), name) for i, name in enumerate(PANES)])
async def test_every_pane_is_one_key_away_at_80x24(key: str, pane: str) -> None:
    async with screen(size=(80, 24)) as seen:
        await seen.press(key)
        assert seen.panes() == [pane]
        assert len(seen.text(pane).splitlines()) > 2


async def test_looking_back_moves_the_cursor_and_the_board() -> None:
    async with screen() as seen:
        await seen.press("left", "left")
        assert "looking at 21:03:43" in seen.text("header")
        assert "cursor 21:03:43" in seen.text("rtt")
        await seen.press("shift+left", "shift+left", "shift+left", "shift+left")
        assert "● binance.linear ok" in seen.text("routes")
        await seen.press("right", "escape")
        assert "looking at" not in seen.text("header")
        assert "▲ binance.linear congested" in seen.text("routes")


async def test_orders_home_and_side_are_asked_of_the_collector() -> None:
    async with screen() as seen:
        await seen.press("s", "plus", "minus", "n", "down", "h")
        assert seen.source.sent == [
            UseOrder("buy", 100_000.0),
            UseOrder("buy", 200_000.0),
            UseOrder("buy", 100_000.0),
            UseOrder("buy", 200_000.0),
            UseHome("binance.spot"),
        ]
        assert "asked for binance.spot as home" in seen.text("footer")
        await seen.wait(5.0)
        assert "asked for" not in seen.text("footer")


async def test_a_collector_that_refuses_is_quoted() -> None:
    async with screen() as seen:
        seen.source.refuses = OSError("broken pipe")
        await seen.press("h")
        await seen.pilot.pause()
        assert "broken pipe" in seen.text("footer")


async def test_the_band_key_changes_the_depth() -> None:
    async with screen() as seen:
        await seen.press("b")
        assert "±25 bp, M" in seen.text("depth")


async def test_the_watchlist_is_picked_from_a_list_that_is_never_markup() -> None:
    async with screen() as seen:
        await seen.press("w")
        assert isinstance(seen.app.screen, WatchlistScreen)
        await seen.press("down", "down", "enter")
        assert seen.source.sent == [UseWatchlist("just [b]bitcoin[/b]")]
        assert "just [b]bitcoin[/b]" in seen.text("footer")


async def test_help_lists_every_key_and_closes() -> None:
    async with screen() as seen:
        await seen.press("question_mark")
        assert isinstance(seen.app.screen, HelpScreen)
        text = seen.text("help")
        for key in seen.app.keys:
            assert key.help in text
        for state in State:
            assert state.value in text
        await seen.press("escape")
        assert not isinstance(seen.app.screen, HelpScreen)


async def test_colon_opens_the_command_palette() -> None:
    async with screen() as seen:
        await seen.press("colon")
        assert isinstance(seen.app.screen, CommandPalette)
        await seen.press("escape")
        assert not isinstance(seen.app.screen, CommandPalette)


async def test_the_palette_finds_routes_and_every_key_with_a_name() -> None:
    async with screen() as seen:
        commands = DetourCommands(seen.app.screen)
        hits = [hit async for hit in commands.search("okx.spot")]
        assert isinstance(hits[0], Hit)
        hits[0].command()
        assert seen.app.presenter.view.route == "okx.spot"
        named = {hit.text async for hit in commands.discover()}
        assert {key.help for key in seen.app.keys if key.palette} <= named
        assert "Watchlist just [b]bitcoin[/b]" in named


async def test_a_palette_command_does_what_its_key_does() -> None:
    async with screen() as seen:
        hits = [hit async for hit in DetourCommands(seen.app.screen).search("Next depth band")]
        hits[0].command()
        await seen.pilot.pause()
        assert "±25 bp, M" in seen.text("depth")


async def test_light_and_dark() -> None:
    async with screen() as seen:
        await seen.press("t")
        assert seen.app.theme == "detour-light"
        await seen.press("t")
        assert seen.app.theme == "detour-dark"


async def test_the_users_own_keys_work_and_are_shown() -> None:
    source = ScriptedSource([Shown(frame("1011", 45))])
    app = DetourApp(source, monotonic_s=Clock(), keys={"freeze": "f", "nonsense": "x"}, theme="light")
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.pause()
        await pilot.press("f")
        await pilot.pause()
        assert app.presenter.view.frozen
        assert app.theme == "detour-light"
        footer = app.screen.query_one("#footer", LinePane).lines[0].text
        assert "f freeze" in footer


async def test_quit_ends_with_success() -> None:
    async with screen() as seen:
        await seen.press("q")
    assert seen.app.return_value == 0


async def test_a_click_picks_route_and_pane() -> None:
    async with screen() as seen:
        await seen.pilot.click("#routes", offset=(6, 4))
        await seen.pilot.pause()
        assert seen.app.presenter.view.route == "bybit.linear"
        await seen.pilot.click("#events", offset=(6, 2))
        await seen.pilot.pause()
        assert seen.app.presenter.view.pane == "events"
