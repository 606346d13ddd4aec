"""Instruments of a venue that lists them only over a websocket. Blocking, for ``feeds.instruments.fetch``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from websockets.exceptions import WebSocketException
from websockets.sync.client import reconnect
from websockets.uri import parse_uri

from feeds.config.proxy_url import Proxy
from feeds.instruments.road import dial_blocking
from feeds.model import Instrument
from feeds.transport.trust import trust
from feeds.venues.base import Listing, VenueError

MAX_MESSAGE = 16 << 20
MOST_MESSAGES = 1_000
"""At most so many are read before the one that lists: greetings, acknowledgements and others."""


class _Direct(reconnect):
    """Follows nobody to another address."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


def ask(
    listing: Listing,
    read: Callable[[bytes], Sequence[Instrument] | None],
    timeout_s: float = 10.0,
    *,
    proxy: Proxy | None = None,
) -> Sequence[Instrument]:
    """What ``read`` makes of the first message that it knows. Raises VenueError."""
    end_s = time.monotonic() + timeout_s
    try:
        uri = parse_uri(listing.url)
        with _Direct(
            listing.url,
            sock=None if proxy is None else dial_blocking(proxy, uri.host, uri.port, timeout_s),
            ssl=trust() if uri.secure else None,
            compression=None,
            proxy=None,
            user_agent_header="detour",
            open_timeout=timeout_s,
            close_timeout=1.0,
            max_size=MAX_MESSAGE,
        ) as socket:
            socket.send(listing.ask)
            for _ in range(MOST_MESSAGES):
                raw = socket.recv(timeout=max(0.0, end_s - time.monotonic()), decode=False)
                found = read(raw)
                if found is not None:
                    return found
    except TimeoutError as error:
        raise VenueError(f"no list of instruments within {timeout_s:g} s") from error
    except (WebSocketException, OSError, EOFError) as error:
        raise VenueError(f"no list of instruments: {type(error).__name__}: {error}") from error
    raise VenueError(f"no list of instruments in {MOST_MESSAGES} messages")
