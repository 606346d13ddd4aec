import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from feeds.clock import SystemClock
from feeds.model import Fault
from feeds.transport.dialling import Dialler
from feeds.transport.http import HttpClient, HttpError
from feeds.transport.resolver import Address, Resolver
from feeds.venues.base import RestRequest
from tests.feeds.loopback import head, reply, serving

CLOCK = SystemClock()
GET = RestRequest(path="/time?x=1")


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await head(reader)
        writer.write(reply(b"hello"))


async def failure(client: HttpClient, *, timeout_s: float = 5.0) -> HttpError:
    with pytest.raises(HttpError) as caught:
        await client.exchange(GET, timeout_s=timeout_s)
    client.close()
    return caught.value


async def test_a_cold_request_has_every_phase_and_a_warm_one_only_its_own() -> None:
    async with serving(answering) as served:
        client = HttpClient(served.http, CLOCK)
        cold, warm = await client.exchange(GET), await client.exchange(GET)
        again = await client.exchange(GET, cold=True)
        client.close()
    assert (cold.answer.status, cold.answer.body) == (200, b"hello")
    assert cold.timing.cold and cold.timing.resolve_ms is not None and cold.timing.connect_ms is not None
    assert cold.timing.tls_ms is None, "nothing was encrypted: missing, not 0"
    assert not warm.timing.cold and warm.timing.resolve_ms is None and warm.timing.connect_ms is None
    assert warm.timing.first_byte_ms is not None and warm.timing.first_byte_ms > 0
    assert again.timing.cold and len(served.accepted_s) == 2


async def test_the_first_byte_and_the_body_are_timed_apart() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.sleep(0.06)
        writer.write(reply(b"x" * 10)[:-5])
        await asyncio.sleep(0.12)
        writer.write(b"xxxxx")

    async with serving(slow) as served:
        client = HttpClient(served.http, CLOCK)
        timing = (await client.exchange(GET)).timing
        client.close()
    assert timing.first_byte_ms == pytest.approx(60, abs=40)
    assert timing.body_ms == pytest.approx(120, abs=50)


async def test_prefix_query_body_and_headers_reach_the_server() -> None:
    seen: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        writer.write(reply())

    async with serving(note) as served:
        client = HttpClient(served.http + "/api/", CLOCK)
        await client.exchange(RestRequest(path="/q?a=b", method="POST", body='{"é":1}', headers={"X-Y": "z"}))
        client.close()
    request = seen[0]
    assert request.startswith(b"POST /api/q?a=b HTTP/1.1\r\n") and request.endswith('{"é":1}'.encode())
    assert b"x-y: z\r\n" in request.lower() and f"host: 127.0.0.1:{served.port}".encode() in request.lower()


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 x\r\nconnection: close\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 100 go on\r\n\r\nHTTP/1.1 200 x\r\ncontent-length: 1\r\n\r\n!", b"!"),
        (b"HTTP/1.0 200 x\r\ncontent-length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 302 x\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", b""),
    ],
)
async def test_every_way_to_end_a_body(raw: bytes, body: bytes) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(raw)

    async with serving(once) as served:
        client = HttpClient(served.http, CLOCK)
        assert (await client.exchange(GET)).answer.body == body
        client.close()
    assert len(served.accepted_s) == 1, "a redirect is an answer like any other, not followed"


@pytest.mark.parametrize(
    ("raw", "phase", "why"),
    [
        (b"", "first_byte", "hung up"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "body", "not HTTP"),
        (b"HTTP/1.1 200 x\r\ncontent-length: 10\r\n\r\nabc", "body", "cut short"),
        (b"HTTP/1.1 200 x\r\nx: " + b"y" * 100_000, "body", "not HTTP"),
        (b"HTTP/1.1 200 x\r\ncontent-length: -4\r\n\r\n", "body", "not HTTP"),
        (b"HTTP/1.1 200 x\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000, "body", "larger than 1000"),
    ],
)
async def test_lies_and_cuts_are_failures_with_their_phase(raw: bytes, phase: str, why: str) -> None:
    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(raw)

    async with serving(lie) as served:
        error = await failure(HttpClient(served.http, CLOCK, max_body=1000))
    assert error.phase == phase and why in error.why and not error.timed_out


@pytest.mark.parametrize(("sent", "phase"), [(b"", "first_byte"), (b"HTTP/1.1 200 x\r\ncontent-le", "body")])
async def test_a_stall_is_lost_in_the_phase_where_it_was(sent: bytes, phase: str) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(sent)
        await asyncio.sleep(60)

    async with serving(stall) as served:
        error = await failure(HttpClient(served.http, CLOCK), timeout_s=0.1)
    assert error.timed_out and error.phase == phase
    assert error.timing.connect_ms is not None and error.timing.body_ms in (None, 0.0)


async def test_nobody_listening_is_a_failed_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = await failure(HttpClient(f"http://127.0.0.1:{port}", CLOCK))
    assert error.phase == "connect" and error.timing.resolve_ms is not None and error.timing.connect_ms is None


async def test_a_name_that_does_not_resolve_is_a_failed_resolve() -> None:
    def nowhere(host: str) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    dialler = Dialler(CLOCK, resolver=Resolver(nowhere))
    error = await failure(HttpClient("http://venue.invalid", CLOCK, dialler=dialler))
    assert error.phase == "resolve" and error.timing.resolve_ms is None
    assert error.why == "venue.invalid does not resolve here: no such name"


async def test_what_is_no_tls_is_a_failed_tls() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(reply())

    async with serving(plain) as served:
        error = await failure(HttpClient(f"https://127.0.0.1:{served.port}", CLOCK))
    assert error.phase == "tls" and error.timing.connect_ms is not None and error.timing.tls_ms is None


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command to make a certificate")
async def test_certificates_are_verified_and_tls_is_timed(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = await asyncio.start_server(answering, "127.0.0.1", 0, ssl=context)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    try:
        stranger = await failure(HttpClient(url, CLOCK))
        assert (stranger.phase, stranger.fault) == ("certificate", Fault.CERTIFICATE)
        assert stranger.why.startswith("its certificate is not trusted here (self")
        assert "set SSL_CERT_FILE to its CA" in stranger.why
        known = Dialler(CLOCK, tls=ssl.create_default_context(cafile=str(cert)))
        other = await failure(HttpClient(url.replace("localhost", "127.0.0.1"), CLOCK, dialler=known))
        assert other.phase == "certificate" and "is for another host" in other.why
        client = HttpClient(url, CLOCK, dialler=known)
        cold, warm = await client.exchange(GET), await client.exchange(GET)
        assert cold.timing.tls_ms is not None and cold.timing.tls_ms > 0 and cold.answer.body == b"hello"
        assert not warm.timing.cold and warm.timing.tls_ms is None
        client.close()
        await asyncio.sleep(0.05)  # the server's tasks see the cut before their loop ends
    finally:
        server.close()
        await server.wait_closed()


async def test_a_kept_connection_that_the_server_closed_is_replaced_once() -> None:
    async def one_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(reply())
        await head(reader)  # the second request is read, and the connection dropped without an answer

    async with serving(one_each) as served:
        client = HttpClient(served.http, CLOCK)
        first, second = await client.exchange(GET), await client.exchange(GET)
        client.close()
    assert not first.timing.retried
    assert second.timing.retried and second.timing.cold and second.answer.status == 200
    assert len(served.accepted_s) == 2


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 x\r\ncontent-length: 4\r\n\r\nfake", b"noise"])
async def test_bytes_after_the_answer_are_never_taken_for_the_next_answer(extra: bytes) -> None:
    async def smuggle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(reply(b"true") + extra)
        await asyncio.sleep(60)

    async with serving(smuggle) as served:
        client = HttpClient(served.http, CLOCK)
        for _ in range(2):
            assert (await client.exchange(GET)).answer.body == b"true"
        client.close()
    assert len(served.accepted_s) == 2


async def test_requests_side_by_side_do_not_wait_for_each_other() -> None:
    async def by_path(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            slow = b"/slow" in await head(reader)
            await asyncio.sleep(0.3 if slow else 0)
            writer.write(reply(b"slow" if slow else b"fast"))

    async with serving(by_path) as served:
        client = HttpClient(served.http, CLOCK)
        slow = asyncio.create_task(client.exchange(RestRequest(path="/slow")))
        await asyncio.sleep(0.05)
        fast = await client.exchange(RestRequest(path="/fast"))
        assert not slow.done() and fast.answer.body == b"fast"
        assert (await slow).answer.body == b"slow"
        client.close()


async def test_a_cancelled_request_leaves_no_connection_out_of_step() -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        while True:
            await head(reader)
            number += 1
            await asyncio.sleep(0.1)
            writer.write(reply(str(number).encode()))

    async with serving(late) as served:
        client = HttpClient(served.http, CLOCK)
        task = asyncio.create_task(client.exchange(GET))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await client.exchange(GET)).answer.body == b"1"
        await asyncio.sleep(0.15)
        assert served.open == 1, "and is not left open either"
        client.close()


@pytest.mark.parametrize("url", ["ftp://x", "http://", "venue.example", "", "http://x:99999"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        HttpClient(url, CLOCK)
