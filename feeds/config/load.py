"""The user's file: one TOML document, read whole and checked whole before anything uses it.

A wrong key or value is one sentence (``ConfigError``) that names file, line, key, the nearest valid spelling and what
is allowed. No file at all is fine: every key has a default. ``feeds.config.save`` writes it.
"""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from feeds.config.checks import ConfigError, KeyPath, hint
from feeds.config.known import Known, everything_known
from feeds.config.paths import config_file
from feeds.config.proxy_url import DEFAULT_PROXY, NO_PROXY, parse_proxy
from feeds.config.toml_lines import deep_key, deep_line, syntax_line
from feeds.config.watchlist_reader import WatchlistReader
from feeds.config.watchlists import DEFAULT_NAME, NAME_RULE, Watchlist, default_watchlist, is_name
from feeds.model import venue_of

MAX_FILE_BYTES = 1_000_000
FRAMES_PER_S = 4.0
WITNESSES = ("1.1.1.1:443", "8.8.8.8:443")
"""Two anycast resolvers of different operators: both unreachable means that our own uplink is."""

TOO_DEEP = "is nested deeper than any config file needs (allowed: three levels of tables, lists of texts and numbers)"

TOP_KEYS = (
    "vantage",
    "watchlist",
    "frames_per_s",
    "watchlists",
    "fees",
    "endpoints",
    "witness",
    "proxy",
    "domains",
    "screen",
    "keys",
)
DOMAIN_KEYS = ("venues",)
FEE_KEYS = ("taker",)
ENDPOINT_KEYS = ("rest", "ws")
WITNESS_KEYS = ("targets",)
SCREEN_KEYS = ("theme",)


class Endpoint(Struct, frozen=True):
    """Hosts that replace a venue's published ones; None keeps the published one."""

    rest: str | None = None
    ws: str | None = None


class Config(Struct, frozen=True, kw_only=True):
    path: Path
    """Where it was read from, or would be written to."""
    vantage: str
    watchlist: str
    """Name of the watchlist in use."""
    watchlists: Mapping[str, Watchlist]
    written: tuple[str, ...] = ()
    """Names of the watchlists that the file itself has; the built-in default need not be one of them."""
    frames_per_s: float = FRAMES_PER_S
    fees: Mapping[str, float] = {}
    """The user's own taker fee by route, a fraction of notional."""
    endpoints: Mapping[str, Endpoint] = {}
    witnesses: tuple[str, ...] = WITNESSES
    """``host:port`` of neutral targets."""
    proxies: Mapping[str, str] = {}
    """Venue or ``default`` -> the proxy on the way to it (``feeds.config.proxy_url``), or ``none``."""
    domains: Mapping[str, tuple[str, ...]] = {}
    """The user's own failure domains, name -> venues, in place of or beside ours (feeds.venues.failure_domains)."""
    theme: str | None = None
    keys: Mapping[str, str] = {}
    """Action id -> key, on top of the screen's own bindings."""

    def chosen(self, name: str | None = None) -> Watchlist:
        """A watchlist by name, or the one in use. Raises ConfigError."""
        if name is None:
            return self.watchlists[self.watchlist]
        if name not in self.watchlists:
            raise ConfigError(f"{self.path}: there is no watchlist {name!r}{hint(name, self.watchlists)}.")
        return self.watchlists[name]


def load_config(path: Path | None = None, known: Known | None = None) -> Config:
    """Reads the user's file. A given ``path`` (``--config``) must exist. Raises ConfigError."""
    file = config_file() if path is None else path
    return parse(read_text(file, required=path is not None), file, known)


def read_text(file: Path, *, required: bool = False) -> str:
    """The file's text, empty when there is none. Raises ConfigError."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        if not required:
            return ""
        raise ConfigError(f"{file}: there is no such file.") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}).") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{file}: larger than {MAX_FILE_BYTES} bytes, which no config file needs.")
    try:
        # universal newlines, as tomllib.load has them
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file}, line {line}: is not UTF-8 text.") from None


def parse(text: str, file: Path, known: Known | None = None) -> Config:
    """A document's text -> what it says, defaults filled in. Raises ConfigError."""
    line = deep_key(text)  # before reading: tomllib takes minutes for a key of some thousand parts
    if line is not None:
        raise ConfigError(f"{file}, line {line}: {TOO_DEEP}.")
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{file}, line {deep_line(text)}: {TOO_DEEP}.") from None
    except tomllib.TOMLDecodeError as error:
        line = syntax_line(str(error)) or max(1, len(text.splitlines()))
        what = str(error).partition(" (at ")[0]
        raise ConfigError(f"{file}, line {line}: is not valid TOML ({what[:1].lower()}{what[1:]}).") from None
    return ConfigReader(text, file, known if known is not None else everything_known()).config(document)


class ConfigReader(WatchlistReader):
    """Reads the whole document: watchlists, and every other table."""

    def config(self, document: dict[str, Any]) -> Config:
        self.table((), document, TOP_KEYS)
        watchlists = {DEFAULT_NAME: default_watchlist(self.known.routes)}
        written = self.table(("watchlists",), document.get("watchlists", {}))
        for name, body in written.items():
            if not is_name(name):
                self.fail(("watchlists", name), f"a watchlist's name is {NAME_RULE}")
            watchlists[name] = self.watchlist(name, body)
        vantage = document.get("vantage", platform.node().partition(".")[0] or "here")
        screen = self.table(("screen",), document.get("screen", {}), SCREEN_KEYS)
        return Config(
            path=self.file,
            vantage=self.word(("vantage",), vantage),
            watchlist=self.choice(("watchlist",), document.get("watchlist", DEFAULT_NAME), watchlists, "watchlist"),
            watchlists=watchlists,
            written=tuple(written),
            frames_per_s=self.number(
                ("frames_per_s",), document.get("frames_per_s", FRAMES_PER_S), 0.5, 20, "a number from 0.5 to 20"
            ),
            fees=self.fees(document.get("fees", {})),
            endpoints=self.endpoints(document.get("endpoints", {})),
            witnesses=self.witnesses(document.get("witness", {})),
            proxies=self.proxies(document.get("proxy", {})),
            domains=self.domains(document.get("domains", {})),
            theme=self.theme(screen["theme"]) if "theme" in screen else None,
            keys=self.keys(document.get("keys", {})),
        )

    def by_route(self, at: KeyPath, value: object, allowed: Sequence[str]) -> dict[str, tuple[KeyPath, dict[str, Any]]]:
        """Route -> (path of its table, the table), written ``[fees."binance.linear"]`` or ``[fees.binance.linear]``."""
        found: dict[str, tuple[KeyPath, dict[str, Any]]] = {}
        for key, body in self.table(at, value).items():
            here = (*at, key)
            if "." in key:
                self.choice(here, key, self.known.all_routes, "route")
                found[key] = here, self.table(here, body, allowed)
                continue
            self.choice(here, key, dict.fromkeys(r.partition(".")[0] for r in self.known.all_routes), "venue")
            products = [r.partition(".")[2] for r in self.known.all_routes if r.startswith(f"{key}.")]
            for product, inner in self.table(here, body, products).items():
                found[f"{key}.{product}"] = (*here, product), self.table((*here, product), inner, allowed)
        return found

    def fees(self, value: object) -> dict[str, float]:
        what = "a fraction of notional from -0.001 to 0.01 (0.0005 is 5 bp)"
        return {
            route: self.number((*at, "taker"), body["taker"], -0.001, 0.01, what)
            for route, (at, body) in self.by_route(("fees",), value, FEE_KEYS).items()
            if "taker" in body
        }

    def endpoints(self, value: object) -> dict[str, Endpoint]:
        return {
            route: Endpoint(
                rest=self.url((*at, "rest"), body["rest"], ("http", "https")) if "rest" in body else None,
                ws=self.url((*at, "ws"), body["ws"], ("ws", "wss")) if "ws" in body else None,
            )
            for route, (at, body) in self.by_route(("endpoints",), value, ENDPOINT_KEYS).items()
        }

    def url(self, at: KeyPath, value: object, schemes: tuple[str, str]) -> str:
        found = self.word(at, value, 300)
        try:
            parts = urlsplit(found)
            good = parts.scheme in schemes and parts.hostname and parts.port != 0 and not parts.query + parts.fragment
        except ValueError:  # a port that is no number, a broken IPv6 address
            good = False
        if not good or parts.username is not None:
            self.fail(at, f'"{found}" is no base URL (allowed: {schemes[0]}:// or {schemes[1]}://host[:port][/path])')
        return found.rstrip("/")

    def witnesses(self, value: object) -> tuple[str, ...]:
        body = self.table(("witness",), value, WITNESS_KEYS)
        at = ("witness", "targets")
        targets = self.words(at, body.get("targets", list(WITNESSES)), 8)
        for target in targets:
            host, _, port = target.rpartition(":")
            if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
                self.fail(at, f'"{target}" is no target (allowed: host:port, such as {WITNESSES[0]})', target)
        return targets

    def proxies(self, value: object) -> dict[str, str]:
        allowed = (DEFAULT_PROXY, *dict.fromkeys(venue_of(route) for route in self.known.all_routes))
        found: dict[str, str] = {}
        for key, written in self.table(("proxy",), value, allowed).items():
            at = ("proxy", key)
            found[key] = self.word(at, written, 600)
            if found[key] == NO_PROXY:
                continue
            try:
                parse_proxy(found[key])
            except ValueError as error:  # its text never holds a password
                self.fail(at, f'{error}, or "{NO_PROXY}"')
        return found

    def domains(self, value: object) -> dict[str, tuple[str, ...]]:
        venues = tuple(dict.fromkeys(venue_of(route) for route in self.known.all_routes))
        found: dict[str, tuple[str, ...]] = {}
        for name, body in self.table(("domains",), value).items():
            if not is_name(name):
                self.fail(("domains", name), f"a failure domain's name is {NAME_RULE}")
            at = ("domains", name, "venues")
            listed = self.table(("domains", name), body, DOMAIN_KEYS).get("venues", [])
            members = self.words(at, listed, 64) if listed != [] else ()
            found[name] = tuple(self.choice(at, venue, venues, "venue") for venue in members)
        return found

    def theme(self, value: object) -> str:
        at = ("screen", "theme")
        return self.word(at, value) if self.known.themes is None else self.choice(at, value, self.known.themes, "theme")

    def keys(self, value: object) -> dict[str, str]:
        found: dict[str, str] = {}
        for action, key in self.table(("keys",), value, self.allowed_actions()).items():
            at = ("keys", action)
            found[action] = self.word(at, key, 30)
            if taken := next((a for a, k in found.items() if k == key and a != action), None):
                self.fail(at, f'"{key}" is the key of "{taken}" already')
        return found

    def allowed_actions(self) -> Sequence[str] | None:
        return None if self.known.actions is None else sorted(self.known.actions)
