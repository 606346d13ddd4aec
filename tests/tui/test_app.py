"""The whole screen: sizes, news and no news, broken links, hostile text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from msgspec import structs

from feeds.link_messages import Goodbye, Message, Shown
from feeds.model import State
from tests.tui.driver import Clock, screen
from tests.tui.scripted import changed, frame
from tests.tui.scripted_source import ScriptedSource
from tui.app import DetourApp, run
from tui.panes.line_pane import LinePane
from tui.view import PANES


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
        assert "binance.linear is congested" in seen.text("headline")
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
        assert len(seen.panes()) == len(PANES)
        assert "go    okx.linear" in seen.text("advice")


async def test_no_pane_is_empty_and_none_overflows() -> None:
    for size in ((160, 45), (120, 40), (200, 60)):
        async with screen("many", size=size) as seen:
            for name in PANES:
                pane = seen.app.screen.query_one(f"#{name}", LinePane)
                assert len(pane.lines) > 1, name
                assert len(pane.lines) <= pane.size.height, name


async def test_silence_of_the_collector_is_said_and_everything_fades() -> None:
    async with screen() as seen:
        await seen.wait(3.0)
        assert "No news from the collector since 21:03:45" in seen.text("headline")
        assert "781" in seen.text("routes")
        faint = seen.app.presenter.view.freshness
        assert faint == "dim"
        await seen.wait(30.0)
        assert "781" not in seen.text("routes")
        assert "was congested " in seen.text("routes")
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
        assert "(stopped by SIGTERM)" in seen.text("headline")
        await seen.hear(Shown(frame("1011", 50)))
        assert "binance.linear is congested" in seen.text("headline")


@pytest.mark.parametrize(("error", "words"), [(None, "it hung up"), (OSError("connection reset"), "connection reset")])
async def test_a_link_that_ends_is_news(error: OSError | None, words: str) -> None:
    async with screen() as seen:
        seen.source.end(error)
        await seen.pilot.pause()
        assert words in seen.text("headline")


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
        await seen.hear(Shown(changed(shown, routes=bad)))
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
            assert seen.text("headline").strip()


async def test_hostile_names_reach_the_screen_as_text() -> None:
    shown = frame("1011", 45)
    evil = structs.replace(shown.routes[0], route="[bold red]evil[/]\x1b[2J")
    async with screen() as seen:
        await seen.hear(
            Shown(changed(shown, routes=(evil, *shown.routes[1:]), vantage="[blink]x\x07", watchlist="\u202ew"))
        )
        assert "[bold red]evil[/][2J" in seen.text("headline")
        assert "[blink]x" in seen.text("header")
        everything = "".join(seen.text(pane.id or "") for pane in seen.app.screen.query(LinePane))
        assert not any(c in everything for c in "\x1b\x07\u202e")


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
        await seen.hear(Shown(changed(shown, routes=(*shown.routes[:2], row, *shown.routes[3:]))))
        assert drawn == [1]
        await seen.hear(Shown(changed(shown, routes=(*shown.routes[:2], row, *shown.routes[3:]))))
        assert drawn == [1]


def test_a_fault_of_the_screens_own_is_handed_back_and_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def draw(self: DetourApp) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(DetourApp, "draw", draw)
    app = DetourApp(ScriptedSource())
    app.run(headless=True)
    assert isinstance(app.fault, TypeError)
    out, said = capsys.readouterr()
    assert "Traceback" not in out + said and "draw" not in said
