"""ccxt.pro asks by the same road as all else: the user's proxies and certificates, REST and websockets."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from typing import Any

import ccxt
import pytest

from feeds.ccxt_pro.child import _lost, exchange_of, host_in
from feeds.ccxt_pro.messages import Job, Probed
from feeds.ccxt_pro.probe_samples import probe_sample
from feeds.ccxt_pro.probing import _fault, error_text
from feeds.measure.clock_offset import OffsetEstimator
from feeds.model import Fault
from feeds.transport.trust import trust
from tests.feeds.loopback import frame, head, read_frame, reply, serving, upgrade
from tests.feeds.road_servers import proxy_server

TIME = b'{"code":"0","data":[{"ts":"1700000000000"}],"msg":""}'


async def rest(reader: Reader, writer: Writer) -> None:
    while True:
        await head(reader)
        writer.write(reply(TIME, headers={"content-type": "application/json"}))


async def sockets(reader: Reader, writer: Writer) -> None:
    heard.append(await upgrade(reader, writer))
    while True:
        await read_frame(reader)
        writer.write(frame(b'{"event":"error","code":"60018","msg":"no"}'))


heard: list[bytes] = []


@pytest.mark.parametrize("kind", ["http", "socks5h"])
async def test_requests_and_websockets_go_through_the_proxy(kind: str) -> None:
    heard.clear()
    async with serving(rest) as asked, serving(sockets) as talked:
        names = {"rest.example": asked.port, "ws.example": talked.port}
        async with proxy_server(kind, names) as (proxy, at):
            job = Job(
                ccxt_id="okx",
                product="spot",
                rest="http://rest.example",
                ws="ws://ws.example",
                venue="okx",
                proxies={"okx": f"{kind}://127.0.0.1:{at.port}"},
            )
            exchange: Any = exchange_of(job)
            try:
                assert await exchange.fetch_time() == 1_700_000_000_000
                exchange.open()
                url = "ws://ws.example/ws/v5/public"
                with pytest.raises(Exception, match=r"60018|no"):
                    async with asyncio.timeout(5):
                        await exchange.watch(url, "hello", {"op": "subscribe"}, "hello")
            finally:
                await exchange.close()
    assert heard, "the websocket's handshake came through"
    if kind == "socks5h":
        assert {"rest.example:80", "ws.example:80"} <= set(proxy.asked)


def test_it_trusts_what_the_probes_trust() -> None:
    exchange: Any = exchange_of(Job(ccxt_id="okx", product="spot", venue="okx"))
    assert exchange.ssl_context is trust()
    assert exchange.httpsProxy is None and exchange.socksProxy is None


def test_the_host_that_the_choice_of_a_proxy_goes_by() -> None:
    assert host_in({"ws": {"public": "wss://a.example"}, "rest": "https://b.example"}) == "a.example"
    assert host_in({}) == "" and host_in(None) == ""


def test_a_certificate_that_is_not_trusted_is_found_behind_the_errors_around_it() -> None:
    inner = ssl.SSLCertVerificationError()
    inner.verify_code, inner.verify_message = 19, "self-signed certificate in certificate chain"
    outer = ccxt.NetworkError("phemex GET https://api.phemex.com")
    outer.__cause__ = OSError("cannot connect", inner)
    assert error_text(outer).startswith("its certificate is not trusted here (self-signed")
    assert _lost(None, outer).fault is Fault.CERTIFICATE
    fault = _fault(outer, None, lost=True)
    probed = Probed(name="time", scheduled_ns=1, total_ms=5.0, wait_ms=0.0, cold=True, lost=True, fault=fault)
    sample = probe_sample("phemex.spot", probed, OffsetEstimator(), 1)
    assert (sample.failed_at, sample.fault) == ("certificate", Fault.CERTIFICATE)
    assert _fault(ccxt.NetworkError("timed out"), None, lost=True) is None
