"""Opening connections: names, families in turn, proxies; never a lookup of an address."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from feeds.clock import Clock, SystemClock
from feeds.transport import dialling
from feeds.transport.dialling import Dialler, Steps, connect_any, order
from feeds.transport.http import HttpClient, HttpError
from feeds.transport.resolver import Address, Resolver
from feeds.transport.websocket import DialError, dial
from feeds.venues.base import RestRequest
from tests.feeds.loopback import frame, head, reply, serving, upgrade
from tests.feeds.transport.test_websocket import Heard

CLOCK = SystemClock()
GET = RestRequest(path="/")


def address(family: int, name: str) -> Address:
    return (family, socket.SOCK_STREAM, 6, "", (name, 443))


def test_families_take_turns_and_the_one_that_worked_goes_first() -> None:
    v6, v4 = int(socket.AF_INET6), int(socket.AF_INET)
    found = [address(v6, "a"), address(v6, "b"), address(v6, "c"), address(v4, "d"), address(v4, "e")]
    assert [a[4][0] for a in order(found, None)] == ["a", "d", "b", "e"]
    assert [a[4][0] for a in order(found, v4)] == ["d", "a", "e", "b"]


async def test_a_dead_address_costs_a_head_start_and_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []

    async def fake(address: Address, clock: Clock) -> tuple[socket.socket, int]:
        if address[4][0] == "dead":
            await asyncio.sleep(60)
        sock = socket.socket()
        opened.append(sock)
        return sock, 7

    monkeypatch.setattr(dialling, "_connect", fake)
    monkeypatch.setattr(dialling, "STAGGER_S", 0.01)
    sock, ns = await asyncio.wait_for(connect_any([address(10, "dead"), address(2, "good")], CLOCK), 5)
    assert (ns, opened) == (7, [sock])
    sock.close()


async def test_an_address_that_refuses_is_followed_by_the_next_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "STAGGER_S", 60)
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_server(("127.0.0.1", 0)) as closed:
        good, dead = listening.getsockname(), closed.getsockname()
        closed.close()
        tries: list[Address] = [(2, 1, 6, "", dead), (2, 1, 6, "", good)]
        sock, _ = await asyncio.wait_for(connect_any(tries, CLOCK), 5)
        assert sock.getpeername() == good
        sock.close()
        with pytest.raises(OSError):
            await connect_any(tries[:1], CLOCK)


async def test_no_address_is_looked_up_on_any_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop's own ``sock_connect`` looks up even a numeric address: with two dead names the witness was gone too."""
    asked: list[object] = []
    loop = asyncio.get_running_loop()

    async def never(*arguments: object, **more: object) -> None:
        asked.append(arguments)
        await asyncio.sleep(60)

    monkeypatch.setattr(loop, "getaddrinfo", never)
    async with serving(answering) as served:
        client = HttpClient(served.http, CLOCK)
        assert (await client.exchange(GET, timeout_s=2)).answer.status == 200
        client.close()
    assert asked == []


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await head(reader)
        writer.write(reply(b"hello"))


async def talking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await upgrade(reader, writer)
    writer.write(frame(b"hi"))
    await asyncio.sleep(60)


@asynccontextmanager
async def black_hole() -> AsyncIterator[tuple[str, int]]:
    """An address whose queue of connections is full: further SYNs are dropped, as on a broken IPv6 road."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
            fillers.append(filler)
        try:
            yield listening.getsockname()
        finally:
            for filler in fillers:
                filler.close()


async def test_a_websocket_goes_around_a_dead_address_as_rest_does() -> None:
    async with black_hole() as dead, serving(talking) as served:

        def lookup(host: str) -> list[Address]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", dead),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", served.port)),
            ]

        # both addresses are on loopback; only their ports differ, which the lookup must keep here
        resolver = Resolver(lookup)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("feeds.transport.resolver._with_port", lambda found, port: tuple(found))
            began = time.monotonic()
            heard = Heard()
            url = f"ws://venue.example:{served.port}"
            socket_ = await dial(url, heard, now_s=0, dialler=Dialler(CLOCK, resolver=resolver), timeout_s=5)
        assert time.monotonic() - began < 2
        socket_.transport.abort()
        await socket_.wait_closed()


async def test_a_failed_dial_says_in_which_phase_it_failed() -> None:
    def nowhere(host: str) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with pytest.raises(DialError, match="does not resolve") as caught:
        await dial("ws://x.invalid/", Heard(), now_s=0, dialler=Dialler(CLOCK, resolver=Resolver(nowhere)))
    assert caught.value.phase == "resolve"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DialError) as caught:
        await dial(f"ws://127.0.0.1:{port}/", Heard(), now_s=0)
    assert caught.value.phase == "connect"

    async def rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0\r\n\r\n")
        await asyncio.sleep(60)

    async with serving(rubbish) as served:
        with pytest.raises(DialError) as caught:
            await dial(served.ws, Heard(), now_s=0, timeout_s=0.3)
        assert caught.value.phase == "handshake"
        with pytest.raises(DialError) as caught:
            await dial(served.ws.replace("ws://", "wss://"), Heard(), now_s=0)
        assert caught.value.phase == "tls"


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def test_a_name_that_hangs_loses_probes_in_time_and_in_their_phase(release: threading.Event) -> None:
    def hang(host: str) -> list[Address]:
        release.wait(60)
        return []

    dialler = Dialler(CLOCK, resolver=Resolver(hang))
    client = HttpClient("http://dead.example", CLOCK, dialler=dialler)
    began = time.monotonic()
    with pytest.raises(HttpError) as caught:
        await client.exchange(GET, timeout_s=0.1)
    assert time.monotonic() - began < 1
    assert (caught.value.phase, caught.value.timed_out) == ("resolve", True)
    steps = Steps()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await dialler.open("dead.example", 80, steps)
    assert steps.phase == "resolve" and steps.resolve_ms is None
