"""Numbers, times, JSON messages and REST answers, as wire formats write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import json

from feeds.sim.twin import Response

MS = 1_000_000
"""Nanoseconds of a millisecond."""
S = 1_000_000_000
"""Nanoseconds of a second."""

_JSON = {"content-type": "application/json; charset=utf-8"}


def ms(time_ns: int) -> int:
    return time_ns // 1_000_000


def ms_text(time_ns: int | None) -> str:
    """Milliseconds as decimal text, "" for None."""
    return "" if time_ns is None else str(time_ns // 1_000_000)


def iso(time_ns: int, decimals: int = 6) -> str:
    """``2026-10-06T17:35:55.440295Z`` with this many decimals of a second (1 to 9), cut off."""
    seconds, ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns:09d}"[: 20 + decimals] + "Z"


def bare(number: str) -> str:
    """Decimal text without trailing zeros: ``30316.0`` -> ``30316``."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def times(price: str, size: str) -> str:
    """The product of two decimal texts, as decimal text without exponent."""
    return bare(f"{Decimal(price) * Decimal(size):f}")


def text(message: object) -> str:
    """A websocket text frame."""
    return json.encode(message).decode()


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body=json.encode(body), status=status, headers={**_JSON, **(headers or {})})


def html_page(page: str, status: int, server: str | None = None) -> Response:
    """An HTML error page of the front or CDN before a venue's API. ``server``: its ``server`` header."""
    named = {} if server is None else {"server": server}
    return Response(body=page, status=status, headers={"content-type": "text/html", **named})


def count_in(query: Mapping[str, str], name: str, default: int, most: int) -> int | None:
    """A whole number of a query string, cut at ``most``. None when it is not a number of at least 1."""
    value = query.get(name, "")
    if not value:
        return default
    if not (value.isascii() and value.isdigit()) or len(value) > 9 or int(value) < 1:
        return None
    return min(int(value), most)
