"""Instruments are asked for by the same road as all else: the user's proxies and certificates."""

from __future__ import annotations

import asyncio
import os
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from pathlib import Path

import msgspec
import pytest

from feeds import child_process
from feeds.instruments.cache import Job, Outcome
from tests.feeds.certificates import make_certificate, needs_openssl
from tests.feeds.loopback import head, reply, serving
from tests.feeds.road_servers import proxy_server

ROUTE = "okx.spot"


class Venue:
    """Notes what it is asked, and knows nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, reader: Reader, writer: Writer) -> None:
        while True:
            self.asked.append((await head(reader)).split(b" ")[1].decode())
            writer.write(reply(b'{"code":"0","data":[],"msg":""}'))


async def fetched(tmp_path: Path, rest: str, *, proxies: dict[str, str], environment: dict[str, str]) -> str:
    """Asks in a process of its own, as the collector does. Returns the route's error."""
    child = await child_process.start("feeds.instruments.fetch", environment=environment)
    job = Job(cache_dir=str(tmp_path), label="test", routes=(ROUTE,), rest={ROUTE: rest}, proxies=proxies)
    child.stdin.write(msgspec.json.encode(job) + b"\n")  # its end would say that we are gone
    try:
        length = int.from_bytes(await asyncio.wait_for(child.stdout.readexactly(4), 30), "big")
        return msgspec.json.decode(await child.stdout.readexactly(length), type=Outcome).error or ""
    finally:
        await child.kill()


@pytest.mark.parametrize(("kind", "from_file"), [("http", False), ("socks5h", True)])
async def test_ccxt_asks_through_the_proxy(tmp_path: Path, kind: str, from_file: bool) -> None:
    venue = Venue()
    async with serving(venue.answer) as served, proxy_server(kind, {"venue.example": served.port}) as (proxy, at):
        url = f"{kind}://127.0.0.1:{at.port}"
        error = await fetched(
            tmp_path,
            "http://venue.example",
            proxies={"okx": url} if from_file else {},
            environment={} if from_file else {"HTTP_PROXY": url, "HTTPS_PROXY": url},
        )
    assert error == "the venue lists nothing"
    assert venue.asked and set(proxy.asked) == {"venue.example:80"}


@needs_openssl
async def test_ccxt_trusts_what_the_probes_trust(tmp_path: Path) -> None:
    """Of the hard look: behind TLS inspection the probes passed and the instruments failed, with another store."""
    venue = Venue()
    cert, context = await asyncio.to_thread(make_certificate, tmp_path)

    async def answer(reader: Reader, writer: Writer) -> None:
        try:
            await venue.answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    clean = {name: "" for name in os.environ if name.upper().endswith("_PROXY")}
    try:
        error = await fetched(tmp_path, url, proxies={}, environment={**clean, "SSL_CERT_FILE": str(cert)})
        assert error == "the venue lists nothing" and venue.asked
        venue.asked.clear()
        refused = await fetched(tmp_path, url, proxies={}, environment={**clean, "SSL_CERT_FILE": ""})
        assert refused.startswith("its certificate is not trusted here (self-signed certificate)")
        assert refused.endswith("set SSL_CERT_FILE to its CA") and not venue.asked
    finally:
        server.close()
        await server.wait_closed()
