"""Bybit's public REST answers (API v5), simulated.

Shapes: the protocol sheet, instruments and tickers as captured in August 2026, and what ccxt 4.5.90 reads. Linear
prices keep the decimals of their tick; spot prices and sizes have no trailing zeros. Every answer is an envelope with
``time``, the gateway's milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_DNS, uuid5
from zlib import crc32

from feeds.model import Product, StatusNotice
from feeds.sim.twin import Request, Response, SimInstrument, SimMark, SimTrade, TextLevel, Top, World
from feeds.sim.wire.best import top_of
from feeds.sim.wire.formats import bare, count_in, html_page, json_response, ms, ms_text, times

Row = dict[str, Any]

VENUE = "bybit"
CATEGORIES: Mapping[str, Product] = {"spot": "spot", "linear": "linear", "inverse": "inverse"}
OPEN_INTEREST = "50000"
"""In base coin; the simulated market has no open interest. Never empty: ccxt recognizes a contract's ticker by it."""
_LAUNCHED_MS = "1585526400000"
_STATES: Mapping[str, str] = {
    "scheduled": "scheduled",
    "ongoing": "ongoing",
    "incident": "ongoing",
    "completed": "completed",
}
_STATUS_PRODUCTS: Mapping[Product, int] = {"linear": 1, "inverse": 1, "spot": 2}


def answer(request: Request, world: World) -> Response | None:
    if request.method != "GET":
        return None
    match request.path:
        case "/v5/market/time":
            now_ns = world.now_ns()
            return _good({"timeSecond": str(now_ns // 1_000_000_000), "timeNano": str(now_ns)}, world)
        case "/v5/market/orderbook":
            return _book(request, world, most=1000)
        case "/v5/market/full_orderbook":
            return _book(request, world, most=10_000)
        case "/v5/market/instruments-info":
            return _instruments(request, world)
        case "/v5/market/tickers":
            return _tickers(request, world)
        case "/v5/market/recent-trade":
            return _trades(request, world)
        case "/v5/system/status":
            state = request.query.get("state")
            rows = [row for row in status_rows(world.notices(VENUE)) if state in (None, "", row["state"])]
            return _good({"list": rows}, world, words="")
        case "/v5/announcements/index":
            return _good({"total": 0, "list": []}, world)
        case _:
            return None


def failure(kind: str, status: int) -> Response:
    """Bybit's body for a fault. 403 is its IP limit or, with the CDN's page, a blocked country."""
    if kind == "geo":
        page = (
            '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">\n'
            '<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">\n'
            "<TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY><H1>403 ERROR</H1>\n"
            "The Amazon CloudFront distribution is configured to block access from your country.\n</BODY></HTML>"
        )
        return html_page(page, status, "CloudFront")
    if status == 403:
        return Response(body="access too frequent", status=403, headers={"content-type": "text/plain"})
    match kind, status:
        case ("limit", _) | ("ban", _):
            code, words = 10006, "Too many visits. Exceeded the API Rate Limit."
        case "timeout", _:
            code, words = 10000, "Server Timeout"
        case _, 429:
            code, words = 10429, "System level frequency protection"
        case "maintenance", _:
            code, words = 10016, "Service is restarting. Please try again later."
        case _:
            code, words = 10016, "Internal server error."
    return json_response({"retCode": code, "retMsg": words, "result": {}, "retExtInfo": {}}, status)


def cross_seq(instrument: SimInstrument, seq: int) -> int:
    """The engine's sequence number: the same on every depth. It grows, but not by one."""
    return (crc32(instrument.venue_id.encode()) << 7) + 9 * seq + 4 * seq % 7


def update_id(instrument: SimInstrument, seq: int) -> int:
    return crc32(instrument.route.encode()) % 90_000_000 + 10_000_000 + seq


def price(one: SimInstrument, number: str) -> str:
    return bare(number) if one.product == "spot" else number


def size(one: SimInstrument, number: str) -> str:
    removed = number.strip("0.") == ""
    return "0" if removed else price(one, number)


def levels(one: SimInstrument, side: Sequence[TextLevel]) -> list[tuple[str, str]]:
    return [(price(one, level), size(one, amount)) for level, amount in side]


def head(spot: bool, topic: str, kind: str, push_ns: int) -> Row:
    """The first keys of a websocket message. Spot writes ``ts`` before ``type``, linear after it."""
    at = {"ts": ms(push_ns)}
    return {"topic": topic} | (at | {"type": kind} if spot else {"type": kind} | at)


def linear_ticker(one: SimInstrument, top: Top | None, trade: SimTrade, mark: SimMark) -> Row:
    """The simulated market has no yesterday: the 24 h figures are those of a day with one trade, the last one."""
    return {
        "symbol": one.venue_id, "tickDirection": "ZeroPlusTick", "price24hPcnt": "0", "lastPrice": trade.price,
        "prevPrice24h": trade.price, "highPrice24h": trade.price, "lowPrice24h": trade.price,
        "prevPrice1h": trade.price, "markPrice": mark.mark, "indexPrice": mark.index,
        "openInterest": OPEN_INTEREST, "openInterestValue": times(mark.mark, OPEN_INTEREST),
        "turnover24h": times(trade.price, trade.size), "volume24h": trade.size,
        "fundingIntervalHour": str(mark.interval_h), "fundingCap": "0.005",
        "nextFundingTime": ms_text(mark.next_funding_ns), "fundingRate": mark.funding_rate, **_best(one, top),
        "preOpenPrice": "", "preQty": "", "curPreListingPhase": "",
    }  # fmt: skip


def spot_ticker(one: SimInstrument, trade: SimTrade) -> Row:
    last = bare(trade.price)
    return {
        "symbol": one.venue_id, "lastPrice": last, "highPrice24h": last, "lowPrice24h": last, "prevPrice24h": last,
        "volume24h": bare(trade.size), "turnover24h": times(trade.price, trade.size), "price24hPcnt": "0",
        "usdIndexPrice": last,
    }  # fmt: skip


def _best(one: SimInstrument, top: Top | None) -> Row:
    if top is None:
        return {"bid1Price": "", "bid1Size": "", "ask1Price": "", "ask1Size": ""}
    return {
        "bid1Price": price(one, top.bid[0]), "bid1Size": size(one, top.bid[1]),
        "ask1Price": price(one, top.ask[0]), "ask1Size": size(one, top.ask[1]),
    }  # fmt: skip


def trade_id(one: SimInstrument, trade: SimTrade) -> str:
    """Spot ids are numbers as text. Linear ids are UUIDs."""
    if one.product == "spot":
        return str(2_280_000_000_000_000_000 + trade.trade_id)
    return str(uuid5(NAMESPACE_DNS, f"{one.venue_id}.{trade.trade_id}"))


def status_rows(notices: Sequence[StatusNotice]) -> list[Row]:
    """``normal`` has no row. serviceTypes: 1-3 trading, 4 private websocket, 5 market data."""
    return [
        {
            "id": str(uuid5(NAMESPACE_DNS, f"{notice.text}.{notice.begin_ns}")), "title": notice.text,
            "state": _STATES[notice.state], "begin": ms_text(notice.begin_ns), "end": ms_text(notice.end_ns),
            "href": "", "serviceTypes": [1, 2, 3, 5] if notice.market_data else [4],
            "product": sorted({_STATUS_PRODUCTS[product] for product in notice.products}) or [1, 2, 3, 4],
            "uidSuffix": [], "maintainType": 3 if notice.state == "incident" else 1, "env": 1,
        }
        for notice in notices
        if notice.state in _STATES
    ]  # fmt: skip


def instrument_row(one: SimInstrument) -> Row:
    if one.product == "spot":
        return {
            "symbolId": crc32(one.venue_id.encode()) % 10_000, "symbol": one.venue_id, "baseCoin": one.base,
            "quoteCoin": one.quote, "innovation": "0", "status": "Trading", "marginTrading": "utaOnly", "stTag": "0",
            "lotSizeFilter": {
                "basePrecision": bare(one.lot), "quotePrecision": "0.0000001", "minOrderQty": bare(one.min_size),
                "maxOrderQty": "1000000", "minOrderAmt": "5", "maxOrderAmt": "8000000", "maxLimitOrderQty": "1000000",
                "maxMarketOrderQty": "500000", "postOnlyMaxLimitOrderSize": "5000000",
            },
            "priceFilter": {"tickSize": bare(one.tick)},
            "riskParameters": {"priceLimitRatioX": "0.005", "priceLimitRatioY": "0.01"},
            "symbolType": "", "xstockMultiplier": "1",
        }  # fmt: skip
    return {
        "symbol": one.venue_id, "contractType": "InversePerpetual" if one.inverse else "LinearPerpetual",
        "status": "Trading", "baseCoin": one.base, "quoteCoin": one.quote, "launchTime": _LAUNCHED_MS,
        "deliveryTime": "0", "deliveryFeeRate": "", "priceScale": str(len(one.tick.partition(".")[2])),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": one.tick, "maxPrice": "1999999.80", "tickSize": one.tick},
        "lotSizeFilter": {
            "maxOrderQty": "1000000", "minOrderQty": one.min_size, "qtyStep": one.lot,
            "postOnlyMaxOrderQty": "1000000", "maxMktOrderQty": "500000", "minNotionalValue": "5",
        },
        "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": one.symbol.partition(":")[2],
        "copyTrading": "both", "upperFundingRate": "0.005", "lowerFundingRate": "-0.005", "isPreListing": False,
        "preListingInfo": None, "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
        "displayName": "", "symbolType": "",
    }  # fmt: skip


def _listed(request: Request, world: World) -> Sequence[SimInstrument] | Response:
    """The instruments of a request, by ``category`` and optional ``symbol``, or its refusal."""
    category, symbol = request.query.get("category", ""), request.query.get("symbol", "")
    if category == "option":
        return ()
    if category not in CATEGORIES:
        return _bad("params error: Category is invalid", world)
    listed = world.instruments(VENUE, CATEGORIES[category])
    if not symbol:
        return listed
    return [one for one in listed if one.venue_id == symbol] or _bad("params error: symbol invalid " + symbol, world)


def _book(request: Request, world: World, most: int) -> Response:
    category = request.query.get("category", "")
    full = most > 1000
    usual = most if full else (1 if category == "spot" else 25)
    limit = count_in(request.query, "limit", usual, most)
    if not request.query.get("symbol"):
        return _bad("params error: Symbol Is Invalid", world)
    if limit is None or (full and category != "spot"):
        return _bad("params error: limit is invalid" if limit is None else "params error: Category is invalid", world)
    found = _listed(request, world)
    if isinstance(found, Response):
        return found
    if not found:
        return _bad("params error: symbol invalid " + request.query["symbol"], world)
    one = found[0]
    image = world.book(one, limit)
    result = {
        "s": one.venue_id, "b": levels(one, image.bids), "a": levels(one, image.asks), "ts": ms(world.now_ns()),
        "u": update_id(one, image.seq), "seq": cross_seq(one, image.seq), "cts": ms(image.engine_ns),
    }  # fmt: skip
    return _good(result, world)


def _instruments(request: Request, world: World) -> Response:
    """Pages of ``limit`` instruments (default 500). Spot has one page and no cursor."""
    found = _listed(request, world)
    if isinstance(found, Response):
        return found
    category = request.query["category"]
    if request.query.get("status", "Trading") not in ("", "Trading"):
        found = ()
    if category == "spot":
        return _good({"category": category, "list": [instrument_row(one) for one in found]}, world)
    limit = count_in(request.query, "limit", 500, 1000)
    cursor = request.query.get("cursor", "")
    after = cursor.removeprefix("after_")
    start = next((i + 1 for i, one in enumerate(found) if one.venue_id == after), None) if cursor else 0
    if limit is None or start is None:
        return _bad("params error: Invalid cursor" if start is None else "params error: limit is invalid", world)
    page = found[start : start + limit]
    more = start + limit < len(found)
    rows = [instrument_row(one) for one in page]
    return _good(
        {"category": category, "list": rows, "nextPageCursor": f"after_{page[-1].venue_id}" if more else ""}, world
    )


def _tickers(request: Request, world: World) -> Response:
    found = _listed(request, world)
    if isinstance(found, Response):
        return found
    rows = []
    for one in found:
        top, trade = top_of(one, world), world.last_trade(one)
        if one.product == "spot":
            rows.append(spot_ticker(one, trade) | _best(one, top))
        else:
            rows.append(linear_ticker(one, top, trade, world.mark(one)))
    return _good({"category": request.query["category"], "list": rows}, world)


def _trades(request: Request, world: World) -> Response:
    found = _listed(request, world)
    if isinstance(found, Response):
        return found
    rows = [
        {
            "execId": trade_id(one, trade), "symbol": one.venue_id, "price": price(one, trade.price),
            "size": size(one, trade.size), "side": trade.side.capitalize(), "time": ms_text(trade.engine_ns),
            "isBlockTrade": False, "isRPITrade": False,
        }
        for one in found[:1]
        for trade in [world.last_trade(one)]
    ]  # fmt: skip
    return _good({"category": request.query["category"], "list": rows}, world)


def _good(result: Row, world: World, words: str = "OK") -> Response:
    now_ms = ms(world.now_ns())
    return json_response({"retCode": 0, "retMsg": words, "result": result, "retExtInfo": {}, "time": now_ms})


def _bad(words: str, world: World) -> Response:
    now_ms = ms(world.now_ns())
    return json_response({"retCode": 10001, "retMsg": words, "result": {}, "retExtInfo": {}, "time": now_ms})
