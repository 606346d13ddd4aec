"""Which proxy a host is dialled through: what the user's file says of the venue, else what the environment says.

``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` in either case, and the settings of macOS and Windows,
as Python's own ``urllib.request.getproxies`` reads them. Loopback never goes through a proxy: that is the simulator.
"""

from __future__ import annotations

import ipaddress
import urllib.request
from collections.abc import Mapping

from msgspec import Struct

from feeds.config.proxy_url import DEFAULT_PROXY, NO_PROXY, Proxy, parse_proxy
from feeds.transport.trust import trust


class ProxySettingError(ValueError):
    """A setting that cannot be used; the text is one sentence for the user."""


class Proxies(Struct, frozen=True):
    """Read once, at the start."""

    by_venue: Mapping[str, Proxy | None] = {}
    """From the user's file: venue or ``default`` -> its proxy, None for dialling directly."""
    environment: Mapping[str, tuple[str, Proxy]] = {}
    """``https``, ``http``, ``all`` -> (where it was set, the proxy)."""
    bypass: str = ""
    """``NO_PROXY``: names separated by commas, or ``*``."""

    def of(self, venue: str, host: str, *, secure: bool) -> tuple[Proxy, str] | None:
        """The proxy on the way to ``host``, and where it was set. None: dial directly."""
        if is_loopback(host):
            return None
        for key in (venue, DEFAULT_PROXY):
            if key in self.by_venue:
                proxy = self.by_venue[key]
                return None if proxy is None else (proxy, "[proxy] in the config file")
        if not self.environment or bypassed(host, self.bypass):
            return None
        found = self.environment.get("https" if secure else "http") or self.environment.get("all")
        return None if found is None else (found[1], found[0])


DIRECT = Proxies()


def read_proxies(by_venue: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Proxies:
    """``by_venue``: the user's ``[proxy]`` table, already checked. ``environment``: as ``getproxies`` gives it. Raises
    ProxySettingError."""
    settings = urllib.request.getproxies() if environment is None else environment
    found: dict[str, tuple[str, Proxy]] = {}
    for key, name in (("https", "HTTPS_PROXY"), ("http", "HTTP_PROXY"), ("all", "ALL_PROXY"), ("socks", "ALL_PROXY")):
        text = settings.get(key, "").strip()
        if not text:
            continue
        if key == "socks":  # macOS gives its SOCKS setting as an http:// address
            text = "socks5h://" + text.partition("://")[2]
        try:
            found.setdefault("all" if key == "socks" else key, (name, parse_proxy(text)))
        except ValueError as error:
            raise ProxySettingError(f"{name}: {error}.") from None
    return Proxies(
        by_venue={key: None if text == NO_PROXY else parse_proxy(text) for key, text in by_venue.items()},
        environment=found,
        bypass=settings.get("no", ""),
    )


def check_road(by_venue: Mapping[str, str]) -> None:
    """Before anything is dialled: can proxies and certificates be read at all? Raises ProxySettingError, TrustError."""
    read_proxies(by_venue)
    trust()


def bypassed(host: str, no_proxy: str) -> bool:
    """``host`` is named in ``NO_PROXY``: itself, a domain it is in, or a network that its address is in."""
    name = host.lower().rstrip(".")
    address = _address(name)
    for entry in no_proxy.lower().split(","):
        rule = entry.strip().rstrip(".")
        if rule == "*":
            return True
        rule = rule.rpartition(":")[0] if rule.count(":") == 1 else rule
        domain = rule.removeprefix("*").lstrip(".")
        if domain and (name == domain or name.endswith("." + domain)):
            return True
        if address is not None and "/" in rule:
            try:
                if address in ipaddress.ip_network(rule, strict=False):
                    return True
            except ValueError:
                continue
    return False


def is_loopback(host: str) -> bool:
    name = host.lower().rstrip(".")
    address = _address(name)
    return address.is_loopback if address is not None else name == "localhost" or name.endswith(".localhost")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
