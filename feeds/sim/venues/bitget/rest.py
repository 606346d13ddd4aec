"""Bitget's public REST answers (v2 and v3), simulated.

Shapes: the protocol sheet, Bitget's own examples, and what ccxt 4.5.90 reads (``bitget.py``). An answer is ``{"code",
"msg", "requestTime", "data"}``. Numbers are text, except in the depth of futures and in the depth of v3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

from feeds.model import Product
from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import BookImage, Request, Response, SimInstrument, SimMark, SimTrade, TextLevel, World
from feeds.sim.wire.formats import bare, count_in, html_page, json_response, ms, ms_text, times

Row = dict[str, Any]

VENUE = "bitget"
CATEGORIES: Mapping[str, Product] = {"SPOT": "spot", "USDT-FUTURES": "linear"}
EMPTY_CATEGORIES = ("COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES", "MARGIN")
CALLS_PER_SECOND = 20
NARROW_PATHS: Mapping[str, int] = {"/api/v2/spot/public/coins": 3}
OPEN_INTEREST = "29539.3825"
"""In base coin; the simulated market has no open interest."""
_MERGE_LIMITS = ("1", "5", "15", "50", "max")
_CHAINS: Mapping[str, str] = {"BTC": "BTC", "SOL": "SOL", "XRP": "XRP", "DOGE": "DOGE"}


class Calls:
    """Calls per second on each path. The header of every answer carries what is left."""

    def __init__(self) -> None:
        self._second = 0
        self._made: dict[str, int] = {}

    def left(self, path: str, now_ns: int) -> int:
        """What is left after this call. Negative: refused."""
        second = now_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            self._made.clear()
        self._made[path] = self._made.get(path, 0) + 1
        return NARROW_PATHS.get(path, CALLS_PER_SECOND) - self._made[path]


def answer(request: Request, world: World) -> Response | None:
    if request.method != "GET":
        return None
    match request.path.removeprefix("/api/"):
        case "v2/public/time" | "v3/public/time":
            return _good({"serverTime": ms_text(world.now_ns())}, world)
        case "v2/public/annoucements":
            return _good([_announcement(notice.text, notice.begin_ns) for notice in world.notices(VENUE)], world)
        case "v2/spot/public/symbols":
            return _rows(request, world, "SPOT", spot_row)
        case "v2/spot/public/coins":
            return _coins(request, world)
        case "v2/margin/currencies":
            return _rows(request, world, "SPOT", _margin_row)
        case "v2/mix/market/contracts":
            return _rows(request, world, None, contract_row)
        case "v3/market/instruments":
            return _rows(request, world, None, unified_row)
        case "v2/spot/market/tickers":
            return _rows(request, world, "SPOT", lambda one: classic_ticker_of(one, world))
        case "v2/mix/market/tickers" | "v2/mix/market/ticker":
            return _rows(request, world, None, lambda one: classic_ticker_of(one, world))
        case "v3/market/tickers":
            return _rows(request, world, None, lambda one: {"category": category(one)} | ticker_of(one, world))
        case "v2/mix/market/current-fund-rate" | "v3/market/current-fund-rate":
            return _rows(request, world, "USDT-FUTURES", lambda one: _funding_row(one, world.mark(one)))
        case "v2/spot/market/fills":
            return _rows(request, world, "SPOT", lambda one: classic_trade(one, world.last_trade(one)))
        case "v2/mix/market/fills":
            return _rows(request, world, None, lambda one: classic_trade(one, world.last_trade(one)))
        case "v3/market/fills":
            return _rows(request, world, None, lambda one: _fill_row(one, world.last_trade(one)))
        case "v2/spot/market/orderbook":
            return _book(request, world, "SPOT", count_in(request.query, "limit", 150, 150), _classic_depth)
        case "v2/mix/market/merge-depth":
            limit = request.query.get("limit", "100")
            levels = {"max": 1000}.get(limit) or (int(limit) if limit in (*_MERGE_LIMITS, "100") else None)
            return _book(request, world, None, levels, _merged_depth)
        case "v3/market/orderbook":
            return _book(request, world, None, count_in(request.query, "limit", 5, 200), _unified_depth)
        case _:
            return None


def limited(left: int) -> Response:
    body = {"code": "429", "msg": "Too Many Requests"}
    return json_response(body, 429, {"x-mbx-used-remain-limit": str(max(0, left))})


def failure(kind: str, status: int) -> Response:
    """Bitget's body for a fault. CloudFront in front of it refuses countries and repeated abuse."""
    match kind, status:
        case ("geo", _) | ("ban", _):
            blocked = "The Amazon CloudFront distribution is configured to block access from your country."
            reason = blocked if kind == "geo" else "Request blocked."
            page = (
                "<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY><H1>403 ERROR</H1>"
                f"\n{reason}\n</BODY></HTML>"
            )
            return html_page(page, status, "CloudFront")
        case ("limit", _) | (_, 429):
            return json_response({"code": "429", "msg": "Too Many Requests"}, status)
        case "maintenance", _:
            code, words = "40200", "Server upgrade, please try again later"
        case "timeout", _:
            code, words = "40010", "Request timed out"
        case _, 500:
            code, words = "40015", "System is abnormal, please try again later"
        case _:
            code, words = "45001", "Unknown error"
    return json_response({"code": code, "msg": words, "requestTime": 0, "data": None}, status)


def category(one: SimInstrument) -> str:
    return "SPOT" if one.product == "spot" else "USDT-FUTURES"


def best_of(one: SimInstrument, world: World) -> tuple[TextLevel | None, TextLevel | None]:
    image = world.book(one, 1)
    return (image.bids[0] if image.bids else None), (image.asks[0] if image.asks else None)


def unified_trade(one: SimInstrument, trade: SimTrade) -> Row:
    return {
        "i": trade_id(trade), "p": bare(trade.price), "v": bare(trade.size), "S": trade.side,
        "T": ms_text(trade.engine_ns), "L": str(int(trade_id(trade)) + 1), "isRPI": "no",
    }  # fmt: skip


def classic_trade(one: SimInstrument, trade: SimTrade) -> Row:
    return {
        "ts": ms_text(trade.engine_ns), "price": trade.price, "size": trade.size, "side": trade.side,
        "tradeId": trade_id(trade),
    }  # fmt: skip


def trade_id(trade: SimTrade) -> str:
    return str(1_432_912_488_000_000_000 + trade.trade_id)


def ticker(
    one: SimInstrument, best: tuple[TextLevel | None, TextLevel | None], trade: SimTrade, mark: SimMark | None
) -> Row:
    """v3's. The simulated market has no yesterday: the 24 h figures are those of a day with one trade, the last one."""
    last = bare(trade.price)
    bid, ask = (("", "") if level is None else (bare(level[0]), bare(level[1])) for level in best)
    row: Row = {
        "highPrice24h": last, "lowPrice24h": last, "openPrice24h": last, "lastPrice": last,
        "turnover24h": times(trade.price, trade.size), "volume24h": bare(trade.size),
        "bid1Price": bid[0], "ask1Price": ask[0], "bid1Size": bid[1], "ask1Size": ask[1], "price24hPcnt": "0",
    }  # fmt: skip
    if mark is None:
        return row
    return row | {
        "indexPrice": bare(mark.index), "markPrice": bare(mark.mark), "fundingRate": bare(mark.funding_rate),
        "openInterest": OPEN_INTEREST, "deliveryTime": "", "deliveryStartTime": "", "deliveryStatus": "",
        "nextFundingTime": ms_text(mark.next_funding_ns),
    }  # fmt: skip


def classic_ticker(
    one: SimInstrument,
    best: tuple[TextLevel | None, TextLevel | None],
    trade: SimTrade,
    mark: SimMark | None,
    now_ns: int,
) -> Row:
    """v2's."""
    bid, ask = (("", "") if level is None else level for level in best)
    row: Row = {
        "instId": one.venue_id, "lastPr": trade.price, "bidPr": bid[0], "askPr": ask[0], "bidSz": bid[1],
        "askSz": ask[1], "open24h": trade.price, "high24h": trade.price, "low24h": trade.price, "change24h": "0",
        "baseVolume": trade.size, "quoteVolume": times(trade.price, trade.size), "openUtc": trade.price,
        "changeUtc24h": "0",
    }  # fmt: skip
    if mark is not None:
        row |= {
            "fundingRate": bare(mark.funding_rate), "nextFundingTime": ms_text(mark.next_funding_ns),
            "markPrice": mark.mark, "indexPrice": mark.index, "holdingAmount": OPEN_INTEREST, "symbolType": "1",
            "symbol": one.venue_id, "deliveryPrice": "0",
        }  # fmt: skip
    return row | {"ts": ms_text(now_ns)}


def ticker_of(one: SimInstrument, world: World) -> Row:
    mark = None if one.product == "spot" else world.mark(one)
    row = ticker(one, best_of(one, world), world.last_trade(one), mark)
    return {"symbol": one.venue_id, "ts": ms_text(world.now_ns())} | row


def classic_ticker_of(one: SimInstrument, world: World) -> Row:
    mark = None if one.product == "spot" else world.mark(one)
    row = classic_ticker(one, best_of(one, world), world.last_trade(one), mark, world.now_ns())
    return {"symbol": one.venue_id} | row


def spot_row(one: SimInstrument) -> Row:
    return {
        "symbol": one.venue_id, "baseCoin": one.base, "quoteCoin": one.quote, "minTradeAmount": "0",
        "maxTradeAmount": "900000000000000000000", "takerFeeRate": one.taker_fee, "makerFeeRate": one.maker_fee,
        "pricePrecision": str(decimals_of(one.tick)), "quantityPrecision": str(decimals_of(one.lot)),
        "quotePrecision": "8", "status": "online", "minTradeUSDT": "1", "buyLimitPriceRatio": "0.05",
        "sellLimitPriceRatio": "0.05", "areaSymbol": "no", "orderQuantity": "400", "openTime": "1532454360000",
        "offTime": "",
    }  # fmt: skip


def contract_row(one: SimInstrument) -> Row:
    places = decimals_of(one.tick)
    return {
        "symbol": one.venue_id, "baseCoin": one.base, "quoteCoin": one.quote, "buyLimitPriceRatio": "0.05",
        "sellLimitPriceRatio": "0.05", "feeRateUpRatio": "0.005", "makerFeeRate": one.maker_fee,
        "takerFeeRate": one.taker_fee, "openCostUpRatio": "0.01", "supportMarginCoins": [one.quote],
        "minTradeNum": one.min_size, "priceEndStep": str(int(one.tick.replace(".", ""))),
        "volumePlace": str(decimals_of(one.lot)), "pricePlace": str(places), "sizeMultiplier": one.lot,
        "symbolType": "perpetual", "minTradeUSDT": "5", "maxSymbolOrderNum": "200", "maxProductOrderNum": "1000",
        "maxPositionNum": "150", "symbolStatus": "normal", "offTime": "-1", "limitOpenTime": "-1",
        "deliveryTime": "", "deliveryStartTime": "", "deliveryPeriod": "", "launchTime": "", "fundInterval": "8",
        "minLever": "1", "maxLever": "125", "posLimit": "0.1", "maintainTime": "",
    }  # fmt: skip


def unified_row(one: SimInstrument) -> Row:
    """v3's. ccxt reads the price step from the number of decimals, so ticks here must be powers of ten."""
    row: Row = {
        "symbol": one.venue_id, "category": category(one), "baseCoin": one.base, "quoteCoin": one.quote,
        "buyLimitPriceRatio": "0.05", "sellLimitPriceRatio": "0.05", "minOrderQty": one.min_size, "maxOrderQty": "0",
        "pricePrecision": str(decimals_of(one.tick)), "quantityPrecision": str(decimals_of(one.lot)),
        "quotePrecision": "8", "minOrderAmount": "1", "maxSymbolOrderNum": "400", "maxProductOrderNum": "400",
        "status": "online", "maintainTime": "",
    }  # fmt: skip
    if one.product == "spot":
        return row
    return row | {
        "feeRateUpRatio": "0.005", "makerFeeRate": one.maker_fee, "takerFeeRate": one.taker_fee,
        "openCostUpRatio": "0.01", "priceMultiplier": one.tick, "quantityMultiplier": one.lot, "type": "perpetual",
        "maxPositionNum": "150", "offTime": "-1", "limitOpenTime": "-1", "deliveryTime": "", "deliveryStartTime": "",
        "deliveryPeriod": "", "launchTime": "", "fundInterval": "8", "minLeverage": "1", "maxLeverage": "125",
    }  # fmt: skip


def _margin_row(one: SimInstrument) -> Row:
    return {
        "symbol": one.venue_id, "baseCoin": one.base, "quoteCoin": one.quote, "maxCrossedLeverage": "3",
        "maxIsolatedLeverage": "10", "warningRiskRatio": "0.8", "liquidationRiskRatio": "1", "minTradeAmount": "0.0001",
        "maxTradeAmount": "", "takerFeeRate": one.taker_fee, "makerFeeRate": one.maker_fee,
        "pricePrecision": str(decimals_of(one.tick)), "quantityPrecision": str(decimals_of(one.lot)),
        "minTradeUSDT": "1", "isBorrowable": True, "userMinBorrow": "0.00000001", "status": "1",
        "isIsolatedBaseBorrowable": True, "isIsolatedQuoteBorrowable": True, "isCrossBorrowable": True,
    }  # fmt: skip


def _funding_row(one: SimInstrument, mark: SimMark) -> Row:
    return {
        "symbol": one.venue_id, "fundingRate": bare(mark.funding_rate), "fundingRateInterval": str(mark.interval_h),
        "nextUpdate": ms_text(mark.next_funding_ns), "minFundingRate": "-0.003", "maxFundingRate": "0.003",
    }  # fmt: skip


def _fill_row(one: SimInstrument, trade: SimTrade) -> Row:
    return {
        "execId": trade_id(trade), "price": bare(trade.price), "size": bare(trade.size), "side": trade.side,
        "ts": ms_text(trade.engine_ns),
    }  # fmt: skip


def _announcement(words: str, begin_ns: int | None) -> Row:
    return {
        "annId": str(12_560_603_000_000 + crc32(words.encode()) % 1_000_000), "annTitle": words, "annDesc": "",
        "annType": "maintenance_system_updates", "annSubType": "system_updates", "language": "en_US", "annUrl": "",
        "cTime": ms_text(begin_ns),
    }  # fmt: skip


def _coins(request: Request, world: World) -> Response:
    """Booleans are text here."""
    listed = {coin for one in world.instruments(VENUE) for coin in (one.base, one.quote)}
    wanted = request.query.get("coin", "")
    if wanted and wanted not in listed:
        return _bad("40034", f"Parameter {wanted} does not exist", world)
    rows = [
        {
            "coinId": str(crc32(coin.encode()) % 10_000), "coin": coin, "transfer": "true",
            "chains": [
                {
                    "chain": _CHAINS.get(coin, "ERC20"), "needTag": "true" if coin == "XRP" else "false",
                    "withdrawable": "false" if coin in world.no_withdraw(VENUE) else "true",
                    "rechargeable": "true", "withdrawFee": "0.005", "extraWithdrawFee": "0",
                    "depositConfirm": "1", "withdrawConfirm": "1", "minDepositAmount": "0.001",
                    "minWithdrawAmount": "0.001", "browserUrl": "", "contractAddress": None, "withdrawStep": "0",
                    "withdrawMinScale": "8", "congestion": "normal",
                }
            ],
            "areaCoin": "no",
        }
        for coin in ([wanted] if wanted else sorted(listed))
    ]  # fmt: skip
    return _good(rows, world)


def _listed(request: Request, world: World, fixed: str | None) -> Sequence[SimInstrument] | Response:
    """The instruments of a request, by kind and optional ``symbol``, or its refusal.

    v2 calls the kind ``productType``.
    """
    key = "category" if request.path.startswith("/api/v3/") else "productType"
    kind = fixed or request.query.get(key, "").upper()
    symbol = request.query.get("symbol", "")
    if kind in EMPTY_CATEGORIES:
        return ()
    if kind not in CATEGORIES or (kind == "SPOT" and key == "productType" and fixed is None):
        return _bad("40020" if kind else "40019", f"Parameter {key} {'error' if kind else 'cannot be empty'}", world)
    listed = world.instruments(VENUE, CATEGORIES[kind])
    if not symbol:
        return listed
    return [one for one in listed if one.venue_id == symbol] or _bad(
        "40034", f"Parameter {symbol} does not exist", world
    )


def _rows(request: Request, world: World, fixed: str | None, row: Callable[[SimInstrument], Row]) -> Response:
    found = _listed(request, world, fixed)
    return found if isinstance(found, Response) else _good([row(one) for one in found], world)


def _book(
    request: Request,
    world: World,
    fixed: str | None,
    levels: int | None,
    depth: Callable[[SimInstrument, BookImage, int], Row],
) -> Response:
    if not request.query.get("symbol"):
        return _bad("40019", "Parameter symbol cannot be empty", world)
    if levels is None:
        return _bad("40020", "Parameter limit error", world)
    found = _listed(request, world, fixed)
    if isinstance(found, Response):
        return found
    if not found:
        return _bad("40034", f"Parameter {request.query['symbol']} does not exist", world)
    return _good(depth(found[0], world.book(found[0], levels), ms(world.now_ns())), world)


def _classic_depth(one: SimInstrument, image: BookImage, now_ms: int) -> Row:
    return {"asks": image.asks, "bids": image.bids, "ts": str(now_ms)}


def _merged_depth(one: SimInstrument, image: BookImage, now_ms: int) -> Row:
    return {
        "asks": _numbers(image.asks), "bids": _numbers(image.bids), "ts": str(now_ms), "scale": one.tick,
        "precision": "scale0", "isMaxPrecision": "NO",
    }  # fmt: skip


def _unified_depth(one: SimInstrument, image: BookImage, now_ms: int) -> Row:
    return {"a": _numbers(image.asks), "b": _numbers(image.bids), "ts": str(now_ms)}


def _numbers(side: Sequence[TextLevel]) -> list[tuple[float, float]]:
    return [(float(price), float(size)) for price, size in side]


def _good(data: object, world: World) -> Response:
    return json_response({"code": "00000", "msg": "success", "requestTime": ms(world.now_ns()), "data": data})


def _bad(code: str, words: str, world: World) -> Response:
    return json_response({"code": code, "msg": words, "requestTime": ms(world.now_ns()), "data": None}, 400)
