"""Instruments and shortcuts for the tests of Binance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from feeds.model import (
    Instrument,
    Product,
)
from feeds.venues.base import Answer, Session, Venue
from feeds.venues.binance.venue import Binance
from tests.feeds.venues.captures import (
    instrument,
)

VENUE: Venue = Binance()
SPOT = [
    instrument("binance.spot", "BTC/USDT", "BTCUSDT", taker_fee=0.001),
    instrument("binance.spot", "ETH/USDT", "ETHUSDT", taker_fee=0.001),
]
LINEAR = [instrument("binance.linear", "BTC/USDT:USDT", "BTCUSDT")]
PERP = "BTC/USDT:USDT"
MS = 1_000_000


def session(product: Product, instruments: Sequence[Instrument], socket: int = 0) -> Session:
    return VENUE.session(VENUE.plan(product, instruments)[socket], instruments)


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


def sent(payloads: Sequence[str | bytes]) -> list[dict[str, Any]]:
    assert all(isinstance(p, str) for p in payloads), "Binance reads text frames only"
    return [json.loads(p) for p in payloads]
