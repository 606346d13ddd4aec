"""Opens a websocket and hands complete messages over inside the socket's callback.

The ``websockets`` library does the protocol. Its receive queue, decoding and keepalive are not used: a queue between
socket and handler delays pongs and time stamps (10 ms of work a message showed as 960 ms of latency), and costs a task
switch.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Mapping
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.uri import parse_uri

from feeds.clock import SystemClock
from feeds.model import Fault
from feeds.plain_text import plain
from feeds.transport.backoff import retry_after_s
from feeds.transport.dialling import Dialler, Phase, Steps
from feeds.transport.trust import certificate_error, why_untrusted
from feeds.transport.turns import CHEAP_NS, TURN_NS, Turns
from feeds.transport.ws_framing import Framing
from feeds.venues.answers import http_fault
from feeds.venues.base import Answer, Payload

log = logging.getLogger(__name__)

MAX_MESSAGE = 16 * 1024 * 1024
"""Bytes of one message, fragments together."""
MAX_FRAGMENTS = 4096
MAX_UNSENT = 1024 * 1024
"""Bytes of ours that may wait unsent before the connection counts as dead."""

_TEXT, _BINARY, _CONT, _PONG = Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PONG


class Receiver(Protocol):
    """Receives what a ``WebSocket`` reports, synchronously. None of these may raise."""

    def now_ns(self) -> int:
        """The monotonic clock."""

    def burst_begins(self) -> int:
        """The socket became readable; returns when, on the monotonic clock."""

    def message(self, raw: bytes, binary: bool) -> None:
        """One complete message."""

    def pong(self, payload: bytes) -> None:
        """The answer to a websocket PING."""

    def burst_ends(self, size: int) -> int:
        """The messages of that read, ``size`` bytes, were handed over, or those that its turn had time for. After each
        further turn of the same read it is called again, with 0 bytes. Returns the time, on the monotonic clock."""

    def held_back(self, waited_ns: int) -> None:
        """The socket sends more than its share of our time: its bytes have waited so long for their turn."""

    def ended(self) -> None:
        """The TCP connection is lost."""


class DialError(Exception):
    """No websocket: refused, unreachable, or not a websocket at all. Never fatal."""

    def __init__(
        self,
        text: str,
        *,
        phase: Phase = "handshake",
        fault: Fault | None = None,
        http_status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """``phase``: where it was lost."""
        super().__init__(plain(text))
        self.phase, self.fault, self.http_status, self.retry_after_s = phase, fault, http_status, retry_after_s


class WebSocket(ClientConnection):
    """One websocket that gives its messages to a ``Receiver`` within ``data_received``."""

    def __init__(
        self,
        receiver: Receiver,
        protocol: ClientProtocol,
        *,
        ping_interval: float | None,
        ping_timeout: float | None,
        close_timeout: float | None,
        max_queue: int | tuple[int | None, int | None] | None,
        write_limit: int | tuple[int, int | None],
        proxied: bool = False,
    ) -> None:
        super().__init__(
            protocol,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            max_queue=max_queue,
            write_limit=write_limit,
        )
        self.proxied = proxied
        """Through a proxy: the kernel's round trip ends there."""
        self._receiver = receiver
        self._framing: Framing | None = None  # once the handshake is done
        self._head_tail = b""
        self._fragments: list[bytes] = []
        self._binary = False
        self._deadline: asyncio.TimerHandle | None = None
        self._muted = False
        self._turns = Turns(self.loop, receiver.now_ns, self._go_on, receiver.held_back)

    @property
    def muted(self) -> bool:
        """Nothing is handed over any more; the connection may still be closing."""
        return self._muted

    def mute(self) -> None:
        self._muted = True
        if self._framing is not None:
            self._framing.message = _drop

    def data_received(self, data: bytes) -> None:
        began_ns = self._receiver.burst_begins()
        framing, turns = self._framing, self._turns
        if framing is None:
            all_done = self._shake_hands(data, began_ns + TURN_NS)
        elif turns.waiting or (turns.left_ns < 0 and turns.in_debt(began_ns)):
            framing.keep(data)
            all_done = False
        else:
            if self.protocol.state is not State.OPEN:
                framing.closing()
            all_done = framing.feed(data, began_ns + TURN_NS)
        ended_ns = self._receiver.burst_ends(len(data))
        if not all_done or ended_ns - began_ns > CHEAP_NS:
            turns.over(self.transport, began_ns, ended_ns, all_done=all_done)
        if self.protocol.state is not State.OPEN:
            self._give_up_soon()

    def _go_on(self, until_ns: int) -> bool:
        """A further turn for the bytes of the last read."""
        assert self._framing is not None
        if self.protocol.state is not State.OPEN:
            self._framing.closing()
        all_done = self._framing.go_on(until_ns)
        self._receiver.burst_ends(0)
        if self.protocol.state is not State.OPEN:
            self._give_up_soon()
        return all_done

    def _give_up_soon(self) -> None:
        # After a close frame or a protocol error the library waits for the server to hang up; some never do.
        if self.protocol.state is State.CLOSING and self._deadline is None:
            self._deadline = self.loop.call_later(self.close_timeout or 0, self.transport.abort)

    def _shake_hands(self, data: bytes, until_ns: int) -> bool:
        """The handshake's answer goes to the library up to its empty line. Frames begin right after it."""
        known = len(self._head_tail)
        seen = self._head_tail + data
        self._head_tail = seen[-3:]
        found = seen.find(b"\r\n\r\n")
        end = len(data) if found < 0 else found + 4 - known
        super().data_received(data[:end])
        if self.protocol.state is State.OPEN:
            message = _drop if self._muted else self._receiver.message
            self._framing = Framing(message, self._library, self.protocol.max_message_size, self._receiver.now_ns)
        if rest := data[end:]:
            if self._framing is not None:
                return self._framing.feed(rest, until_ns)
            super().data_received(rest)
        return True

    def _library(self, data: bytes) -> bool:
        """Let the library handle control frames, fragments, and what it must refuse."""
        super().data_received(data)
        if self.transport.get_write_buffer_size() > MAX_UNSENT:  # pongs that the venue asks for and does not read
            self.transport.abort()
        return self.protocol.state is State.OPEN and not self._fragments

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame) or self.response is None:
            super().process_event(event)
            return
        if self._muted:
            return
        opcode = event.opcode
        if opcode is _TEXT or opcode is _BINARY:
            if event.fin:
                self._receiver.message(bytes(event.data), opcode is _BINARY)
            else:
                self._fragments, self._binary = [bytes(event.data)], opcode is _BINARY
        elif opcode is _CONT:
            self._continue(event)
        elif opcode is _PONG:
            self._receiver.pong(bytes(event.data))

    def _continue(self, frame: Frame) -> None:
        # The protocol bounds the bytes of all fragments together, but not how many empty ones there are.
        self._fragments.append(bytes(frame.data))
        if frame.fin:
            raw, self._fragments = b"".join(self._fragments), []
            self._receiver.message(raw, self._binary)
        elif len(self._fragments) > MAX_FRAGMENTS:
            self._fragments = []
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._turns.end()
        self._fragments = []
        if self._deadline is not None:
            self._deadline.cancel()
        self._receiver.ended()

    def send_now(self, payload: Payload) -> bool:
        """Write one message (str: text frame) without waiting. False when the connection is not open any more."""
        return self._write(payload.encode() if isinstance(payload, str) else payload, isinstance(payload, str))

    def ping_now(self, payload: bytes) -> bool:
        """Write one PING frame without waiting."""
        if self.protocol.state is not State.OPEN:
            return False
        self.protocol.send_ping(payload)
        return self._flush()

    def _write(self, data: bytes, text: bool) -> bool:
        if self.protocol.state is not State.OPEN:
            return False
        if text:
            self.protocol.send_text(data)
        else:
            self.protocol.send_binary(data)
        return self._flush()

    def _flush(self) -> bool:
        try:
            self.send_data()
        except (OSError, RuntimeError) as error:  # uvloop raises RuntimeError on a transport that is closing
            log.debug("write failed: %s", error)
            self.transport.abort()
            return False
        if self.transport.get_write_buffer_size() > MAX_UNSENT:
            self.transport.abort()
            return False
        return True


def _drop(raw: bytes, binary: bool) -> None:
    """Takes the messages of a connection that was replaced, and drops them."""


class _Connect(connect):
    """``connect`` without redirects: a redirect counts as a refusal. It notes how far it has come."""

    steps: Steps

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc

    async def open_tcp_connection(self) -> ClientConnection:
        if self.ws_uri.secure:
            self.steps.phase = "tls"
        connection = await super().open_tcp_connection()
        self.steps.phase = "handshake"
        return connection


async def dial(
    url: str,
    receiver: Receiver,
    *,
    now_s: float,
    headers: Mapping[str, str] | None = None,
    dialler: Dialler | None = None,
    timeout_s: float = 10.0,
    close_timeout_s: float = 2.0,
    max_message: int = MAX_MESSAGE,
) -> WebSocket:
    """Open a websocket. ``now_s``: our wall clock, for a Retry-After that is a date. Raises DialError."""
    steps = Steps()
    dialler = dialler or Dialler(SystemClock())
    sock: socket.socket | None = None
    opened: ClientConnection | None = None
    try:
        async with asyncio.timeout(timeout_s):
            uri = parse_uri(url)
            sock = await dialler.open(uri.host, uri.port, steps, secure=uri.secure)
            connecting = _Connect(
                url,
                create_connection=functools.partial(WebSocket, receiver, proxied=steps.proxied),  # type: ignore[arg-type] # a factory is all it calls
                compression=None,
                additional_headers=headers,
                user_agent_header="detour",
                proxy=None,
                open_timeout=None,  # ours, above, counts from the start
                close_timeout=close_timeout_s,
                ping_interval=None,
                ping_timeout=None,
                max_size=max_message,
                max_queue=None,
                sock=sock,
                ssl=dialler.tls if uri.secure else None,
            )
            connecting.steps = steps
            opened = await connecting
    except InvalidStatus as error:
        raise _refused(error, now_s) from error
    except (TimeoutError, WebSocketException, OSError, EOFError, ValueError) as error:
        raise _failed(error, steps.phase) from error
    finally:
        if sock is not None and opened is None:
            with contextlib.suppress(OSError):
                sock.close()
    assert isinstance(opened, WebSocket)
    return opened


def _failed(error: Exception, phase: Phase) -> DialError:
    if (untrusted := certificate_error(error)) is not None:
        return DialError(why_untrusted(untrusted), phase="certificate", fault=Fault.CERTIFICATE)
    if isinstance(error, TimeoutError):
        return DialError(f"timed out while opening ({phase})", phase=phase)
    return DialError(f"{type(error).__name__}: {error}", phase=phase)


def _refused(error: InvalidStatus, now_s: float) -> DialError:
    response = error.response
    answer = Answer(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.raw_items()},
        body=bytes(response.body),
    )
    said = answer.body[:400].decode("utf-8", "replace").strip()
    return DialError(
        f"HTTP {answer.status}" + (f": {said}" if said else ""),
        # Anything but 101 is a refusal, a cheerful 200 included.
        fault=http_fault(answer) or Fault.UNKNOWN,
        http_status=answer.status,
        retry_after_s=retry_after_s(answer.headers.get("retry-after"), now_s),
    )
