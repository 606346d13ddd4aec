"""MEXC's public REST answers, simulated.

Shapes: the protocol sheet, what ccxt 4.5.90 reads (``mexc.py``) and the typed models of typed-mexc 2.3.0. Spot writes
numbers as text and objects without an envelope. Perpetuals write JSON numbers inside ``{"success", "code", "data"}``.
Every update of a book raises its version by ``STEP``, because one push of MEXC covers many versions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import BookImage, Request, Response, SimInstrument, TextLevel, World
from feeds.sim.wire.formats import bare, count_in, html_page, json_response, ms

Row = dict[str, Any]

VENUE = "mexc"
STEP = 3
MOST_LEVELS: Mapping[str, int] = {"spot": 2_000, "linear": 1_500}
_LISTED_MS = 1_591_242_684_000
_WAF = """<HTML><HEAD>
<TITLE>Access Denied</TITLE>
</HEAD><BODY>
<H1>Access Denied</H1>
You don't have permission to access "http://api.mexc.com/" on this server.
</BODY>
</HTML>"""


def answer(request: Request, world: World) -> Response | None:
    if request.method != "GET":
        return None
    if request.path.startswith("/api/v1/contract/"):
        return _contract(request.path.removeprefix("/api/v1/contract/"), request, world)
    match request.path:
        case "/api/v3/ping":
            return json_response({})
        case "/api/v3/time":
            return json_response({"serverTime": ms(world.now_ns())})
        case "/api/v3/exchangeInfo":
            return json_response(exchange_info(world))
        case "/api/v3/defaultSymbols":
            names = [one.venue_id for one in world.instruments(VENUE, "spot")]
            return json_response({"code": 200, "data": names, "msg": None})
        case "/api/v3/depth":
            return _spot_depth(request, world)
        case "/api/v3/ticker/bookTicker":
            return _one_or_all(request, world, lambda one: book_ticker(one, world))
        case "/api/v3/trades":
            return _by_name(request, world, lambda one: [spot_trade(one, world)])
        case _:
            return None


def failure(kind: str, status: int) -> Response:
    """MEXC's body for a fault, as its contract API writes it. Its firewall (WAF) answers bans and blocked countries."""
    match kind:
        case "limit":
            said, headers = (510, "Requests are too frequent, please try again later!"), {"retry-after": "2"}
        case "geo" | "ban":
            return html_page(_WAF, status, "AkamaiGHost")
        case "maintenance":
            said, headers = (500, "Under maintenance"), {}
        case "timeout":
            said, headers = (500, "Internal error: request timed out"), {}
        case _:
            said, headers = (501, "System busy"), {}
    return json_response({"success": False, "code": said[0], "message": said[1]}, status, headers)


def version(one: SimInstrument, seq: int) -> int:
    """The version of a book after batch ``seq``. Every book has its own range."""
    return 40_000_000_000 + crc32(one.venue_id.encode()) % 1_000_000 * 1_000 + seq * STEP


def rows(side: Sequence[TextLevel]) -> list[list[float | int]]:
    """Levels of perpetuals: [price, contracts, number of orders]. A removed level has 0 in both counts."""
    return [[float(price), size := int(float(raw)), 1 + size % 4 if size else 0] for price, raw in side]


def exchange_info(world: World) -> Row:
    return {
        "timezone": "CST", "serverTime": ms(world.now_ns()), "rateLimits": [], "exchangeFilters": [],
        "symbols": [symbol_row(one) for one in world.instruments(VENUE, "spot")],
    }  # fmt: skip


def symbol_row(one: SimInstrument) -> Row:
    return {
        "symbol": one.venue_id, "status": "1", "baseAsset": one.base, "baseAssetPrecision": decimals_of(one.lot),
        "quoteAsset": one.quote, "quotePrecision": decimals_of(one.tick), "quoteAssetPrecision": decimals_of(one.tick),
        "baseCommissionPrecision": decimals_of(one.lot), "quoteCommissionPrecision": decimals_of(one.tick),
        "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"], "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False, "quoteAmountPrecision": "1", "baseSizePrecision": one.min_size,
        "permissions": ["SPOT"], "filters": [], "maxQuoteAmount": "2000000", "makerCommission": one.maker_fee,
        "takerCommission": one.taker_fee, "quoteAmountPrecisionMarket": "1", "maxQuoteAmountMarket": "100000",
        "fullName": one.base, "tradeSideType": 1, "contractAddress": "", "st": False,
    }  # fmt: skip


def contract_row(one: SimInstrument) -> Row:
    number = crc32(one.venue_id.encode()) % 1_000
    return {
        "symbol": one.venue_id, "displayName": f"{one.venue_id}永续", "displayNameEn": f"{one.venue_id} PERPETUAL",
        "positionOpenType": 3, "baseCoin": one.base, "quoteCoin": one.quote, "settleCoin": one.quote,
        "contractSize": float(one.contract_size), "minLeverage": 1, "maxLeverage": 400,
        "countryConfigContractMaxLeverage": 0, "priceScale": decimals_of(one.tick), "volScale": decimals_of(one.lot),
        "amountScale": 4, "priceUnit": float(one.tick), "volUnit": int(float(one.lot)),
        "minVol": int(float(one.min_size)), "maxVol": 2_000_000, "bidLimitPriceRate": 0.1, "askLimitPriceRate": 0.1,
        "takerFeeRate": float(one.taker_fee), "makerFeeRate": float(one.maker_fee), "maintenanceMarginRate": 0.004,
        "initialMarginRate": 0.005, "riskBaseVol": 1_000_000, "riskIncrVol": 1_000_000, "riskIncrMmr": 0.004,
        "riskIncrImr": 0.004, "riskLevelLimit": 5, "riskLimitMode": "INCREASE", "riskLimitType": "BY_VOLUME",
        "riskLongShortSwitch": 0, "priceCoefficientVariation": 0.1, "indexOrigin": ["BITGET", "BYBIT", "MEXC", "OKX"],
        "state": 0, "isNew": False, "isHot": True, "isHidden": False, "isMaxLeverage": False,
        "isZeroFeeRate": False, "isZeroFeeSymbol": False, "conceptPlate": ["mc-trade-zone-pow"],
        "conceptPlateId": [1], "baseCoinId": f"{number:032x}", "baseCoinName": one.base, "quoteCoinName": one.quote,
        "baseCoinIconUrl": "", "id": number, "fn": one.base, "futureType": 1, "apiAllowed": True, "appraisal": 0,
        "automaticDelivery": 0, "createTime": _LISTED_MS, "openingTime": _LISTED_MS, "openingCountdownOption": 1,
        "depthStepList": [one.tick], "feeRateMode": "NORMAL", "feeRateType": "NORMAL", "leverageFeeRates": [],
        "limitMaxVol": 2_000_000, "liquidationFeeRate": 0.0002, "marketOrderMaxLevel": 20,
        "marketOrderPriceLimitRate1": 0.05, "marketOrderPriceLimitRate2": 0.05, "maxNumOrders": [200, 50],
        "preMarket": False, "showAppraisalCountdown": 0, "showBeforeOpen": True, "stopOnlyFair": False,
        "tagIdList": [], "threshold": 0, "tieredFeeRates": [], "triggerProtect": 0.1, "type": 1, "typeLabel": 1,
        "vid": f"{number:032x}",
    }  # fmt: skip


def ticker_row(one: SimInstrument, world: World) -> Row:
    """The simulated market has no yesterday: the 24 h figures are those of a day with one trade, the last one."""
    image, mark, trade = world.book(one, 1), world.mark(one), world.last_trade(one)
    price = float(trade.price)
    bid, ask = (float(side[0][0]) if side else None for side in (image.bids, image.asks))
    return {
        "contractId": crc32(one.venue_id.encode()) % 1_000, "symbol": one.venue_id, "lastPrice": price,
        "bid1": bid, "ask1": ask, "volume24": 164_586_129, "amount24": 616_543_072.2, "holdVol": 2_284_742,
        "lower24Price": price, "high24Price": price, "riseFallRate": 0.0, "riseFallValue": 0.0,
        "indexPrice": float(mark.index), "fairPrice": float(mark.mark), "fundingRate": float(mark.funding_rate),
        "maxBidPrice": price * 1.1, "minAskPrice": price * 0.9, "timestamp": ms(world.now_ns()),
        "riseFallRates": {"zone": "UTC+8", "r": 0.0, "v": 0.0, "r7": 0.0, "r30": 0.0, "r90": 0.0, "r180": 0.0,
                          "r365": 0.0},
        "riseFallRatesOfTimezone": [0.0, 0.0, 0.0],
    }  # fmt: skip


def funding_row(one: SimInstrument, world: World) -> Row:
    mark = world.mark(one)
    return {
        "symbol": one.venue_id, "fundingRate": float(mark.funding_rate), "maxFundingRate": 0.0018,
        "minFundingRate": -0.0018, "collectCycle": mark.interval_h, "nextSettleTime": ms(mark.next_funding_ns),
        "timestamp": ms(mark.gateway_ns), "fairPrice": float(mark.mark), "idxPrice": float(mark.index),
    }  # fmt: skip


def book_ticker(one: SimInstrument, world: World) -> Row:
    image = world.book(one, 1)
    (bid, bid_size), (ask, ask_size) = (side[0] if side else ("", "") for side in (image.bids, image.asks))
    return {"symbol": one.venue_id, "bidPrice": bid, "bidQty": bid_size, "askPrice": ask, "askQty": ask_size}


def spot_trade(one: SimInstrument, world: World) -> Row:
    trade = world.last_trade(one)
    return {
        "id": None, "price": trade.price, "qty": trade.size, "quoteQty": bare(trade.price),
        "time": ms(trade.engine_ns), "isBuyerMaker": trade.side == "sell", "isBestMatch": True,
        "tradeType": "BID" if trade.side == "buy" else "ASK",
    }  # fmt: skip


def contract_book(one: SimInstrument, image: BookImage, now_ns: int) -> Row:
    return {
        "asks": rows(image.asks), "bids": rows(image.bids), "version": version(one, image.seq),
        "timestamp": ms(now_ns),
    }  # fmt: skip


def _spot_depth(request: Request, world: World) -> Response:
    levels = count_in(request.query, "limit", 100, MOST_LEVELS["spot"])
    if levels is None:
        return _spot_error(-1100, "Illegal characters found in parameter 'limit'")

    def book(one: SimInstrument) -> Row:
        image = world.book(one, levels)
        return {
            "lastUpdateId": version(one, image.seq), "bids": image.bids, "asks": image.asks,
            "timestamp": ms(world.now_ns()),
        }  # fmt: skip

    return _by_name(request, world, book)


def _contract(path: str, request: Request, world: World) -> Response | None:
    now_ns = world.now_ns()
    name, _, rest = path.partition("/")
    match name:
        case "ping":
            return _good(ms(now_ns))
        case "detail":
            return _contracts(request, world, contract_row)
        case "ticker":
            return _contracts(request, world, lambda one: ticker_row(one, world))
    symbol, _, wanted = rest.partition("/")
    one = world.find(VENUE, symbol, "linear")
    if name not in ("depth", "depth_commits", "funding_rate", "fair_price", "index_price", "deals"):
        return None
    if one is None:
        return _no_contract()
    mark = world.mark(one)
    match name:
        case "depth":
            levels = count_in(request.query, "limit", MOST_LEVELS["linear"], MOST_LEVELS["linear"])
            if levels is None:
                return json_response({"success": False, "code": 600, "message": "Parameter error"})
            return _good(contract_book(one, world.book(one, levels), now_ns))
        case "depth_commits":
            return _good([contract_book(one, world.book(one, 20), now_ns)]) if wanted.isdecimal() else None
        case "funding_rate":
            return _good(funding_row(one, world))
        case "fair_price":
            return _good({"symbol": symbol, "fairPrice": float(mark.mark), "timestamp": ms(now_ns)})
        case "index_price":
            return _good({"symbol": symbol, "indexPrice": float(mark.index), "timestamp": ms(now_ns)})
        case _:
            return _good([deal_row(one, world)])


def deal_row(one: SimInstrument, world: World) -> Row:
    trade = world.last_trade(one)
    return {
        "p": float(trade.price), "v": int(float(trade.size)), "T": 1 if trade.side == "buy" else 2, "O": 3, "M": 2,
        "t": ms(trade.engine_ns), "i": str(13_000_000_000 + trade.trade_id),
    }  # fmt: skip


def _contracts(request: Request, world: World, row: Callable[[SimInstrument], Row]) -> Response:
    symbol = request.query.get("symbol")
    if not symbol:
        return _good([row(one) for one in world.instruments(VENUE, "linear")])
    one = world.find(VENUE, symbol, "linear")
    return _no_contract() if one is None else _good(row(one))


def _one_or_all(request: Request, world: World, row: Callable[[SimInstrument], Row]) -> Response:
    if not request.query.get("symbol"):
        return json_response([row(one) for one in world.instruments(VENUE, "spot")])
    return _by_name(request, world, row)


def _by_name(request: Request, world: World, row: Callable[[SimInstrument], Any]) -> Response:
    one = world.find(VENUE, request.query.get("symbol", ""), "spot")
    return _spot_error(-1121, "Invalid symbol.") if one is None else json_response(row(one))


def _good(data: object) -> Response:
    return json_response({"success": True, "code": 0, "data": data})


def _no_contract() -> Response:
    return json_response({"success": False, "code": 1001, "message": "Contract does not exist!"})


def _spot_error(code: int, words: str) -> Response:
    return json_response({"code": code, "msg": words, "_extend": None}, 400)
