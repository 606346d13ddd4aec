"""Who pays for ccxt: the child alone."""

from __future__ import annotations

import asyncio
import sys

import pytest

from feeds.ccxt_pro import process
from feeds.ccxt_pro.process import ChildLostError


async def test_neither_collector_nor_screen_loads_ccxt() -> None:
    code = (
        "import sys, feeds.collector.main, feeds.ccxt_pro.route, tui.commands.venues; sys.exit('ccxt' in sys.modules)"
    )
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await run.wait() == 0


async def test_a_child_that_says_nothing_or_ends_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    real = asyncio.create_subprocess_exec

    def instead(script: str) -> None:
        async def start(program: str, *_: str, **options: object) -> asyncio.subprocess.Process:
            return await real(program, "-c", script, **options)  # type: ignore[arg-type]  # handed on as they came

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)

    for script, why in (
        ("import time; time.sleep(60)", "nothing for 0.2 s"),
        ("import sys; sys.exit('no such exchange')", "code 1\\): no such exchange"),
        ("import sys; sys.stdout.write('x' * 100)", "a message of"),
    ):
        instead(script)
        pipe = await process.start()
        try:
            with pytest.raises(ChildLostError, match=why):
                async for _ in pipe.messages(0.2 if "sleep" in script else 10.0):
                    pass
        finally:
            await pipe.end()


async def test_a_child_ends_with_its_parent() -> None:
    pipe = await process.start()
    async for _ in pipe.messages():
        break  # it is there
    await pipe.end()
    assert pipe.code is not None
