"""The whole screen, driven by keys on a scripted source: no sleeps, a clock that stands still until told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec import structs
from textual.pilot import Pilot
from textual.widgets import Input

from feeds.frame import Goodbye, Message, Past, Shown, UseHome, UseOrder, UseWatchlist
from feeds.model import State
from tests.tui.scripted import ScriptedSource, frame, history
from tui.app import DetourApp, run
from tui.panes.line_pane import LinePane
from tui.screens.help import HelpScreen
from tui.screens.route import RouteScreen
from tui.screens.watchlists import WatchlistScreen
from tui.view import PANES, chosen_symbol


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Screen:
    """What a user sees and does."""

    def __init__(self, app: DetourApp, pilot: Pilot[int], source: ScriptedSource, clock: Clock) -> None:
        self.app, self.pilot, self.source, self.clock = app, pilot, source, clock

    async def hear(self, message: Message) -> None:
        self.source.put(message)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def wait(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.app.draw()
        await self.pilot.pause()

    def text(self, pane: str) -> str:
        found = self.app.screen.query_one(f"#{pane}", LinePane)
        return "\n".join(line.text for line in found.lines)

    def panes(self) -> list[str]:
        return [name for name in PANES if self.app.screen.query_one(f"#{name}").region.height > 0]

    def rows(self) -> list[str]:
        """Route names on the board, top to bottom."""
        frame_ = self.app.desk.view.frame
        names = {row.route for row in frame_.routes} if frame_ is not None else set()
        lines = self.text("routes").splitlines()[2:]
        words = [line.replace("▌", " ").split() for line in lines]
        return [w[1] for w in words if len(w) > 2 and w[1] in names]


@asynccontextmanager
async def screen(scenario: str = "1011", t_s: float = 45.0, size: tuple[int, int] = (160, 45)) -> AsyncIterator[Screen]:
    source = ScriptedSource([Past(history(scenario, t_s, length_s=120)), Shown(frame(scenario, t_s))])
    clock = Clock()
    app = DetourApp(source, monotonic_s=clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Screen(app, pilot, source, clock)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((160, 45), PANES),
        ((200, 60), PANES),
        ((120, 40), PANES),
        ((80, 24), ("routes",)),
        ((60, 15), ("routes",)),
    ],
)
async def test_every_size_shows_what_it_should(size: tuple[int, int], shown: tuple[str, ...]) -> None:
    async with screen(size=size) as seen:
        assert tuple(seen.panes()) == shown
        assert "binance.linear is congested" in seen.text("sentence")
        assert "q quit" in seen.text("footer")
        assert seen.rows()[0] == "binance.linear"


async def test_resizing_restacks_and_loses_nothing() -> None:
    async with screen() as seen:
        await seen.press("5")
        await seen.pilot.resize_terminal(80, 24)
        await seen.pilot.pause()
        assert seen.panes() == ["advice"]
        await seen.pilot.resize_terminal(160, 45)
        await seen.pilot.pause()
        assert len(seen.panes()) == 6
        assert "go    okx.linear" in seen.text("advice")


async def test_no_pane_is_empty_and_none_overflows() -> None:
    for size in ((160, 45), (120, 40), (200, 60)):
        async with screen("many", size=size) as seen:
            for name in PANES:
                pane = seen.app.screen.query_one(f"#{name}", LinePane)
                assert len(pane.lines) > 1, name
                assert len(pane.lines) <= pane.size.height, name


async def test_tab_and_shift_tab_move_between_symbols() -> None:
    async with screen() as seen:
        assert "BTC/USDT:USDT" in seen.text("depth")
        await seen.press("tab")
        assert "ETH/USDT:USDT" in seen.text("depth")
        assert "ETH/USDT:USDT" in seen.text("advice")
        await seen.press("shift+tab", "shift+tab")
        assert chosen_symbol(seen.app.desk.view) == "ETH/USDT"
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


async def test_a_route_page_lives_on_new_frames() -> None:
    async with screen(t_s=25.0) as seen:
        await seen.press("enter")
        before = seen.text("page")
        await seen.hear(Shown(frame("1011", 45)))
        assert seen.text("page") != before
        assert "+20 rest_error_share" in seen.text("page")


async def test_a_small_route_page_scrolls() -> None:
    async with screen(size=(80, 24)) as seen:
        await seen.press("enter")
        assert "Channels" not in seen.text("page")
        await seen.press("pagedown", "pagedown")
        assert "Channels" in seen.text("page")
        await seen.press("pageup", "pageup")
        assert "Reasons" in seen.text("page")


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
        await seen.press("enter", "q" if False else "down")
        assert seen.rows() == ["okx.linear", "okx.spot"]
        assert "filter: okx" in seen.text("routes")
        await seen.press("escape")
        assert len(seen.rows()) == 6


async def test_keys_typed_into_the_filter_do_nothing_else() -> None:
    async with screen() as seen:
        await seen.press("slash", "q", "s", "h", "space", "1")
        assert seen.source.sent == []
        assert not seen.app.desk.view.frozen
        await seen.press("escape")
        assert seen.app.desk.view.query == ""
        assert not seen.app.screen.query_one("#filter", Input).has_class("-open")


async def test_number_keys_choose_and_z_zooms() -> None:
    async with screen() as seen:
        await seen.press("4", "z")
        assert seen.panes() == ["rtt"]
        await seen.press("3")
        assert seen.panes() == ["depth"]
        await seen.press("escape")
        assert len(seen.panes()) == 6


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
        await seen.press("shift+left", "shift+left")
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


async def test_the_command_palette_runs_what_it_finds() -> None:
    async with screen() as seen:
        await seen.press("colon")
        await seen.press(*"okx.spot")
        await seen.app.workers.wait_for_complete(
            [w for w in seen.app.workers if w.name not in ("frames",) and w.node is seen.app.screen]
        )
        await seen.press("enter")
        await seen.pilot.pause()
        assert seen.app.desk.view.route == "okx.spot"


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
        assert app.desk.view.frozen
        assert app.theme == "detour-light"
        footer = app.screen.query_one("#footer", LinePane).lines[0].text
        assert "f freeze" in footer


async def test_quit_ends_with_success() -> None:
    async with screen() as seen:
        await seen.press("q")
    assert seen.app.return_value == 0


async def test_silence_of_the_collector_is_said_and_everything_fades() -> None:
    async with screen() as seen:
        await seen.wait(3.0)
        assert "No news from the collector since 21:03:45" in seen.text("sentence")
        assert "781" in seen.text("routes")
        faint = seen.app.desk.view.freshness
        assert faint == "dim"
        await seen.wait(30.0)
        assert "781" not in seen.text("routes")
        assert "was congested" in seen.text("routes")
        assert "too old to act on" in seen.text("advice")


async def test_every_colour_fades_when_the_collector_is_lost() -> None:
    async with screen() as seen:
        pane = seen.app.screen.query_one("#routes", LinePane)
        bright = {segment.style.color for segment in pane.render_line(2) if segment.style and segment.text.strip()}
        await seen.wait(3.0)
        faint = {segment.style.color for segment in pane.render_line(2) if segment.style and segment.text.strip()}
        assert len(bright) > 2
        assert len(faint) == 1


async def test_goodbye_is_said_at_once_and_a_new_frame_brings_all_back() -> None:
    async with screen() as seen:
        await seen.hear(Goodbye("stopped by SIGTERM"))
        assert "(stopped by SIGTERM)" in seen.text("sentence")
        await seen.hear(Shown(frame("1011", 50)))
        assert "binance.linear is congested" in seen.text("sentence")


@pytest.mark.parametrize(("error", "words"), [(None, "it hung up"), (OSError("connection reset"), "connection reset")])
async def test_a_link_that_ends_is_news(error: OSError | None, words: str) -> None:
    async with screen() as seen:
        seen.source.end(error)
        await seen.pilot.pause()
        assert words in seen.text("sentence")


async def test_what_else_the_source_raises_ends_the_app_and_is_handed_back() -> None:
    class Broken(ScriptedSource):
        async def messages(self) -> AsyncIterator[Message]:
            raise LookupError("no collector answers")
            yield Goodbye("never")

    app = DetourApp(Broken(), monotonic_s=Clock())
    async with app.run_test():
        pass
    assert app.return_value == 1
    assert isinstance(app.fault, LookupError)


def test_run_raises_what_the_source_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(app: DetourApp) -> None:
        app.fault = LookupError("no collector answers")

    monkeypatch.setattr(DetourApp, "run", fail)
    with pytest.raises(LookupError):
        run(ScriptedSource())


async def test_rows_stay_put_until_a_state_changes() -> None:
    async with screen("calm", t_s=45) as seen:
        before = seen.rows()
        for second in range(46, 52):
            await seen.hear(Shown(frame("calm", second)))
            assert seen.rows() == before
        shown = frame("calm", 52)
        bad = tuple(structs.replace(r, state=State.STALLED) if r.route == "okx.spot" else r for r in shown.routes)
        await seen.hear(Shown(structs.replace(shown, routes=bad)))
        assert seen.rows() == ["okx.spot", *[name for name in before if name != "okx.spot"]]


async def test_before_the_first_frame_every_pane_waits() -> None:
    app = DetourApp(ScriptedSource(), monotonic_s=Clock())
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.pause()
        await pilot.press("down", "enter", "tab", "space", "h", "left", "w", "b", "z", "z")
        text = "\n".join(line.text for pane in app.screen.query(LinePane) for line in pane.lines)
        assert "Waiting for the collector's first picture" in text
        assert text.count("waiting") >= 5


@pytest.mark.parametrize("scenario", ["warmup", "uplink", "empty", "closed", "calm"])
async def test_every_situation_draws(scenario: str) -> None:
    for size in ((160, 45), (80, 24)):
        async with screen(scenario, size=size) as seen:
            assert seen.text("sentence").strip()


async def test_hostile_names_reach_the_screen_as_text() -> None:
    shown = frame("1011", 45)
    evil = structs.replace(shown.routes[0], route="[bold red]evil[/]\x1b[2J")
    async with screen() as seen:
        await seen.hear(
            Shown(structs.replace(shown, routes=(evil, *shown.routes[1:]), vantage="[blink]x\x07", watchlist="\u202ew"))
        )
        assert "[bold red]evil[/][2J" in seen.text("sentence")
        assert "[blink]x" in seen.text("header")
        everything = "".join(seen.text(pane.id or "") for pane in seen.app.screen.query(LinePane))
        assert not any(c in everything for c in "\x1b\x07\u202e")


async def test_a_click_picks_route_and_pane() -> None:
    async with screen() as seen:
        await seen.pilot.click("#routes", offset=(6, 4))
        await seen.pilot.pause()
        assert seen.app.desk.view.route == "bybit.linear"
        await seen.pilot.click("#events", offset=(6, 2))
        await seen.pilot.pause()
        assert seen.app.desk.view.pane == "events"


async def test_only_lines_that_changed_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with screen("calm") as seen:
        pane = seen.app.screen.query_one("#routes", LinePane)
        drawn: list[int] = []
        refresh: Callable[..., object] = pane.refresh

        def counted(*regions: object, **more: object) -> object:
            drawn.append(len(regions))
            return refresh(*regions, **more)

        monkeypatch.setattr(pane, "refresh", counted)
        shown = frame("calm", 45)
        row = structs.replace(shown.routes[2], msgs_s=9_999.0)
        await seen.hear(Shown(structs.replace(shown, routes=(*shown.routes[:2], row, *shown.routes[3:]))))
        assert drawn == [1]
        await seen.hear(Shown(structs.replace(shown, routes=(*shown.routes[:2], row, *shown.routes[3:]))))
        assert drawn == [1]
