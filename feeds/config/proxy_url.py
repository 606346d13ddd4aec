"""What a user may write for a proxy: ``http://host:port``, ``socks5://`` or ``socks5h://``, with or without a name."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

NO_PROXY = "none"
"""In the config file: dial directly, whatever the environment says."""
ALLOWED = '"http://host:port", "socks5://host:port", "socks5h://host:port" (names are looked up by the proxy)'
DEFAULT_PROXY = "default"
"""In the config file: the key that stands for every venue without one of its own."""
_PORTS = {"http": 3128, "socks5": 1080, "socks5h": 1080}


class Proxy(Struct, frozen=True):
    kind: Literal["http", "socks5"]
    host: str
    port: int
    user: str | None = None
    password: str | None = None
    names: bool = True
    """It is given names; otherwise we look them up and give it addresses."""

    def __str__(self) -> str:
        """For people: without user and password."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({self.kind} {self})"


def parse_proxy(text: str) -> Proxy:
    """Raises ValueError, whose text never holds a password."""
    written = text.strip()
    parts = urlsplit(written if "://" in written else f"http://{written}")  # as curl reads it
    if parts.scheme not in _PORTS:
        raise ValueError(f"a {parts.scheme}:// proxy cannot be used (allowed: {ALLOWED})")
    try:
        port = parts.port
    except ValueError:
        port = 0
    host = parts.hostname
    wrong = port == 0 or parts.path not in ("", "/") or parts.query or parts.fragment
    if wrong or not host or not host.isascii() or any(ord(c) <= 32 for c in written):
        raise ValueError(f"this is no proxy (allowed: {ALLOWED})")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    if any(len(word.encode()) > 255 or any(ord(c) < 32 for c in word) for word in (user or "", password or "")):
        raise ValueError("a proxy's user and password have up to 255 bytes and no control characters")
    return Proxy(
        kind="http" if parts.scheme == "http" else "socks5",
        host=host,
        port=port or _PORTS[parts.scheme],
        user=user,
        password=password,
        names=parts.scheme != "socks5",
    )


def proxy_url(proxy: Proxy) -> str:
    """As a URL that other libraries read, user and password included."""
    login = "" if proxy.user is None else quote(proxy.user, safe="")
    login += "" if proxy.password is None else ":" + quote(proxy.password, safe="")
    scheme = "http" if proxy.kind == "http" else "socks5h" if proxy.names else "socks5"
    return f"{scheme}://{login + '@' if login else ''}{proxy}"
