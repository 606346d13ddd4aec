"""Real proxies on loopback: HTTP CONNECT and SOCKS5. They know names that nobody else does, and note who asked."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.feeds.loopback import Served, head, serving


class ProxyServer:
    """Connects to ``names[host]`` on loopback. ``login``: ``user:password`` that it asks for."""

    def __init__(self, names: Mapping[str, int], login: str | None = None) -> None:
        self.names, self.login = names, login
        self.asked: list[str] = []
        """``host:port`` of every request, refused ones too."""
        self.answer: bytes | None = None
        """What an HTTP proxy answers in place of connecting."""

    async def http(self, reader: Reader, writer: Writer) -> None:
        request = await head(reader)
        method, target, _ = request.split(b" ", 2)
        self.asked.append(target.decode())
        wanted = None if self.login is None else b"basic " + base64.b64encode(self.login.encode()).lower()
        if method != b"CONNECT":
            await self._forward(request, reader, writer)
        elif wanted is not None and wanted not in request.lower():
            writer.write(b"HTTP/1.1 407 who?\r\nProxy-Authenticate: Basic\r\ncontent-length: 0\r\n\r\n")
        elif self.answer is not None:
            writer.write(self.answer)
        elif (port := self.names.get(target.decode().rpartition(":")[0])) is None:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
        else:
            await self._join(reader, writer, port, b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def _forward(self, request: bytes, reader: Reader, writer: Writer) -> None:
        """``GET http://host/path``: how some clients ask for what is not encrypted."""
        method, target, rest = request.split(b" ", 2)
        host, _, path = target.partition(b"://")[2].partition(b"/")
        port = self.names[host.decode()]
        there, back = await asyncio.open_connection("127.0.0.1", port)
        back.write(b" ".join((method, b"/" + path, rest)))
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            back.close()

    async def socks(self, reader: Reader, writer: Writer) -> None:
        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        assert version == 5
        if self.login is not None:
            if 2 not in methods:
                writer.write(b"\x05\xff")
                return
            writer.write(b"\x05\x02")
            _, size = await reader.readexactly(2)
            user = await reader.readexactly(size)
            password = await reader.readexactly((await reader.readexactly(1))[0])
            good = f"{user.decode()}:{password.decode()}" == self.login
            writer.write(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return
        else:
            writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(str(byte) for byte in await reader.readexactly(4 if kind == 1 else 16))
        port = int.from_bytes(await reader.readexactly(2))
        self.asked.append(f"{host}:{port}")
        known = self.names.get(host)
        if known is None:
            writer.write(b"\x05\x04\x00\x01" + bytes(6))
        else:
            await self._join(reader, writer, known, b"\x05\x00\x00\x01" + bytes(6))

    async def _join(self, reader: Reader, writer: Writer, port: int, yes: bytes) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(yes)
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            back.close()


async def _copy(source: Reader, sink: Writer) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def proxy_server(
    kind: str, names: Mapping[str, int], login: str | None = None
) -> AsyncIterator[tuple[ProxyServer, Served]]:
    server = ProxyServer(names, login)
    async with serving(server.http if kind == "http" else server.socks) as served:
        yield server, served
