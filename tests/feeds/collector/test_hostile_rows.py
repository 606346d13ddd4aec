"""A venue that sends nothing but spite: every text of every row of the log can be read, shown and piped as it is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from feeds.collector.event_log import MAX_TEXT
from feeds.instruments.cache import CACHE_SCHEMA, LIVE, Stored, cache_path
from feeds.model import Instrument
from tests.feeds.collector.test_end_to_end import logged, of
from tests.feeds.loopback import head, reply, serving
from tests.feeds.spite import HOSTILE, faults_of

ROUTES = ("okx.spot", "gate.linear", "binance.spot")
PAGE = f"<!DOCTYPE html>\n<html><head><title>403 {HOSTILE}</title></head><body>{HOSTILE}</body></html>"
SAID = (
    PAGE,
    json.dumps({"code": HOSTILE, "msg": HOSTILE, "label": HOSTILE, "data": []}, ensure_ascii=False),
    json.dumps({"code": -1003, "msg": HOSTILE}, ensure_ascii=False),
)


def texts_of(thing: Any) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from texts_of([key, value])
    elif isinstance(thing, list):
        for value in thing:
            yield from texts_of(value)


def keep(folder: Path) -> None:
    """Instruments of the routes, as if they had been listed today."""
    for route in ROUTES:
        symbol = "BTC/USDT:USDT" if route.endswith("linear") else "BTC/USDT"
        instrument = Instrument(
            route=route, symbol=symbol, venue_id="BTCUSDT", base="BTC", quote="USDT", tick=0.1, lot=0.1, taker_fee=0.001
        )
        stored = Stored(schema=CACHE_SCHEMA, route=route, fetched_ns=time.time_ns(), instruments=(instrument,))
        file = cache_path(folder / "cache" / "detour", LIVE, route)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.encode(stored))


async def test_no_row_holds_what_a_terminal_or_a_reader_could_obey(tmp_path: Path) -> None:
    asked = 0

    async def spite(reader: Any, writer: Any) -> None:
        nonlocal asked
        await head(reader)
        asked += 1
        body = SAID[asked % len(SAID)].encode("utf-8", "surrogatepass")
        writer.write(reply(body, (403, 429, 451, 200)[asked % 4], {"X-Why": "\u0085".encode().decode("latin-1")}))
        writer.close()

    keep(tmp_path)
    async with serving(spite) as served:
        hosts = "".join(f'[endpoints.{r}]\nrest = "{served.http}"\nws = "{served.ws}"\n' for r in ROUTES)
        target = served.http.removeprefix("http://")
        watchlist = f'[watchlists.default]\nsymbols = ["BTC/USDT", "BTC/USDT:USDT"]\nroutes = {json.dumps(ROUTES)}\n'
        config = f'{watchlist}{hosts}[witness]\ntargets = ["{target}"]\n'
        code, rows, said = await logged(tmp_path, config, ["--for", "6s"])
    assert code == 0, said
    assert asked > 6
    assert any("refused" in row["text"] for row in of(rows, "event")), rows[-1]
    for row in rows:
        assert [(text, found) for text in texts_of(row) if (found := faults_of(text, MAX_TEXT))] == [], row
    assert faults_of(said.replace("\n", " ").strip(), 10_000) == []
