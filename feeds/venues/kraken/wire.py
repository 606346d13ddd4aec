"""Kraken's REST answers, and what all of its interfaces share: error texts and names of coins."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.json import Decoder

from feeds.model import (
    Fault,
    Instrument,
)
from feeds.venues.reading import Price, Size, Stamp

# Kraken's names of coins whose name in ccxt (and here) is different. LUNA is another coin at each of the two.
_CODES = {"LUNC": "LUNA", "LUNA": "LUNA2", "USTC": "UST", "REP": "REPV2", "REPV1": "REP", "KFEE": "FEE"}
_COINS = {theirs: ours for ours, theirs in _CODES.items()} | {"XBT": "BTC", "XDG": "DOGE"}
"""Our names of coins by those of REST."""
# The first match counts. Spot writes ``<severity><category>:<text>``, derivatives one word (``apiLimitExceeded``).
_FAULTS: tuple[tuple[str, Fault], ...] = (
    ("Rate limit", Fault.OUR_LIMIT),
    ("LimitExceeded", Fault.OUR_LIMIT),
    ("Too many requests", Fault.OUR_LIMIT),
    ("Temporary lockout", Fault.OUR_LIMIT),
    ("msg rate", Fault.OUR_LIMIT),
    ("EService:Market in", Fault.MAINTENANCE),
    ("marketUnavailable", Fault.MAINTENANCE),
    ("EService:", Fault.OVERLOAD),
    ("EDatabase:", Fault.OVERLOAD),
    ("Internal error", Fault.OVERLOAD),
    ("Server Error", Fault.OVERLOAD),
    ("unavailable", Fault.OVERLOAD),
    ("Permission denied", Fault.REFUSED),
    ("not supported", Fault.BAD_REQUEST),
    ("EQuery:", Fault.BAD_REQUEST),
    ("nvalid", Fault.BAD_REQUEST),
    ("Malformed", Fault.BAD_REQUEST),
    ("Json Error", Fault.BAD_REQUEST),
)


def fault_of(error_text: str) -> Fault:
    """The fault of an error text, from REST or a websocket."""
    return next((fault for part, fault in _FAULTS if part in error_text), Fault.UNKNOWN)


def coin_of(altname: str) -> str:
    """Our name of a coin, by its name in REST."""
    return _COINS.get(altname, altname)


def v2_name(instrument: Instrument) -> str:
    """``BTC/USD``: the websocket refuses the name of REST (``XXBTZUSD``)."""
    return f"{_CODES.get(instrument.base, instrument.base)}/{_CODES.get(instrument.quote, instrument.quote)}"


class TimeRow(Struct):
    unixtime: int = 0


class StatusRow(Struct):
    status: str = ""


class RestReply(Struct):
    """The part of every answer that tells time or errors. Spot has a list of errors, derivatives one error."""

    error: list[str] | str = []
    result: TimeRow | str | None = None
    server_time: Stamp | None = field(name="serverTime", default=None)


class RestSpotBook(Struct):
    bids: list[tuple[Price, Size, float]]
    asks: list[tuple[Price, Size, float]]


class RestSpotBooks(Struct):
    error: list[str]
    result: dict[str, RestSpotBook] = {}


class RestSides(Struct):
    bids: list[tuple[Price, Size]]
    asks: list[tuple[Price, Size]]


class RestFuturesBook(Struct):
    book: RestSides = field(name="orderBook")
    server_time: Stamp | None = field(name="serverTime", default=None)


class StatusReply(Struct):
    result: StatusRow


class Asset(Struct):
    altname: str
    status: str = ""


class Assets(Struct):
    result: dict[str, Asset]


read_reply = Decoder(RestReply, strict=False).decode
read_spot_book = Decoder(RestSpotBooks, strict=False).decode
read_futures_book = Decoder(RestFuturesBook, strict=False).decode
read_status = Decoder(StatusReply).decode
read_assets = Decoder(Assets).decode
