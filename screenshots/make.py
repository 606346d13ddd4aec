"""Pictures of the running demo: ``make screenshots``. Each is the real screen on a real collector on the simulator."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from feeds import child_process
from feeds.publish import link
from feeds.publish.attachment import Attachment
from tui.app import DetourApp

HERE = Path(__file__).parent


class Shot(Struct, frozen=True):
    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    light: bool = False


class Story(Struct, frozen=True):
    """One run of a scenario, and what is pictured after how many seconds."""

    scenario: str
    after_s: float
    shots: tuple[Shot, ...]


STORIES = (
    Story(
        scenario="calm",
        after_s=75.0,
        shots=(Shot("calm", (160, 45)), Shot("wide", (200, 60)), Shot("light", (120, 40), light=True)),
    ),
    Story(
        scenario="1011",
        after_s=75.0,
        shots=(
            Shot("1011", (160, 45)),
            Shot("route", (160, 45), keys=("enter",)),
            Shot("small", (80, 24)),
        ),
    ),
)


async def picture(shot: Shot, address: link.Address) -> None:
    app = DetourApp(Attachment(address), theme="light" if shot.light else None)
    async with app.run_test(size=shot.size) as pilot:
        await asyncio.sleep(4.0)  # a few frames and one turn of the charts
        for key in shot.keys:
            await pilot.press(key)
        await asyncio.sleep(2.0)
        svg = app.export_screenshot(title="detour")
    (HERE / f"{shot.name}.svg").write_text(without_addresses(svg), encoding="utf-8")


def without_addresses(svg: str) -> str:
    """Fonts come from the reader's machine: a picture loads nothing from anywhere."""
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family:\s*Fira Code,", "font-family: Fira Code, DejaVu Sans Mono,", svg)


async def play(story: Story) -> None:
    with tempfile.TemporaryDirectory() as name:
        address = link.new_address(Path(name))
        arguments = ["--link", str(address), "--sim", story.scenario]
        with child_process.logged("feeds.collector.main", arguments, Path(name) / "collector.log"):
            await asyncio.sleep(story.after_s)
            for shot in story.shots:
                await picture(shot, address)
                print(f"screenshots/{shot.name}.svg", flush=True)


async def main() -> None:
    wanted = sys.argv[1:]
    for story in STORIES:
        if not wanted or story.scenario in wanted:
            await play(story)


if __name__ == "__main__":
    asyncio.run(main())
