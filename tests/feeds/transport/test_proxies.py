"""Which proxy is taken, and what goes through it: requests, websockets, TLS; against real proxies on loopback."""

import asyncio
import socket
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer

import pytest

from feeds.clock import SystemClock
from feeds.config.proxy_url import Proxy, parse_proxy, proxy_url
from feeds.transport.dialling import Dialler
from feeds.transport.http import HttpClient, HttpError
from feeds.transport.proxies import ProxySettingError, bypassed, read_proxies
from feeds.transport.resolver import Address, Resolver
from feeds.transport.tunnel import ProxyError, tunnel_blocking
from feeds.transport.websocket import DialError, dial
from feeds.venues.base import RestRequest
from tests.feeds.loopback import frame, head, reply, serving, upgrade
from tests.feeds.road_servers import proxy_server
from tests.feeds.transport.test_websocket import Heard

CLOCK = SystemClock()
GET = RestRequest(path="/time")
KINDS = ["http", "socks5h"]


async def answering(reader: Reader, writer: Writer) -> None:
    while True:
        await head(reader)
        writer.write(reply(b"hello"))


async def talking(reader: Reader, writer: Writer) -> None:
    await upgrade(reader, writer)
    writer.write(frame(b"hi"))
    await asyncio.sleep(60)


def through(url: str) -> Dialler:
    return Dialler(CLOCK, venue="okx", proxies=read_proxies({"okx": url}, {}))


@pytest.mark.parametrize("kind", KINDS)
async def test_requests_go_through_the_proxy_and_its_round_trip_is_not_taken_for_the_venues(kind: str) -> None:
    async with serving(answering) as venue, proxy_server(kind, {"venue.example": venue.port}) as (proxy, served):
        client = HttpClient("http://venue.example", CLOCK, dialler=through(f"{kind}://127.0.0.1:{served.port}"))
        cold, warm = await client.exchange(GET, cold=True), await client.exchange(GET)
        client.close()
    assert cold.answer.body == warm.answer.body == b"hello"
    assert proxy.asked == ["venue.example:80"], "the name itself, and the second request on the kept connection"
    for timing in (cold.timing, warm.timing):
        assert timing.tcp_rtt_ms is None and timing.connect_ms is None and timing.resolve_ms is None
    assert cold.timing.first_byte_ms is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_websockets_go_through_the_proxy(kind: str) -> None:
    heard = Heard()
    async with serving(talking) as venue, proxy_server(kind, {"venue.example": venue.port}) as (proxy, served):
        dialler = through(f"{kind}://127.0.0.1:{served.port}")
        opened = await dial("ws://venue.example/ws", heard, now_s=0, dialler=dialler, timeout_s=5)
        await asyncio.wait_for(heard.got.wait(), 5)
        assert heard.messages == [(b"hi", False)] and opened.proxied
        opened.transport.abort()
        await opened.wait_closed()
    assert proxy.asked == ["venue.example:80"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_with_a_login_takes_it_and_refuses_another(kind: str) -> None:
    async with serving(answering) as venue, proxy_server(kind, {"venue.example": venue.port}, "me:s3:cret") as both:
        port = both[1].port
        client = HttpClient("http://venue.example", CLOCK, dialler=through(f"{kind}://me:s3%3Acret@127.0.0.1:{port}"))
        assert (await client.exchange(GET)).answer.status == 200
        client.close()
        for login in ("me:wrong@", ""):
            stranger = HttpClient("http://venue.example", CLOCK, dialler=through(f"{kind}://{login}127.0.0.1:{port}"))
            with pytest.raises(HttpError) as caught:
                await stranger.exchange(GET)
            assert caught.value.phase == "proxy" and "user and" in caught.value.why
            assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
async def test_whose_fault_it_is_when_the_tunnel_does_not_open(kind: str) -> None:
    async with proxy_server(kind, {}) as (_, served):
        client = HttpClient("http://gone.example", CLOCK, dialler=through(f"{kind}://127.0.0.1:{served.port}"))
        with pytest.raises(HttpError) as caught:
            await client.exchange(GET)
        assert caught.value.phase == "connect", "the proxy works; what lies behind it does not answer"
    with pytest.raises(DialError) as refused:
        dialler = through(f"{kind}://127.0.0.1:{served.port}")
        await dial("ws://venue.example", Heard(), now_s=0, dialler=dialler, timeout_s=2)
    assert refused.value.phase == "proxy", "nobody listens there any more: ours, not the venue's"


async def test_socks5_without_h_gives_the_proxy_addresses() -> None:
    def lookup(host: str) -> list[Address]:
        assert host == "venue.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]

    async with serving(answering) as venue, proxy_server("socks5", {"192.0.2.7": venue.port}) as (proxy, served):
        proxies = read_proxies({"default": f"socks5://127.0.0.1:{served.port}"}, {})
        dialler = Dialler(CLOCK, venue="okx", proxies=proxies, resolver=Resolver(lookup))
        client = HttpClient("http://venue.example", CLOCK, dialler=dialler)
        assert (await client.exchange(GET)).answer.body == b"hello"
        client.close()
    assert proxy.asked == ["192.0.2.7:80"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 200 yes\r\n\r\nand more",
        b"HTTP/1.1 xyz\r\n\r\n",
        b"HTTP/1.1 200 x\r\nx: " + b"y" * 100_000,
        b"HTTP/1.1 403 no\r\n\r\n",
    ],
)
async def test_a_lying_http_proxy_is_an_error_of_the_proxy(answer: bytes) -> None:
    async with proxy_server("http", {}) as (proxy, served):
        proxy.answer = answer
        client = HttpClient("http://venue.example", CLOCK, dialler=through(f"http://127.0.0.1:{served.port}"))
        with pytest.raises(HttpError) as caught:
            await client.exchange(GET, timeout_s=2)
    assert caught.value.phase == "proxy" and not caught.value.timed_out


@pytest.mark.parametrize("said", [b"\x04\x00", b"\x05\xff", b"\x05\x02", b"\x05", b"\x05\x00\x05\x00\x00\x07"])
def test_a_lying_socks_proxy_is_an_error_of_the_proxy(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(2)
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ProxyError):
            tunnel_blocking(ours, Proxy("socks5", "p", 1), "venue.example", 443)


def test_the_file_goes_before_the_environment_and_loopback_through_none() -> None:
    proxies = read_proxies(
        {"okx": "socks5h://10.0.0.2:1080", "bybit": "none"},
        {
            "https": "http://10.0.0.1:3128",
            "all": "socks5h://10.0.0.3",
            "no": "direct.example, .inner.example,10.9.0.0/16",
        },
    )

    def where(venue: str, host: str, secure: bool = True) -> str | None:
        chosen = proxies.of(venue, host, secure=secure)
        return None if chosen is None else str(chosen[0])

    assert where("okx", "ws.okx.com") == "10.0.0.2:1080"
    assert where("bybit", "api.bybit.com") is None
    assert where("binance", "fapi.binance.com") == "10.0.0.1:3128"
    assert where("binance", "fapi.binance.com", secure=False) == "10.0.0.3:1080"
    assert [where("binance", h) for h in ("direct.example", "a.inner.example", "10.9.8.7")] == [None, None, None]
    assert [where("okx", h) for h in ("127.0.0.1", "localhost", "::1", "127.9.9.9")] == [None] * 4
    assert read_proxies({}, {}).of("okx", "ws.okx.com", secure=True) is None
    default = read_proxies({"default": "none"}, {"https": "http://10.0.0.1:3128"})
    assert default.of("okx", "ws.okx.com", secure=True) is None


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("a.example", "", False),
        ("a.example", "*", True),
        ("a.example", "b.example,a.example:443", True),
        ("x.a.example", "a.example", True),
        ("xa.example", "a.example", False),
        ("A.Example.", "*.example", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8,not/anet", False),
        ("2001:db8::1", "2001:db8::/32", True),
    ],
)
def test_no_proxy_names_hosts_domains_and_networks(host: str, no_proxy: str, direct: bool) -> None:
    assert bypassed(host, no_proxy) is direct


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("http://10.0.0.1:3128", "http://10.0.0.1:3128"),
        ("10.0.0.1:3128", "http://10.0.0.1:3128"),
        ("http://proxy.example/", "http://proxy.example:3128"),
        ("socks5://u:p%40ss@h.example", "socks5://u:p%40ss@h.example:1080"),
        ("socks5h://[2001:db8::1]:9050", "socks5h://[2001:db8::1]:9050"),
    ],
)
def test_proxies_are_read_and_never_show_their_password(text: str, again: str) -> None:
    proxy = parse_proxy(text)
    assert proxy_url(proxy) == again
    assert "ss" not in f"{proxy} {proxy!r}".replace("socks", "")


@pytest.mark.parametrize(
    "text", ["ftp://h:1", "http://", "http://h:0", "http://h:x", "http://h/p", "https://h:1", "h\n:1"]
)
def test_what_is_no_proxy_is_one_sentence_that_names_the_setting(text: str) -> None:
    with pytest.raises(ProxySettingError, match=r"^HTTPS_PROXY: .*allowed: .*socks5h"):
        read_proxies({}, {"https": text})


def test_the_road_is_told_to_the_user() -> None:
    dialler = Dialler(CLOCK, venue="okx", proxies=read_proxies({}, {"https": "http://me:secret@10.0.0.1:3128"}))
    (note,) = dialler.notes("https://www.okx.com", "wss://ws.okx.com:8443")
    assert note.startswith("Through the proxy 10.0.0.1:3128 (HTTPS_PROXY): round trips include it")
    assert "secret" not in note
    assert Dialler(CLOCK).notes("https://www.okx.com") == ()
