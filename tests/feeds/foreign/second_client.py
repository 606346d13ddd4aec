"""A client that lives in the witness environment, beside our own measuring, both on one simulator."""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from tests.feeds.foreign.clients import REPOSITORY, Ccxt, Ours, Side, Simulator

PYTHON = REPOSITORY / ".witness/bin/python"
FOLLOWED_S, SETTLED_S = 4.0, 1.5
READY_S = 20.0


def needs(package: str) -> pytest.MarkDecorator:
    """Skips where the witness environment has no such top package."""
    here = any(REPOSITORY.glob(f".witness/lib/python*/site-packages/{package}"))
    return pytest.mark.skipif(not here, reason=f"no {package} in the witness environment: make witness")


@contextlib.asynccontextmanager
async def watched(at: Simulator, classes: Mapping[str, Sequence[str]], symbols: Sequence[str]) -> AsyncIterator[Ours]:
    """Our own measuring of ``symbols`` on the routes of ccxt's classes, which only list the markets here."""
    ours = Ours(at)
    try:
        for name, routes in classes.items():
            client = Ccxt(name, routes, at)
            try:
                await client.exchange.load_markets()
                for route in routes:
                    instruments = client.instruments(route, symbols)
                    assert len(instruments) == len(symbols), route
                    ours.watch(route, instruments)
            finally:
                await client.exchange.close()
        yield ours
    finally:
        await ours.stop()


async def follow(at: Simulator, client: str) -> tuple[dict[str, Any], str]:
    """What a client of ``tests.witness`` holds when the market has come to rest, and what it said on stderr."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", f"tests.witness.{client}", json.dumps(at.endpoints),
        "--seconds", str(FOLLOWED_S + SETTLED_S + 0.5), cwd=REPOSITORY, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        if await asyncio.wait_for(process.stdout.readline(), READY_S):
            await asyncio.sleep(FOLLOWED_S)
            still = {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"}
            at.post("/phase", still)
        out, said = await asyncio.wait_for(process.communicate(), READY_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    return json.loads(out), said.decode()


def assert_same(ours: Ours, theirs: Mapping[str, Any], levels: int) -> None:
    """``theirs``: bids and asks by route and symbol."""
    for name, held in theirs.items():
        route, _, symbol = name.partition(" ")
        mine = ours.book(route, symbol, levels, by_time=False)
        assert mine is not None, f"{name}: ours is not in sync"
        assert len(mine[1]) == len(mine[2]) == levels
        sides: tuple[Side, Side] = ([(p, s) for p, s in held["bids"]], [(p, s) for p, s in held["asks"]])
        assert (sides[0][:levels], sides[1][:levels]) == mine[1:], name
