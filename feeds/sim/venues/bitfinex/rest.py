"""Bitfinex's public REST answers (v2), simulated: one configuration path with many keys, books, tickers, status.

Shapes: the protocol sheet, what ccxt 4.5.90 and cryptofeed 2.4.1 read, and third-party captures of 2021. Numbers are
JSON numbers as JavaScript writes them: whole ones have no point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote
from zlib import crc32

from feeds.sim.market.listing import COINS
from feeds.sim.twin import Request, Response, SimInstrument, SimLiquidation, SimMark, SimTrade, TextLevel, World
from feeds.sim.wire.formats import html_page, json_response, ms

VENUE = "bitfinex"
REST_LENGTHS = ("1", "25", "100")
_NAMES: Mapping[str, str] = {"USDT": "UST", "USDC": "UDC"}
"""The venue's own names of coins."""
_METHODS: Mapping[str, tuple[str, ...]] = {
    "BITCOIN": ("BTC",), "LIGHTNING": ("LNX",), "ETHEREUM": ("ETH",), "SOL": ("SOL",), "RIPPLE": ("XRP",),
    "DOGE": ("DOGE",), "TETHERUSE": ("UST",), "TETHERUSX": ("UST",), "USDCOIN": ("UDC",),
}  # fmt: skip
Row = list[Any]


def coin(base: str) -> str:
    return _NAMES.get(base, base)


def pair(base: str, quote: str) -> str:
    """The name without its leading ``t``. No colon where both names have three letters."""
    first, second = coin(base), coin(quote)
    return f"{first}{second}" if len(first) == len(second) == 3 else f"{first}:{second}"


def perpetual(base: str, quote: str) -> str:
    return f"{coin(base)}F0:{coin(quote)}F0"


def answer(request: Request, world: World) -> Response | None:
    match [unquote(part) for part in request.path.strip("/").split("/")]:
        case ["v2", "conf", keys]:
            return json_response([_conf(key, world) for key in keys.split(",")])
        case ["v2", "platform", "status"]:
            return json_response([0 if ongoing(world) else 1])
        case ["v2", "book", name, prec]:
            return _book(name, prec, request.query.get("len", "25"), world)
        case ["v2", "ticker", name]:
            one = world.find(VENUE, name)
            return _refused("symbol: invalid") if one is None else json_response(ticker(one, world))
        case ["v2", "tickers"]:
            found = _asked(request.query.get("symbols", "ALL"), world)
            return json_response([[one.venue_id, *ticker(one, world)] for one in found])
        case ["v2", "trades", name, "hist"]:
            one = world.find(VENUE, name)
            return _refused("symbol: invalid") if one is None else json_response([trade(world.last_trade(one))])
        case ["v2", "status", "deriv"]:
            found = [one for one in _asked(request.query.get("keys", ""), world) if one.product == "linear"]
            return json_response([[one.venue_id, *deriv(world.mark(one))] for one in found])
    return None


def failure(kind: str, status: int) -> Response:
    """The venue's body for a fault. Cloudflare in front of it answers for blocked countries and timeouts."""
    match kind:
        case "limit":
            return json_response({"error": "ERR_RATE_LIMIT"}, status=status)
        case "ban":
            return json_response(["error", 11010, "ratelimit: error"], status=status)
        case "maintenance":
            return json_response(["error", 20060, "maintenance"], status=status)
        case "geo" | "timeout":
            words = "Error 1009: The owner of this website has banned the country or region your IP address is in"
            page = words if kind == "geo" else "Error 524: A timeout occurred"
            html = f"<!DOCTYPE html><html><head><title>Cloudflare</title></head><body>{page}</body></html>"
            return html_page(html, status, "cloudflare")
    words = "Sorry, the service is temporarily unavailable. See https://www.bitfinex.com/ for more info."
    body = {"code": 503, "error": "temporarily_unavailable", "error_description": words}
    return json_response(body, status=status)


def ongoing(world: World) -> bool:
    """Is the whole platform in maintenance?"""
    return any(notice.state == "ongoing" for notice in world.notices(VENUE))


def number(text: str) -> int | float:
    """Decimal text as a JSON number."""
    value = float(text)
    return int(value) if value.is_integer() else value


def javascript_number(text: str) -> str:
    """Decimal text as JavaScript prints the number: with an exponent only below one millionth."""
    value = float(text)
    if value and abs(value) < 1e-6:
        return re.sub(r"e-0", "e-", str(value).replace(".0e", "e"))
    return text.rstrip("0").rstrip(".") if "." in text else text


def level(price: str, size: str, sign: int) -> Row:
    """[price, count, amount]. Size 0 removes the level."""
    if float(size) == 0.0:
        return [number(price), 0, sign]
    return [number(price), 1 + crc32(f"{price} {size}".encode()) % 5, sign * number(size)]


def image(bids: Sequence[TextLevel], asks: Sequence[TextLevel]) -> list[Row]:
    return [*(level(*one, 1) for one in bids), *(level(*one, -1) for one in asks)]


def checksum(bids: Sequence[TextLevel], asks: Sequence[TextLevel]) -> int:
    """Signed CRC32 over the best 25 levels of each side, bid and ask in turn, best first."""
    parts = []
    for n in range(25):
        parts += [javascript_number(text) for text in bids[n]] if n < len(bids) else []
        parts += [javascript_number(asks[n][0]), "-" + javascript_number(asks[n][1])] if n < len(asks) else []
    crc = crc32(":".join(parts).encode())
    return crc - (1 << 32) if crc >> 31 else crc


def trade(one: SimTrade) -> Row:
    sign = 1 if one.side == "buy" else -1
    return [one.trade_id, ms(one.engine_ns), sign * number(one.size), number(one.price)]


def ticker(one: SimInstrument, world: World) -> Row:
    """[bid, sum of 25 bids, ask, sum of 25 asks, change, relative change, last, volume, high, low, null]"""
    book, last = world.book(one, 25), number(world.last_trade(one).price)
    bids, asks = (round(sum(float(size) for _, size in side), 8) for side in (book.bids, book.asks))
    bid, ask = (number(side[0][0]) if side else None for side in (book.bids, book.asks))
    return [bid, bids, ask, asks, 0, 0, last, 12345.67891234, last, last, None]


def deriv(mark: SimMark) -> Row:
    """23 places, most of them null; the first is the time in ms."""
    row: Row = [None] * 23
    row[0], row[2], row[3], row[5] = ms(mark.gateway_ns), number(mark.mark), number(mark.index), 1396531.67460709
    row[7], row[8], row[9], row[11] = ms(mark.next_funding_ns), 0.0001056, 6, number(mark.funding_rate)
    row[14], row[17], row[21], row[22] = number(mark.mark), 246.50209001, 0.0005, 0.0025
    return row


def liquidation(one: SimInstrument, event: SimLiquidation, number_: int, *, match: bool) -> Row:
    amount = number(event.size) * (1 if event.side == "sell" else -1)
    price = number(event.price)
    place = [1, 1] if match else [0, 1]
    return ["pos", number_, ms(event.engine_ns), None, one.venue_id, amount, price, None, *place, None, price]


def _asked(names: str, world: World) -> list[SimInstrument]:
    listed = world.instruments(VENUE)
    return [one for one in listed if names == "ALL" or one.venue_id in names.split(",")]


def _book(name: str, prec: str, length: str, world: World) -> Response:
    one = world.find(VENUE, name)
    if one is None:
        return _refused("symbol: invalid")
    if prec != "P0":
        return _refused("precision: invalid")
    if length not in REST_LENGTHS:
        return _refused("len: invalid")
    book = world.book(one, int(length))
    return json_response(image(book.bids, book.asks))


def _refused(words: str) -> Response:
    return json_response(["error", 10020, words], status=500)


def _conf(key: str, world: World) -> Any:
    """The value of one configuration key. An unknown key gives an empty list."""
    spot, linear = (world.instruments(VENUE, product) for product in ("spot", "linear"))
    coins = [*COINS, "UST", "UDC", "USD"]
    futures = [f"{name}F0" for name in [*COINS, "UST"]]
    shut = {coin(base) for base in world.no_withdraw(VENUE)}
    match key:
        case "pub:info:pair" | "pub:info:pair:futures":
            wide = key.endswith("futures")
            rows = [
                [one.venue_id[1:], [None, None, None, one.min_size, "100000"]] for one in (linear if wide else spot)
            ]
            return [[name, [*row, None, None, None, *((0.01, 0.005) if wide else (None, None))]] for name, row in rows]
        case "pub:list:pair:exchange":
            return [one.venue_id[1:] for one in spot]
        case "pub:list:pair:futures":
            return [one.venue_id[1:] for one in linear]
        case "pub:list:pair:margin":
            return ["BTCUSD", "ETHUSD"]
        case "pub:list:currency":
            return [*coins, *futures]
        case "pub:map:currency:sym":
            return [["UDC", "USDC"], ["UST", "USDt"], ["USTF0", "USDt0"]]
        case "pub:map:currency:label":
            return [["BTC", "Bitcoin"], ["ETH", "Ethereum"], ["UST", "Tether USDt"]]
        case "pub:map:currency:undl":
            return [[name, name[:-2]] for name in futures]
        case "pub:map:currency:pool":
            return [["UST", "ETH"], ["UDC", "ETH"]]
        case "pub:map:currency:tx:fee":
            return [[name, [0, 0.0004]] for name in coins]
        case "pub:map:tx:method":
            return [[method, list(names)] for method, names in _METHODS.items()]
        case "pub:info:tx:status":
            return [
                [method, 1, 0 if set(names) <= shut else 1, *[None] * 4, 0, 0, None, None, 3]
                for method, names in _METHODS.items()
            ]
    return []
