"""Binance's public REST answers, simulated: request weights, error bodies, books, instruments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from feeds.model import Product
from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import Request, Response, SimInstrument, World
from feeds.sim.venues.binance.streams import book_id, pair_of
from feeds.sim.wire.formats import MS

PERPETUAL_DELIVERY_MS = 4_133_404_800_000
WEIGHT_LIMITS: Mapping[str, int] = {"spot": 6_000, "linear": 2_400, "inverse": 2_400}
"""Per minute and IP (sheet, heading 2)."""
SPOT_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1_000, 50), (5_000, 250))
LINEAR_DEPTH_WEIGHTS = ((50, 2), (100, 5), (500, 10), (1_000, 20))
LINEAR_DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1_000)
ROOTS: Mapping[str, Product] = {"/api/v3/": "spot", "/fapi/v1/": "linear", "/dapi/v1/": "inverse"}
ERRORS: Mapping[str, tuple[int, str]] = {
    "overload": (-1008, "Request throttled by system-level protection. Reduce-only/close-position orders are exempt."),
    "limit": (-1003, "Too many requests; current limit of IP is 2400 requests per minute."),
    "ban": (-1003, "Way too many requests; IP banned until 9999999999999. Please use the websocket for live updates."),
    "maintenance": (-1016, "This service is no longer available."),
    "timeout": (-1007, "Timeout waiting for response from backend server. Send status unknown; execution unknown."),
}
GEO_TEXT = (
    "Service unavailable from a restricted location according to 'b. Eligibility' in "
    "https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in "
    "error."
)
WINDOW_NS = 60_000_000_000


class Weights:
    """Request weight used in the running minute, per pool of one IP. USD-M and COIN-M share a pool."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[int, int]] = {}

    def add(self, product: Product, weight: int, now_ns: int) -> int:
        """Weight used in this minute, with this call."""
        window, pool = now_ns // WINDOW_NS, "spot" if product == "spot" else "futures"
        last_window, used = self._used.get(pool, (window, 0))
        used = used + weight if window == last_window else weight
        self._used[pool] = (window, used)
        return used


def answer(request: Request, world: World, weights: Weights) -> Response | None:
    path = request.path
    if path == "/sapi/v1/system/status":
        return _json(_system_status(world))
    if path == "/eapi/v1/exchangeInfo":
        return _json({**_limits(world, "linear"), "optionSymbols": []})
    for root, product in ROOTS.items():
        if path.startswith(root):
            return _weighed(product, path.removeprefix(root), request.query, world, weights)
    return None


def _weighed(product: Product, name: str, query: Mapping[str, str], world: World, weights: Weights) -> Response | None:
    """One call of a product, counted, with the used weight in its headers. None: no such path."""
    weight = _weight(product, name, query)
    if weight is None:
        return None
    used, limit = weights.add(product, weight, world.now_ns()), WEIGHT_LIMITS[product]
    if used > limit:
        return failure("ban", 418) if used > 2 * limit else failure("limit", 429)
    made = _answer(product, name, query, world)
    headers = {"x-mbx-used-weight": str(used), "x-mbx-used-weight-1m": str(used)}
    return Response(body=made.body, status=made.status, headers={**made.headers, **headers})


def failure(kind: str, status: int) -> Response:
    if kind == "geo":
        return _json({"code": 0, "msg": GEO_TEXT}, status)
    if kind == "overload" and status == 503:
        # USD-M's own overload body is bare text (sheet, heading 2)
        return Response(body="Service Unavailable.", status=503, headers={"Content-Type": "text/plain"})
    code, text = ERRORS.get(kind, (-1000, "An unknown error occurred while processing the request."))
    made = _json({"code": code, "msg": text}, status)
    if status in (418, 429):
        return Response(body=made.body, status=status, headers={**made.headers, "Retry-After": "30"})
    return made


def _json(body: object, status: int = 200) -> Response:
    return Response(
        body=msgspec.json.encode(body), status=status, headers={"Content-Type": "application/json;charset=UTF-8"}
    )


def _bad(code: int, text: str) -> Response:
    return _json({"code": code, "msg": text}, 400)


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "")
    if not text:
        return 100
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def depth(product: Product, instrument: SimInstrument, limit: int, world: World) -> dict[str, Any]:
    """A depth answer. Its id lies inside the id range of the next event, as in a snapshot taken between two events."""
    image = world.book(instrument, min(limit, 5_000))
    body: dict[str, Any] = {"lastUpdateId": book_id(image.seq) + 1}
    if product == "inverse":
        body |= {"symbol": instrument.venue_id, "pair": pair_of(instrument)}
    if product != "spot":
        body |= {"E": world.now_ns() // MS, "T": image.engine_ns // MS}
    return body | {"bids": image.bids, "asks": image.asks}


def _row(product: Product, name: str, instrument: SimInstrument, world: World) -> dict[str, Any]:
    now_ms = world.now_ns() // MS
    if name == "premiumIndex":
        mark = world.mark(instrument)
        return {
            "symbol": instrument.venue_id,
            "markPrice": mark.mark,
            "indexPrice": mark.index,
            "estimatedSettlePrice": mark.index,
            "lastFundingRate": mark.funding_rate,
            "interestRate": "0.00010000",
            "nextFundingTime": mark.next_funding_ns // MS,
            "time": now_ms,
        }
    if name == "openInterest":
        return {"openInterest": "84210.512", "symbol": instrument.venue_id, "time": now_ms}
    return book_ticker(product, instrument, world)


def book_ticker(product: Product, instrument: SimInstrument, world: World) -> dict[str, Any]:
    image = world.book(instrument, 1)
    bid, ask = (image.bids or (("0", "0"),))[0], (image.asks or (("0", "0"),))[0]
    row: dict[str, Any] = {"symbol": instrument.venue_id, "bidPrice": bid[0], "bidQty": bid[1]}
    row |= {"askPrice": ask[0], "askQty": ask[1]}
    if product == "inverse":
        row["pair"] = pair_of(instrument)
    if product != "spot":
        row |= {"time": image.engine_ns // MS, "lastUpdateId": book_id(image.seq) + 1}
    return row


def _limits(world: World, product: Product) -> dict[str, Any]:
    weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
    limits: list[dict[str, Any]] = [{**weight, "limit": WEIGHT_LIMITS[product]}]
    if product == "spot":
        limits.append({"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300_000})
    return {
        "timezone": "UTC",
        "serverTime": world.now_ns() // MS,
        "rateLimits": limits,
        "exchangeFilters": [],
    }


def _exchange_info(product: Product, world: World) -> dict[str, Any]:
    symbol = {"spot": _spot_symbol, "linear": _linear_symbol, "inverse": _inverse_symbol}[product]
    return {**_limits(world, product), "symbols": [symbol(one) for one in world.instruments("binance", product)]}


def _filters(one: SimInstrument) -> list[dict[str, Any]]:
    lot = {"minQty": one.min_size, "maxQty": "900000000", "stepSize": one.lot}
    return [
        {"filterType": "PRICE_FILTER", "minPrice": one.tick, "maxPrice": "100000000", "tickSize": one.tick},
        {"filterType": "LOT_SIZE", **lot},
        {"filterType": "MARKET_LOT_SIZE", **lot},
    ]


def _spot_symbol(one: SimInstrument) -> dict[str, Any]:
    return {
        "symbol": one.venue_id,
        "status": "TRADING",
        "baseAsset": one.base,
        "baseAssetPrecision": 8,
        "quoteAsset": one.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            *_filters(one),
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "maxNotional": "9000000"},
        ],
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]],
    }


def _linear_symbol(one: SimInstrument) -> dict[str, Any]:
    return {
        "symbol": one.venue_id,
        "pair": one.venue_id,
        "contractType": "PERPETUAL",
        "deliveryDate": PERPETUAL_DELIVERY_MS,
        "onboardDate": 1_569_398_400_000,
        "status": "TRADING",
        "baseAsset": one.base,
        "quoteAsset": one.quote,
        "marginAsset": one.quote,
        "pricePrecision": decimals_of(one.tick),
        "quantityPrecision": decimals_of(one.lot),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": [*_filters(one), {"filterType": "MIN_NOTIONAL", "notional": "50"}],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _inverse_symbol(one: SimInstrument) -> dict[str, Any]:
    """As USD-M's, but with another key for the state, and a contract worth a fixed number of dollars."""
    row = _linear_symbol(one) | {"pair": pair_of(one), "marginAsset": one.base, "filters": _filters(one)}
    del row["status"]
    return row | {"contractStatus": "TRADING", "contractSize": int(one.contract_size), "equalQtyPrecision": 4}


def _weight(product: Product, name: str, query: Mapping[str, str]) -> int | None:
    """Request weight of one call. None: no such path."""
    single = "symbol" in query
    if name == "depth":
        limit = _limit(query)
        steps = SPOT_DEPTH_WEIGHTS if product == "spot" else LINEAR_DEPTH_WEIGHTS
        return next((weight for most, weight in steps if limit <= most), steps[-1][1])
    common = {"ping": 1, "time": 1, "exchangeInfo": 20 if product == "spot" else 1}
    common["ticker/bookTicker"] = 2 if single else 4 if product == "spot" else 5
    if product != "spot":
        common |= {"premiumIndex": 1 if single else 10, "fundingInfo": 1, "openInterest": 1}
    return common.get(name)


def _answer(product: Product, name: str, query: Mapping[str, str], world: World) -> Response:
    if name == "ping":
        return _json({})
    if name == "time":
        return _json({"serverTime": world.now_ns() // MS})
    if name == "exchangeInfo":
        return _json(_exchange_info(product, world))
    if name == "fundingInfo":
        # lists only symbols whose interval is not 8 h; there is none
        return _json([])
    symbol = query.get("symbol")
    if symbol is None:
        if name in ("depth", "openInterest"):
            return _bad(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        return _json([_row(product, name, one, world) for one in world.instruments("binance", product)])
    instrument = world.find("binance", symbol, product)
    if instrument is None:
        return _bad(-1121, "Invalid symbol.")
    if name != "depth":
        return _json(_row(product, name, instrument, world))
    limit = _limit(query)
    if limit < 1 or (product != "spot" and limit not in LINEAR_DEPTH_LIMITS):
        return _bad(-4021, f"{query.get('limit')} is not valid depth limit.")
    return _json(depth(product, instrument, limit, world))


def _system_status(world: World) -> dict[str, Any]:
    """Status 1 during maintenance. An incident is only a text beside status 0 (assumed)."""
    for notice in world.notices("binance"):
        if notice.state == "ongoing":
            return {"status": 1, "msg": notice.text or "system_maintenance"}
        if notice.state == "incident":
            return {"status": 0, "msg": notice.text}
    return {"status": 0, "msg": "normal"}
