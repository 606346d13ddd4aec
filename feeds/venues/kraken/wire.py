"""What Kraken's REST answers hold, and what all of its interfaces share: error texts and names of coins."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.json import Decoder

from feeds.model import (
    Fault,
    Instrument,
)
from feeds.venues.reading import Price, Size, Stamp

# Kraken's word for coins that ccxt, whose symbols are ours, calls by another: LUNA is a different coin at each.
_CODES = {"LUNC": "LUNA", "LUNA": "LUNA2", "USTC": "UST", "REP": "REPV2", "REPV1": "REP", "KFEE": "FEE"}
_COINS = {theirs: ours for ours, theirs in _CODES.items()} | {"XBT": "BTC", "XDG": "DOGE"}
"""REST's other names of coins -> ours."""
# First match wins. Spot writes ``<severity><category>:<text>``, derivatives one word (``apiLimitExceeded``).
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


def fault_of(words: str) -> Fault:
    """What an error of Kraken's, over REST or a socket, means to us."""
    return next((fault for part, fault in _FAULTS if part in words), Fault.UNKNOWN)


def coin_of(altname: str) -> str:
    """Our word for a coin by Kraken's REST one."""
    return _COINS.get(altname, altname)


def v2_name(instrument: Instrument) -> str:
    """``BTC/USD``; the REST name (``XXBTZUSD``) is refused here."""
    return f"{_CODES.get(instrument.base, instrument.base)}/{_CODES.get(instrument.quote, instrument.quote)}"


class TimeRow(Struct):
    unixtime: int = 0


class StatusRow(Struct):
    status: str = ""


class RestReply(Struct):
    """What of any answer is read to judge it: spot has a list of errors, derivatives have one."""

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
