"""ccxt on the same road as everything else: our certificates, our proxies. Only child processes load it."""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from feeds.config.proxy_url import Proxy, proxy_url
from feeds.transport.proxies import Proxies
from feeds.transport.trust import trust
from feeds.transport.tunnel import tunnel_blocking


def dial_blocking(proxy: Proxy, host: str, port: int, timeout_s: float) -> socket.socket:
    """A socket through the proxy to ``host``. Raises OSError."""
    sock = socket.create_connection((proxy.host, proxy.port), timeout_s)
    try:
        if proxy.kind == "socks5" and not proxy.names:
            host = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
        tunnel_blocking(sock, proxy, host, port)
    except BaseException:
        sock.close()
        raise
    return sock


class RoadAdapter(HTTPAdapter):
    """For a ``requests`` session: ``session.mount("https://", RoadAdapter(proxies, "binance"))``."""

    def __init__(self, proxies: Proxies, venue: str) -> None:
        self._proxies, self._venue = proxies, venue
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **{**options, "ssl_context": trust()})
        road = self

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return road.socket(self, super()._new_conn, secure=False)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return road.socket(self, super()._new_conn, secure=True)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """``requests`` would add certifi's authorities to ours."""
        conn.cert_reqs, conn.ca_certs, conn.ca_cert_dir = "CERT_REQUIRED", None, None

    def socket(self, connection: HTTPConnection, direct: Any, *, secure: bool) -> socket.socket:
        """A socket for this connection of urllib3's; ``direct`` opens one without a proxy."""
        chosen = self._proxies.of(self._venue, connection.host, secure=secure)
        if chosen is None:
            found: socket.socket = direct()
            return found
        timeout = connection.timeout
        try:
            timeout_s = float(timeout) if isinstance(timeout, int | float) else 10.0
            return dial_blocking(chosen[0], connection.host, connection.port or (443 if secure else 80), timeout_s)
        except OSError as error:
            raise NewConnectionError(connection, str(error)) from error


def lay(exchange: Any, proxies: Proxies, venue: str) -> None:
    """Have a ccxt exchange (the blocking one) ask by our road."""
    for scheme in ("https://", "http://"):
        exchange.session.mount(scheme, RoadAdapter(proxies, venue))


def lay_async(exchange: Any, proxies: Proxies, venue: str, host: str) -> None:
    """The same for one of ccxt.pro, before it opens its session. ``host``: the one it asks most."""
    exchange.ssl_context = trust()
    chosen = proxies.of(venue, host, secure=True)
    if chosen is None:
        return
    if chosen[0].kind == "http":
        exchange.httpsProxy = exchange.wssProxy = proxy_url(chosen[0])
    else:
        exchange.socksProxy = exchange.wsSocksProxy = proxy_url(chosen[0])
