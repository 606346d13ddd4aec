"""Fakes for what talks to a network: a clock moved by hand, servers on loopback that misbehave, a tiny venue."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Garbled,
    Instrument,
    Notice,
    Pong,
    Product,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.samples import LinkSample
from feeds.transport.stream import Stream
from feeds.venues.answers import http_fault
from feeds.venues.base import (
    Answer,
    Payload,
    Probe,
    ProbeReading,
    ProductFacts,
    RateLimit,
    RestRequest,
    SocketPlan,
    Subscription,
    Venue,
    VenueDefaults,
    VenueError,
)
from feeds.venues.sequence import SequenceRule, Unsequenced

T = TypeVar("T")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class FakeClock:
    def __init__(self, wall_ns: int = 1_700_000_000_000_000_000, mono_ns: int = 1_000_000_000) -> None:
        self.wall_ns, self.mono_ns = wall_ns, mono_ns

    def time_ns(self) -> int:
        return self.wall_ns

    def monotonic_ns(self) -> int:
        return self.mono_ns

    def advance(self, seconds: float) -> None:
        self.wall_ns += int(seconds * 1e9)
        self.mono_ns += int(seconds * 1e9)


class Samples(list[T]):
    """A list that can be waited on; its ``append`` is what emits into it."""

    def __init__(self) -> None:
        super().__init__()
        self._grown = asyncio.Event()

    def append(self, item: T) -> None:
        super().append(item)
        self._grown.set()

    async def until(self, count: int, timeout_s: float = 10.0) -> list[T]:
        """Returns when it holds at least ``count`` items."""
        async with asyncio.timeout(timeout_s):
            while len(self) < count:
                self._grown.clear()
                await self._grown.wait()
        return self


class Served:
    """A server under test: where it is, and what has happened to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.accepted_s: list[float] = []
        self.open = 0
        """Connections whose handler still runs."""

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Served]:
    """A TCP server whose connections run ``handler``; at the end they are cancelled and closed."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.accepted_s.append(asyncio.get_running_loop().time())
        served.open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            served.open -= 1
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(one(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    served = Served(server.sockets[0].getsockname()[1])
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def head(reader: asyncio.StreamReader) -> bytes:
    """A whole HTTP request head (and a body, where one is announced)."""
    raw = await reader.readuntil(b"\r\n\r\n")
    for line in raw.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            raw += await reader.readexactly(int(line.split(b":")[1]))
    return raw


def reply(body: bytes = b"{}", status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def frame(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """An unmasked websocket frame (RFC 6455 5.2)."""
    first = bytes([(0x80 if fin else 0) | opcode])
    size = len(payload)
    if size < 126:
        return first + bytes([size]) + payload
    if size < 65_536:
        return first + bytes([126]) + size.to_bytes(2) + payload
    return first + bytes([127]) + size.to_bytes(8) + payload


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Accept a websocket handshake. Returns the request's head."""
    raw = await head(reader)
    key = next(x.split(b":", 1)[1].strip() for x in raw.split(b"\r\n") if x.lower().startswith(b"sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    writer.write(
        b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    return raw


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """A client's frame: opcode and unmasked payload."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2))
    mask = await reader.readexactly(4)
    data = await reader.readexactly(size)
    return first & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(data))


class FakeSession:
    """A protocol of words: ``trade A 7``, ``snap A``, ``delta A``, ``ack trades A``, ``ping x``, ``pong 3``, ..."""

    def subscribe(self) -> Sequence[Payload]:
        return ["subscribe"]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        return [f"again {channel.value} {symbol}"]

    def ping(self, token: int) -> Payload | None:
        return f"ping {token}"

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        match raw.decode("utf-8", "replace").split(" "):
            case ["trade", symbol, number]:
                return (Trade(symbol=symbol, price=1.0, size=1.0, side="buy", trade_id=number),)
            case ["snap", symbol]:
                return (BookSnapshot(symbol=symbol, bids=((1.0, 1.0),), asks=((2.0, 1.0),)),)
            case ["delta", symbol]:
                return (BookDelta(symbol=symbol, bids=(), asks=()),)
            case ["delta", symbol, first, last]:
                return (BookDelta(symbol=symbol, bids=(), asks=(), first_seq=int(first), last_seq=int(last)),)
            case ["chained", symbol, prev, last]:
                return (BookDelta(symbol=symbol, bids=(), asks=(), prev_seq=int(prev), last_seq=int(last)),)
            case ["ack", channel, symbol]:
                return (Ack(channel=Channel(channel), symbol=symbol),)
            case ["refuse", channel, symbol]:
                return (Refusal(channel=Channel(channel), symbol=symbol),)
            case ["ping", payload]:
                return (Reply(payload=f"reply {payload}"),)
            case ["pong", token]:
                return (Pong(token=int(token)),)
            case ["pong", token, server_ns]:
                return (Pong(token=int(token), server_out_ns=int(server_ns)),)
            case ["leave", within_s]:
                return (Notice(text="bye", reconnect_within_s=float(within_s)),)
            case ["crash"]:
                raise RuntimeError("a bug of ours")
            case ["odd"]:
                return (Unknown(what="odd"),)
            case _:
                return (Garbled(what="?"),)


def facts(
    *,
    quiet_s: Mapping[Channel, float] | None = None,
    ws_ping_s: float | None = None,
    app_ping_s: float | None = None,
    lifetime_s: float | None = None,
    idle_cut_s: float | None = None,
    rest_limit: RateLimit | None = None,
    connects: RateLimit | None = None,
    sends: RateLimit | None = None,
) -> ProductFacts:
    return ProductFacts(
        rest="http://venue.invalid",
        ws="ws://venue.invalid",
        taker_fee=0.0005,
        rest_limit=rest_limit or RateLimit(100_000, 60.0),
        push_ms={Channel.TRADES: 0},
        quiet_s=quiet_s or {},
        sequence="none",
        checked="2026-11",
        ws_ping_s=ws_ping_s,
        app_ping_s=app_ping_s,
        lifetime_s=lifetime_s,
        idle_cut_s=idle_cut_s,
        connects=connects or RateLimit(10_000, 60.0),
        sends=sends or RateLimit(1000, 1.0),
    )


OUR_LIMIT_CLOSE = 4008
"""The close code by which ``FakeVenue`` says that we exceeded its limit."""


class FakeVenue(VenueDefaults):
    name = "fake"
    title = "Fake"
    ccxt: Mapping[Product, str] = {"spot": "fake"}

    def __init__(self, spot: ProductFacts | None = None, probes: Sequence[Probe] = ()) -> None:
        self.products: Mapping[Product, ProductFacts] = {"spot": spot or facts()}
        self._probes = probes

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        return (plan(),)

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> FakeSession:
        return FakeSession()

    def rule(self, product: Product) -> SequenceRule:
        return Unsequenced()

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        return self._probes

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        """The body is the venue's time in ns."""
        if (fault := http_fault(answer)) is not None:
            return ProbeReading(fault=fault, code=str(answer.status))
        try:
            return ProbeReading(server_ns=int(answer.body), server_resolution_ns=0)
        except ValueError:
            return ProbeReading(fault=Fault.UNKNOWN, text="no time")

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return None

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        raise VenueError("no snapshots here")

    def read_close(self, code: int) -> Fault | None:
        return Fault.OUR_LIMIT if code == OUR_LIMIT_CLOSE else None

    def dial_url(self, plan: SocketPlan, base: str, answer: Answer | None) -> str:
        if plan.handshake is None:
            return base + plan.path
        if answer is None or answer.status != 200:
            raise VenueError("no token")
        return f"{base}{plan.path}?token={answer.body.decode()}"


def plan(*subscriptions: Subscription, handshake: RestRequest | None = None) -> SocketPlan:
    return SocketPlan(
        product="spot",
        label="public",
        path="/ws",
        subscriptions=subscriptions or (Subscription(Channel.TRADES, "A"),),
        handshake=handshake,
    )


class Collected:
    """A sink that keeps everything, and can be waited on."""

    def __init__(self) -> None:
        self.got: list[Event] = []
        self.times: list[tuple[int, int]] = []
        """When each message came: wall clock, monotonic clock."""
        self.links: list[LinkSample] = []
        self._changed = asyncio.Event()

    def events(self, stream: Stream, events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        self.got += events
        self.times.append((wall_ns, mono_ns))
        self._changed.set()

    def link(self, sample: LinkSample) -> None:
        self.links.append(sample)
        self._changed.set()

    @property
    def trades(self) -> list[str | None]:
        return [e.trade_id for e in self.got if isinstance(e, Trade)]

    async def until(self, wanted: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Returns when something came after which ``wanted`` holds."""
        async with asyncio.timeout(timeout_s):
            while not wanted():
                self._changed.clear()
                # Counters of the stream change after the sink was called, hence the short wait.
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.02)


def _is_a_venue(venue: FakeVenue) -> Venue:
    return venue  # mypy checks that the fake keeps the contract
