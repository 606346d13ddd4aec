"""Error answers of the simulated venues, and how our venues read them."""

from __future__ import annotations

import pytest

from feeds.model import Fault
from feeds.sim.registry import TWINS
from feeds.venues.base import Answer
from tests.feeds.matrix.products import CELLS, Cell
from tests.feeds.venues.agreement import lines

OVERLOAD, LIMIT, REFUSED, GEO, CLOSED = (
    Fault.OVERLOAD,
    Fault.OUR_LIMIT,
    Fault.REFUSED,
    Fault.GEO_BLOCK,
    Fault.MAINTENANCE,
)
Row = tuple[str, int, str, Fault]
"""Fault in the scenario, HTTP status, text in the body of the venue's answer, and our reading of it."""

USUAL: list[Row] = [
    ("overload", 503, "", OVERLOAD),
    ("overload", 500, "", OVERLOAD),
    ("timeout", 504, "", OVERLOAD),
    ("limit", 429, "", LIMIT),
    ("geo", 451, "", GEO),
]
"""Rows of every venue."""
OWN: dict[str, list[Row]] = {
    "binance": [
        ("overload", 503, "Service Unavailable.", OVERLOAD),
        ("overload", 500, "-1008", OVERLOAD),
        ("limit", 429, "-1003", LIMIT),
        ("ban", 418, "banned until", LIMIT),
        ("geo", 451, "restricted location", GEO),
        ("maintenance", 503, "-1016", CLOSED),
        ("timeout", 504, "-1007", OVERLOAD),
        ("something new", 500, "-1000", Fault.UNKNOWN),
    ],
    "bitget": [
        ("limit", 429, "Too Many Requests", LIMIT),
        ("overload", 503, "45001", OVERLOAD),
        ("overload", 500, "40015", OVERLOAD),
        ("overload", 429, "429", LIMIT),
        ("maintenance", 503, "40200", CLOSED),
        ("timeout", 400, "40010", OVERLOAD),
        ("geo", 403, "your country", GEO),
        ("ban", 403, "Request blocked", REFUSED),
    ],
    "bingx": [
        ("overload", 200, "", OVERLOAD),
        ("limit", 200, "", LIMIT),
        ("geo", 403, "", GEO),
        ("ban", 403, "", REFUSED),
        ("ban", 429, "", LIMIT),
        ("maintenance", 503, "", CLOSED),
    ],
    "bitfinex": [
        ("ban", 429, "", LIMIT),
        ("geo", 403, "", GEO),
        ("maintenance", 503, "", CLOSED),
        ("timeout", 524, "", OVERLOAD),
    ],
    "bybit": [
        ("limit", 403, "access too frequent", LIMIT),
        ("limit", 200, "10006", LIMIT),
        ("overload", 429, "10429", OVERLOAD),  # overload protection of the venue, not our rate
        ("overload", 503, "10016", OVERLOAD),
        ("maintenance", 503, "10016", OVERLOAD),
        ("timeout", 504, "10000", OVERLOAD),
        ("geo", 403, "block access from your country", GEO),
    ],
    "coinbase": [("geo", 403, "", GEO), ("ban", 403, "", REFUSED), ("maintenance", 503, "", CLOSED)],
    "cryptocom": [("geo", 403, "", GEO), ("ban", 403, "", REFUSED), ("maintenance", 503, "", CLOSED)],
    "deribit": [
        ("limit", 429, "10028", LIMIT),
        ("overload", 503, "10047", OVERLOAD),
        ("overload", 500, "11094", OVERLOAD),
        ("maintenance", 503, "11051", CLOSED),
        ("timeout", 504, "10040", OVERLOAD),
        ("geo", 403, "country", GEO),
        ("ban", 403, "banned your IP", REFUSED),
    ],
    "gate": [
        ("limit", 429, "TOO_MANY_REQUESTS", LIMIT),
        ("overload", 503, "TOO_BUSY", OVERLOAD),
        ("overload", 500, "SERVER_ERROR", OVERLOAD),
        ("timeout", 504, "INTERNAL", OVERLOAD),
        ("maintenance", 503, "maintenance", CLOSED),
        ("geo", 403, "country", GEO),
        ("ban", 403, "Forbidden", REFUSED),
    ],
    "htx": [
        ("limit", 429, "too-many-request", LIMIT),
        ("limit", 200, "1032", LIMIT),
        ("overload", 503, "base-system-busy", OVERLOAD),
        ("overload", 500, "gateway-internal-error", OVERLOAD),
        ("maintenance", 503, "system-maintenance", CLOSED),
        ("timeout", 504, "gateway-internal-error", OVERLOAD),
        ("timeout", 200, "", OVERLOAD),
        ("geo", 403, "from your country", GEO),
        ("ban", 403, "Request blocked", REFUSED),
    ],
    "hyperliquid": [
        ("limit", 429, "null", LIMIT),
        ("overload", 500, "null", OVERLOAD),
        ("timeout", 504, "504", OVERLOAD),
        ("maintenance", 503, "upgrade", CLOSED),
        ("geo", 403, "country", GEO),
        ("ban", 403, "Forbidden", REFUSED),
    ],
    "kraken": [("geo", 403, "", GEO), ("ban", 403, "", REFUSED), ("maintenance", 503, "", CLOSED)],
    "kucoin": [
        ("limit", 429, "429000", LIMIT),
        ("overload", 429, "429000", OVERLOAD),
        ("overload", 503, "503000", OVERLOAD),
        ("overload", 500, "500000", OVERLOAD),
        ("maintenance", 503, "upgrading", CLOSED),
        ("timeout", 408, "408000", OVERLOAD),
        ("geo", 403, "400302", GEO),
        ("ban", 403, "1015", LIMIT),
    ],
    "mexc": [
        ("limit", 429, "510", LIMIT),
        ("limit", 200, "", LIMIT),
        ("overload", 503, "System busy", OVERLOAD),
        ("maintenance", 503, "Under maintenance", CLOSED),
        ("timeout", 500, "timed out", OVERLOAD),
        ("geo", 403, "Access Denied", REFUSED),  # all that the CDN's answer tells
        ("ban", 403, "Access Denied", REFUSED),
    ],
    "okx": [
        ("limit", 429, "50011", LIMIT),
        ("overload", 503, "50001", OVERLOAD),
        ("overload", 429, "50013", OVERLOAD),
        ("overload", 500, "50026", OVERLOAD),
        ("maintenance", 503, "50001", OVERLOAD),
        ("timeout", 400, "50004", OVERLOAD),
        ("geo", 403, "cloudflare", REFUSED),  # all that the CDN's answer tells
        ("ban", 403, "cloudflare", REFUSED),
    ],
}


def test_every_simulated_venue_is_here() -> None:
    assert OWN.keys() == TWINS.keys()


@pytest.mark.parametrize("cell", CELLS, ids=[cell.route for cell in CELLS])
def test_error_bodies_have_the_venues_words_and_mean_what_they_should(cell: Cell) -> None:
    line = next(lines(cell))
    for kind, status, words, fault in [*USUAL, *OWN[cell.venue]]:
        response = line.twin.error(kind, status)
        body = response.body if isinstance(response.body, bytes) else response.body.encode()
        assert response.status == status
        assert words.encode() in body
        headers = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(status=response.status, headers=headers, body=body)
        for probe in line.venue.probes(cell.product, [line.instrument]):
            reading = line.venue.read_probe(cell.product, probe, answer)
            assert reading.fault is fault, f"{kind} {status} {body!r}"
