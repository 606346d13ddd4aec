"""BingX's public REST answers, simulated, and the rows that the websockets share with them.

Shapes: the protocol sheet, request and answer samples of BingX.Net, and what ccxt 4.5.90 reads. Errors also come with
HTTP 200. Coin-margined perpetuals are only listed, because ccxt insists on reading that list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

from feeds.model import Product
from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import Request, Response, SimInstrument, SimTrade, TextLevel, World
from feeds.sim.wire.formats import bare, count_in, html_page, json_response, ms, times

Row = dict[str, Any]

VENUE = "bingx"
_BUSY = "The current system is busy, please try again later"
_SWAP_LIMITS = frozenset({5, 10, 20, 50, 100, 500, 1000})
_LAUNCHED_MS = 1_586_275_200_000


def answer(request: Request, world: World) -> Response | None:
    if request.method != "GET":
        return None
    prefix, _, path = request.path.rstrip("/").partition("/openApi/")
    if prefix:
        return None
    symbol = request.query.get("symbol", "")

    def of_one(product: Product, make: Callable[[SimInstrument], object]) -> Response:
        one = world.find(VENUE, symbol, product)
        if one is not None:
            return _good(product, world, make(one))
        if not symbol:
            return _bad(109400, "Invalid parameters, err:symbol: This field is required")
        return _bad(109425, f"{symbol} not exist, please verify it")

    def of_all(product: Product, make: Callable[[SimInstrument], object]) -> Response:
        return _good(product, world, [make(one) for one in world.instruments(VENUE, product)])

    match path:
        case "swap/v2/server/time":
            return _good("linear", world, {"serverTime": ms(world.now_ns())})
        case "swap/v2/quote/contracts":
            return of_all("linear", contract_row)
        case "swap/v2/quote/premiumIndex":
            return of_one("linear", lambda o: premium_row(o, world)) if symbol else of_all(
                "linear", lambda o: premium_row(o, world)
            )  # fmt: skip
        case "swap/v2/quote/depth":
            limit = count_in(request.query, "limit", 20, 1000)
            if limit is None or limit not in _SWAP_LIMITS:
                return _bad(109400, "Invalid parameters, err:limit must be one of 5,10,20,50,100,500,1000")
            levels: int = limit
            return of_one("linear", lambda o: swap_book(o, world, levels))
        case "swap/v2/quote/bookTicker":
            return of_one("linear", lambda o: {"book_ticker": swap_best(o, world)})
        case "swap/v2/quote/trades":
            return of_one("linear", lambda o: [swap_trade(o, world.last_trade(o))])
        case "cswap/v1/market/contracts":
            return json_response({"code": 0, "msg": "", "timestamp": ms(world.now_ns()), "data": [inverse_row()]})
        case "spot/v1/server/time":
            return _good("spot", world, {"serverTime": ms(world.now_ns())})
        case "spot/v1/common/symbols":
            return _good("spot", world, {"symbols": [symbol_row(one) for one in world.instruments(VENUE, "spot")]})
        case "spot/v1/market/depth":
            limit = count_in(request.query, "limit", 20, 1000)
            if limit is None:
                return _bad(100400, "limit is invalid")
            return of_one("spot", lambda o: spot_book(o, world, limit) | {"ts": ms(world.now_ns())})
        case "spot/v1/market/trades":
            return of_one("spot", lambda o: [spot_trade(world.last_trade(o))])
        case _:
            return None


def failure(kind: str, status: int) -> Response:
    """BingX's body for a fault. The front before its servers answers with HTML pages."""
    match kind:
        case "limit":
            return _bad(100410, "rate limited", status)
        case "overload":
            return _bad(100500, _BUSY, status)
        case "timeout":
            return _bad(100500, "request timeout", status)
        case "maintenance":
            return _bad(100503, "The system is under maintenance", status)
        case "geo":
            return _page(status, "The distribution is configured to block access from your country.")
        case _:
            return _page(status, "Request blocked.")


def update_id(one: SimInstrument, seq: int) -> int:
    """On spot it grows by one a batch, as documented; on perpetuals by 4 to 8, within what was measured (2 to 9)."""
    base = 13_565_000_000 + crc32(one.route.encode()) % 90_000
    return base + (seq if one.product == "spot" else 5 * seq + 7 * seq % 4)


def levels(one: SimInstrument, side: Sequence[TextLevel]) -> list[tuple[str, str]]:
    """A removed level has size zero, written with all decimals of the lot."""
    digits = decimals_of(one.lot)
    none = f"0.{'0' * digits}" if digits else "0"
    return [(price, none if not size.strip("0.") else size) for price, size in side]


def sides(one: SimInstrument, bids: Sequence[TextLevel], asks: Sequence[TextLevel]) -> Row:
    """Both sides; on spot, asks come worst price first."""
    return {"bids": levels(one, bids), "asks": levels(one, asks[::-1] if one.product == "spot" else asks)}


def swap_book(one: SimInstrument, world: World, limit: int) -> Row:
    image = world.book(one, limit)
    both = sides(one, image.bids, image.asks)
    return {"T": ms(image.engine_ns)} | both | {f"{name}Coin": side for name, side in both.items()}


def spot_book(one: SimInstrument, world: World, limit: int) -> Row:
    image = world.book(one, limit)
    return sides(one, image.bids, image.asks) | {"lastUpdateId": update_id(one, image.seq)}


def swap_best(one: SimInstrument, world: World) -> Row:
    image = world.book(one, 1)
    row: Row = {"symbol": one.venue_id}
    for name, side in (("bid", image.bids), ("ask", image.asks)):
        price, size = side[0] if side else ("0", "0")
        row |= {f"{name}_price": float(price), f"{name}_qty": float(size)}
    return row


def swap_trade(one: SimInstrument, trade: SimTrade) -> Row:
    return {
        "time": ms(trade.engine_ns), "isBuyerMaker": trade.side == "sell", "price": trade.price, "qty": trade.size,
        "quoteQty": times(trade.price, trade.size),
    }  # fmt: skip


def spot_trade(trade: SimTrade) -> Row:
    return {
        "id": trade.trade_id, "price": float(trade.price), "qty": float(trade.size), "time": ms(trade.engine_ns),
        "buyerMaker": trade.side == "sell",
    }  # fmt: skip


def premium_row(one: SimInstrument, world: World) -> Row:
    mark = world.mark(one)
    return {
        "symbol": one.venue_id, "markPrice": mark.mark, "indexPrice": mark.index, "lastFundingRate": mark.funding_rate,
        "nextFundingTime": ms(mark.next_funding_ns), "fundingIntervalHours": mark.interval_h,
        "minFundingRate": "-0.02", "maxFundingRate": "0.02", "updateTime": ms(mark.gateway_ns),
    }  # fmt: skip


def contract_row(one: SimInstrument) -> Row:
    return {
        "contractId": str(100 + crc32(one.venue_id.encode()) % 900), "symbol": one.venue_id, "size": bare(one.lot),
        "quantityPrecision": decimals_of(one.lot), "pricePrecision": decimals_of(one.tick), "feeRate": one.taker_fee,
        "makerFeeRate": one.maker_fee, "takerFeeRate": one.taker_fee, "tradeMinLimit": 0,
        "tradeMinQuantity": float(one.min_size), "tradeMinUSDT": 2, "maxLongLeverage": 125, "maxShortLeverage": 125,
        "currency": one.quote, "asset": one.base, "status": 1, "apiStateOpen": "true", "apiStateClose": "true",
        "ensureTrigger": True, "triggerFeeRate": "0.00020000", "launchTime": _LAUNCHED_MS, "maintainTime": 0,
        "offTime": 0, "displayName": one.venue_id,
    }  # fmt: skip


def symbol_row(one: SimInstrument) -> Row:
    return {
        "symbol": one.venue_id, "minQty": float(one.min_size), "maxQty": 1_000_000.0, "minNotional": 5,
        "maxNotional": 500_000, "status": 1, "tickSize": float(one.tick), "stepSize": float(one.lot),
        "apiStateSell": True, "apiStateBuy": True, "timeOnline": 0, "offTime": 0, "maintainTime": 0,
    }  # fmt: skip


def inverse_row() -> Row:
    return {
        "symbol": "BTC-USD", "pricePrecision": 1, "minTickSize": "100", "minTradeValue": "100", "minQty": "1.00000000",
        "status": 1, "timeOnline": 1_713_175_200_000,
    }  # fmt: skip


def _good(product: Product, world: World, data: object) -> Response:
    at = {"timestamp": ms(world.now_ns())} if product == "spot" else {"msg": ""}
    return json_response({"code": 0} | at | {"data": data}, headers=_COUNTED)


_COUNTED: Mapping[str, str] = {"x-ratelimit-requests-remain": "499", "x-ratelimit-requests-expire": "10"}


def _bad(code: int, words: str, status: int = 200) -> Response:
    return json_response({"code": code, "msg": words, "data": {}}, status)


def _page(status: int, words: str) -> Response:
    page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1><p>{words}</p></body></html>"
    return html_page(page, status)
