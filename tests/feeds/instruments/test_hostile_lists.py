"""Servers that send the fetcher elsewhere, send it too much, or never finish; and a collector that dies meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import ssl
import sys
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from feeds.instruments.bounded_http import MOST_BYTES, MOST_UNPACKED, BoundedSession, RefusedAnswerError
from feeds.instruments.cache import Markets, refresh
from feeds.instruments.causes import words_of
from feeds.instruments.ws_listing import ask
from feeds.venues.base import Listing, VenueError

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """The base URL of a server that leaves every connection to ``handler``, after its request's head."""

    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await handler(reader, writer)
        with contextlib.suppress(ConnectionError):
            writer.transport.abort() if task.cancelling() else writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"content-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.3)


async def trickle_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.3)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    for _ in range(2 * MOST_BYTES // 65536):
        writer.write(b" " * 65536)
        await writer.drain()


def bomb() -> bytes:
    """Some hundred kilobytes that unpack into more than twice what is allowed."""
    pack = zlib.compressobj(1, wbits=31)
    return b"".join(pack.compress(bytes(1 << 20)) for _ in range(5 * MOST_UNPACKED // 2 >> 20)) + pack.flush()


async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pair = {"symbol": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT", "enableTrading": True}
    steps = {"baseIncrement": "0.00001", "priceIncrement": "0.1", "baseMinSize": "0.00001"}
    body = gzip.compress(json.dumps({"code": "200000", "data": [pair | steps]}).encode())
    # two members, as some servers send
    half = gzip.compress(b" ")
    writer.write(HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(half + body) + half + body)
    await writer.drain()


async def test_hostile_servers_cost_a_bounded_time_and_nobody_else_anything(tmp_path: Path) -> None:
    packed, elsewhere = bomb(), 0

    async def explode(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed)
        await writer.drain()
        await reader.read()

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal elsewhere
        elsewhere += 1

    async with contextlib.AsyncExitStack() as stack:
        target = await stack.enter_async_context(serving(other))

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            body = b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed
            writer.write(b"HTTP/1.1 302 Found\r\nlocation: " + target.encode() + b"/api/v5\r\n" + body)
            await writer.drain()

        handlers = {
            "okx.spot": redirect,
            "bybit.spot": explode,
            "gate.spot": trickle,
            "htx.spot": trickle_head,
            "kraken.spot": endless,
            "kucoin.spot": good,
        }
        rest = {route: await stack.enter_async_context(serving(handler)) for route, handler in handlers.items()}
        begun_s = time.monotonic()
        out = await refresh(rest, tmp_path, "sim", rest=rest, route_s=5.0)
        took_s = time.monotonic() - begun_s

    assert elsewhere == 0, "nobody followed the redirect"
    assert set(out.markets) == {"kucoin.spot"}
    assert "HTTP 302" in out.failures["okx.spot"] and "not follow" in out.failures["okx.spot"]
    assert f"unpacks to more than {MOST_UNPACKED} bytes" in out.failures["bybit.spot"]
    assert f"more than {MOST_BYTES} bytes" in out.failures["kraken.spot"]
    for slow in ("gate.spot", "htx.spot"):
        assert out.failures[slow] == "no whole answer within 5 s"
    assert took_s < 15


async def test_a_cache_that_cannot_be_written_is_no_reason_to_know_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.write_text("a file where the folder should be")
    arrived: list[Markets] = []
    async with serving(good) as base:
        out = await refresh(["kucoin.spot"], folder, "sim", rest={"kucoin.spot": base}, arrived=arrived.append)
    assert (dict(out.failures), out.not_kept) == ({}, "Not a directory")
    assert out.markets["kucoin.spot"].instruments["BTC/USDT"].tick == 0.1
    assert arrived == [out.markets["kucoin.spot"]]


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
async def test_packing_that_nobody_asked_for_is_refused(encoding: str) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"content-encoding: " + encoding.encode() + b"\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()

    async with serving(odd) as base:
        with pytest.raises(RefusedAnswerError, match="packed"), BoundedSession(time.monotonic() + 5) as session:
            await asyncio.to_thread(session.request, "GET", base)


async def test_a_list_over_a_websocket_is_not_asked_for_elsewhere() -> None:
    asked = 0

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1

    async with serving(other) as target:

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            to = target.replace("http", "ws", 1).encode()
            writer.write(b"HTTP/1.1 302 Found\r\nlocation: " + to + b"\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()

        async with serving(redirect) as base:
            listing = Listing(url=base.replace("http", "ws", 1), ask="{}")
            with pytest.raises(VenueError, match="302"):
                await asyncio.to_thread(ask, listing, lambda raw: [], 5.0)
    assert asked == 0


PARENT = """
import asyncio, sys
from pathlib import Path
from feeds.instruments.cache import Markets, refresh
asyncio.run(refresh(["okx.spot"], Path(sys.argv[1]), "sim", rest={"okx.spot": sys.argv[2]}))
"""


async def test_it_ends_when_the_collector_is_killed(tmp_path: Path) -> None:
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        hung_up.set()

    async with serving(wait) as base:
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, str(tmp_path), base)
        await asyncio.wait_for(asked.wait(), 30)
        parent.kill()
        await parent.wait()
        await asyncio.wait_for(hung_up.wait(), 2)


def test_a_failure_is_told_in_its_own_words() -> None:
    certificate = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    certificate.verify_message = "self-signed certificate in certificate chain"
    outer = RuntimeError("okx GET https://www.okx.com/api/v5/public/instruments?instType=SPOT")
    outer.__cause__ = ConnectionError(certificate)
    assert words_of(outer) == "RuntimeError: certificate verify failed: self-signed certificate in certificate chain"

    refused = RuntimeError("okx GET https://www.okx.com")
    refused.__cause__ = OSError(ConnectionRefusedError(111, "Connection refused"))
    assert words_of(refused) == "RuntimeError: Connection refused"
    assert words_of(ValueError("just this\n\x1b[2J")) == "ValueError: just this [2J"
    assert words_of(KeyError("data")) == "KeyError: 'data'"
    assert len(words_of(ValueError("x" * 10_000))) <= 200
    nothing: dict[str, int] = {}
    try:
        try:
            nothing["BTC"]
        except KeyError:
            raise ValueError("HTTP 451 not in your country")  # noqa: B904  # as ccxt raises
    except ValueError as error:
        assert words_of(error) == "ValueError: HTTP 451 not in your country"
    loop = ValueError("round")
    loop.__cause__ = loop
    assert words_of(loop) == "ValueError: round"
