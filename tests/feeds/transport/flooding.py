"""A server on loopback that sends as fast as it is read, from a thread of its own and for a bounded time."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_KEY = re.compile(rb"sec-websocket-key:\s*(\S+)", re.IGNORECASE)


@contextmanager
def flooding(block: bytes, *, seconds: float, upgrade: bool = True, first: bytes = b"") -> Iterator[int]:
    """Gives the port. Every connection gets the handshake's answer (``upgrade``), ``first`` and then ``block`` without
    end. Nothing that the client sends after its first request is read."""
    until_s = time.monotonic() + seconds
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(0.2)
            head = b""
            while b"\r\n\r\n" not in head:
                if not (part := client.recv(4096)):
                    return
                head += part
            if upgrade and (key := _KEY.search(head)) is not None:
                accept = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
                client.sendall(
                    b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                )
            client.sendall(first)
            while not over.is_set() and time.monotonic() < until_s:
                _send(client, block, over)
            # Hold the connection: a flood that ends is not a venue that hangs up.
            over.wait(max(0.0, until_s + 5 - time.monotonic()))

    def accept() -> None:
        threads: list[threading.Thread] = []
        while not over.is_set():
            with suppress(TimeoutError):
                client, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(client,), daemon=True))
                threads[-1].start()
        for thread in threads:
            thread.join(5)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        accepting.join(10)
        listener.close()


def _send(client: socket.socket, block: bytes, over: threading.Event) -> None:
    rest = memoryview(block)
    while rest and not over.is_set():
        with suppress(TimeoutError):
            rest = rest[client.send(rest) :]
