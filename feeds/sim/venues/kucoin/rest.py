"""KuCoin's public REST answers, simulated.

Shapes: the protocol sheet, the models of the official SDK 1.3.2, and what ccxt 4.5.90 reads. Spot writes numbers as
text and times in milliseconds. Futures write JSON numbers (sizes in lots) and nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from feeds.model import Product
from feeds.sim.twin import Request, Response, SimInstrument, World
from feeds.sim.venues.kucoin.books import Numbers, Row, lots, texts
from feeds.sim.wire.formats import S, bare, html_page, json_response, ms

VENUE = "kucoin"
TOKEN_NS = 24 * 3600 * S
PING_MS = 18_000
PONG_MS = 10_000
CLASSIC_PATH = "/endpoint"
POOL = 2_000
POOL_NS = 30 * S
_LISTED_MS = 1_585_555_200_000
_CHAINS: Mapping[str, tuple[str, str]] = {
    "BTC": ("BTC", "btc"), "ETH": ("ERC20", "eth"), "SOL": ("SOL", "sol"), "XRP": ("XRP", "xrp"),
    "DOGE": ("DOGE", "doge"), "USDC": ("ERC20", "eth"), "USDE": ("ERC20", "eth"), "USDT": ("TRC20", "trx"),
}  # fmt: skip


class Tokens:
    """Tokens for the classic websockets. Each is for one product and holds for 24 h."""

    def __init__(self) -> None:
        self._issued = count(1)
        self._ends: dict[str, tuple[Product, int]] = {}

    def issue(self, product: Product, now_ns: int) -> str:
        token = f"2neAiuYvAU61ZDXANAGAsiL4-{product}_{next(self._issued):06x}.WNQmhZQeUKIkh97KYgU0Lg=="
        for known in [known for known, (_, end_ns) in self._ends.items() if end_ns < now_ns]:
            del self._ends[known]
        self._ends[token] = (product, now_ns + TOKEN_NS)
        return token

    def refusal(self, token: str, product: Product, now_ns: int) -> str | None:
        """Why this token is refused, None when it is accepted."""
        known = self._ends.get(token)
        if known is None or known[0] != product:
            return "token is invalid"
        return "token is expired" if now_ns > known[1] else None


class Rest:
    """All paths of both hosts, and the request weight that all callers share."""

    def __init__(self, numbers: Callable[[SimInstrument], Numbers], tokens: Tokens) -> None:
        self._numbers, self._tokens = numbers, tokens
        self.followed: World | None = None
        """The market as the websockets have delivered it. The whole futures book comes from here, because clients
        continue it with websocket frames."""
        self._window, self._used = 0, 0

    def answer(self, request: Request, world: World) -> Response | None:
        found = self._paths(request, world)
        if found is None:
            return None
        weight, body = found
        now_ns = world.now_ns()
        window = now_ns // POOL_NS
        if window != self._window:
            self._window, self._used = window, 0
        self._used += weight
        headers = {
            "gw-ratelimit-limit": str(POOL), "gw-ratelimit-remaining": str(max(0, POOL - self._used)),
            "gw-ratelimit-reset": str(ms((window + 1) * POOL_NS - now_ns)),
        }  # fmt: skip
        if self._used > POOL:
            return _coded("429000", "Too many requests. System-level rate limit exceeded.", 429, headers)
        return body if isinstance(body, Response) else json_response({"code": "200000", "data": body}, headers=headers)

    def _paths(self, request: Request, world: World) -> tuple[int, Any] | None:
        """(weight, data or a refusal)"""
        spot = request.product == "spot"
        path = request.path
        if request.method == "POST":
            return (10, self._bullet(request, world)) if path == "/api/v1/bullet-public" else None
        if request.method != "GET":
            return None
        match path:
            case "/api/v1/timestamp":
                return 3 if spot else 2, ms(world.now_ns())
            case "/api/v1/status":
                return 3 if spot else 4, dict(zip(("status", "msg"), status(request.product, world), strict=True))
            case "/api/ua/v1/server/status":
                trade_type = request.query.get("tradeType", "")
                if trade_type not in ("SPOT", "FUTURES"):
                    return 3, _coded("400100", "tradeType is invalid")
                state, words = status("spot" if trade_type == "SPOT" else "linear", world)
                return 3, {"tradeType": trade_type, "serverStatus": state, "msg": words}
            case "/api/v1/symbols" | "/api/v2/symbols":
                return 4, [symbol_row(one) for one in world.instruments(VENUE, "spot")]
            case "/api/v1/market/allTickers":
                return 15, {"time": ms(world.now_ns()), "ticker": [spot_ticker(o, world) for o in _spot(world)]}
            case "/api/v3/currencies":
                return 3, [currency_row(code, code in world.no_withdraw(VENUE)) for code in _CHAINS]
            case "/api/v1/contracts/active":
                return 3, [contract_row(one, world) for one in world.instruments(VENUE, "linear")]
        if path.startswith("/api/v3/currencies/"):
            code = path.rpartition("/")[2]
            if code not in _CHAINS:
                return 3, _coded("900003", "The currency doesn't exist.")
            return 3, currency_row(code, code in world.no_withdraw(VENUE))
        if path.startswith("/api/v1/contracts/"):
            one = world.find(VENUE, path.rpartition("/")[2], "linear")
            return 3, _no_symbol() if one is None else contract_row(one, world)
        return self._books(path, request.query.get("symbol", ""), world)

    def _books(self, path: str, symbol: str, world: World) -> tuple[int, Any] | None:
        reader = {
            "/api/v1/market/orderbook/level1": (2, "spot", self._level1),
            "/api/v1/market/orderbook/level2_20": (2, "spot", lambda one, w: self._spot_book(one, w, 20)),
            "/api/v1/market/orderbook/level2_100": (4, "spot", lambda one, w: self._spot_book(one, w, 100)),
            "/api/v1/level2/depth20": (5, "linear", lambda one, w: self._contract_book(one, w, 20)),
            "/api/v1/level2/depth100": (10, "linear", lambda one, w: self._contract_book(one, w, 100)),
            "/api/v1/level2/snapshot": (3, "linear", self._followed_book),
            "/api/v1/ticker": (2, "linear", self._contract_ticker),
        }.get(path)
        if reader is None:
            return None
        weight, product, read = reader
        one = world.find(VENUE, symbol, "spot" if product == "spot" else "linear")
        return weight, _no_symbol() if one is None else read(one, world)

    def _bullet(self, request: Request, world: World) -> Row:
        token = self._tokens.issue(request.product, world.now_ns())
        server = {
            "endpoint": f"ws://{request.headers.get('host', '127.0.0.1')}{CLASSIC_PATH}", "encrypt": True,
            "protocol": "websocket", "pingInterval": PING_MS, "pingTimeout": PONG_MS,
        }  # fmt: skip
        return {"token": token, "instanceServers": [server]}

    def _level1(self, one: SimInstrument, world: World) -> Row:
        image, trade = world.book(one, 1), world.last_trade(one)
        bid, ask = _first(texts(image.bids)), _first(texts(image.asks))
        return {
            "time": ms(world.now_ns()), "sequence": str(self._numbers(one).at(image.seq)),
            "price": bare(trade.price), "size": bare(trade.size), "bestBid": bid[0], "bestBidSize": bid[1],
            "bestAsk": ask[0], "bestAskSize": ask[1],
        }  # fmt: skip

    def _spot_book(self, one: SimInstrument, world: World, levels: int) -> Row:
        image = world.book(one, levels)
        return {
            "time": ms(world.now_ns()), "sequence": str(self._numbers(one).at(image.seq)),
            "bids": texts(image.bids), "asks": texts(image.asks),
        }  # fmt: skip

    def _contract_book(self, one: SimInstrument, world: World, levels: int | None) -> Row:
        image = world.book(one, levels)
        sides = {
            name: [(float(price), lots(size)) for price, size in side]
            for name, side in (("bids", image.bids), ("asks", image.asks))
        }
        return {"sequence": self._numbers(one).at(image.seq), "symbol": one.venue_id, **sides, "ts": world.now_ns()}

    def _followed_book(self, one: SimInstrument, world: World) -> Row:
        """As at the venue, never newer than the websockets: frames are counted as they are sent."""
        delivered = self.followed or world
        self._numbers(one).settle(delivered.book(one, 1).seq)
        return self._contract_book(one, delivered, None)

    def _contract_ticker(self, one: SimInstrument, world: World) -> Row:
        image, trade = world.book(one, 1), world.last_trade(one)
        bid, ask = _first(texts(image.bids)), _first(texts(image.asks))
        return {
            "sequence": self._numbers(one).at(image.seq), "symbol": one.venue_id, "side": trade.side,
            "size": lots(trade.size), "tradeId": str(trade.trade_id), "price": bare(trade.price),
            "bestBidPrice": bid[0], "bestBidSize": lots(bid[1] or "0"), "bestAskPrice": ask[0],
            "bestAskSize": lots(ask[1] or "0"), "ts": trade.engine_ns,
        }  # fmt: skip


def failure(kind: str, status: int) -> Response:
    """KuCoin's body for a fault.

    Code 429000 means overload or limit; the header with the limit that is left says which.
    """
    match kind, status:
        case "ban", _:
            page = "<html><head><title>Access denied | api.kucoin.com used Cloudflare</title></head><body>Error 1015 You are being rate limited</body></html>"  # noqa: E501 - one page as the CDN sends it
            return html_page(page, status, "cloudflare")
        case "geo", _:
            words = "Our services are currently unavailable in the U.S. To ensure a seamless experience, please access our platform from a non-restricted country/region."  # noqa: E501 - one text as KuCoin sends it
            return _coded("400302", words, status)
        case "maintenance", _:
            return _coded("503000", "Service unavailable: system upgrading", status)
        case "timeout", _:
            return _coded("408000", "Network timeout, please try again later", status)
        case ("limit", _) | (_, 429):
            left = "0" if kind == "limit" else "1990"
            headers = {"gw-ratelimit-limit": str(POOL), "gw-ratelimit-remaining": left, "gw-ratelimit-reset": "9000"}
            return _coded("429000", "Too many requests. System-level rate limit exceeded.", status, headers)
        case _, 503:
            return _coded("503000", "Service unavailable", status)
        case _:
            return _coded("500000", "Internal Server Error", status)


def status(product: Product, world: World) -> tuple[str, str]:
    """(``open`` or ``close``, remark)"""
    for notice in world.notices(VENUE):
        if notice.state in ("ongoing", "incident") and (not notice.products or product in notice.products):
            return "close", notice.text
    return "open", ""


def symbol_row(one: SimInstrument) -> Row:
    return {
        "symbol": one.venue_id, "name": one.venue_id, "baseCurrency": one.base, "quoteCurrency": one.quote,
        "feeCurrency": one.quote, "market": "USDS", "baseMinSize": bare(one.min_size), "quoteMinSize": "0.1",
        "baseMaxSize": "10000000000", "quoteMaxSize": "99999999", "baseIncrement": bare(one.lot),
        "quoteIncrement": "0.000001", "priceIncrement": bare(one.tick), "priceLimitRate": "0.1", "minFunds": "0.1",
        "isMarginEnabled": True, "enableTrading": True, "feeCategory": 1, "makerFeeCoefficient": "1.00",
        "takerFeeCoefficient": "1.00", "st": False, "callauctionIsEnabled": False, "tradingStartTime": None,
    }  # fmt: skip


def contract_row(one: SimInstrument, world: World) -> Row:
    mark, trade = world.mark(one), world.last_trade(one)
    return {
        "symbol": one.venue_id, "rootSymbol": "USDT", "type": "FFWCSX", "firstOpenDate": _LISTED_MS,
        "expireDate": None, "settleDate": None, "baseCurrency": "XBT" if one.base == "BTC" else one.base,
        "quoteCurrency": one.quote, "settleCurrency": one.quote, "maxOrderQty": 1_000_000, "maxPrice": 1_000_000.0,
        "lotSize": int(float(one.lot)), "tickSize": float(one.tick), "indexPriceTickSize": float(one.tick),
        "multiplier": float(one.contract_size), "initialMargin": 0.008, "maintainMargin": 0.004,
        "makerFeeRate": float(one.maker_fee), "takerFeeRate": float(one.taker_fee), "isDeleverage": True,
        "isQuanto": False, "isInverse": False, "markMethod": "FairPrice", "fairMethod": "FundingRate",
        "status": "Open", "fundingFeeRate": float(mark.funding_rate),
        "fundingRateGranularity": mark.interval_h * 3_600_000, "openInterest": "8724443",
        "turnoverOf24h": 0.0, "volumeOf24h": 0.0, "markPrice": float(mark.mark), "indexPrice": float(mark.index),
        "lastTradePrice": float(trade.price), "nextFundingRateTime": ms(mark.next_funding_ns - world.now_ns()),
        "nextFundingRateDateTime": ms(mark.next_funding_ns), "maxLeverage": 125, "lowPrice": float(trade.price),
        "highPrice": float(trade.price), "priceChgPct": 0.0, "priceChg": 0.0,
    }  # fmt: skip


def spot_ticker(one: SimInstrument, world: World) -> Row:
    """The simulated market has no yesterday: the 24 h figures are those of a day with one trade, the last one."""
    image, last = world.book(one, 1), bare(world.last_trade(one).price)
    bid, ask = _first(texts(image.bids)), _first(texts(image.asks))
    return {
        "symbol": one.venue_id, "symbolName": one.venue_id, "buy": bid[0], "bestBidSize": bid[1], "sell": ask[0],
        "bestAskSize": ask[1], "changeRate": "0", "changePrice": "0", "high": last, "low": last, "vol": "0",
        "volValue": "0", "last": last, "averagePrice": last, "takerFeeRate": one.taker_fee,
        "makerFeeRate": one.maker_fee, "takerCoefficient": "1", "makerCoefficient": "1",
    }  # fmt: skip


def currency_row(code: str, shut: bool = False) -> Row:
    name, chain_id = _CHAINS[code]
    chain = {
        "chainName": name, "withdrawalMinSize": "1", "depositMinSize": None, "withdrawFeeRate": "0",
        "withdrawalMinFee": "0.5", "isWithdrawEnabled": not shut, "isDepositEnabled": True, "confirms": 12,
        "preConfirms": 12, "contractAddress": "", "withdrawPrecision": 8, "maxWithdraw": None, "maxDeposit": None,
        "needTag": code == "XRP", "chainId": chain_id,
    }  # fmt: skip
    return {
        "currency": code, "name": code, "fullName": code, "precision": 8, "confirms": None, "contractAddress": None,
        "isMarginEnabled": True, "isDebitEnabled": True, "chains": [chain],
    }  # fmt: skip


def _spot(world: World) -> list[SimInstrument]:
    return list(world.instruments(VENUE, "spot"))


def _first(side: list[tuple[str, str]]) -> tuple[str, str]:
    return side[0] if side else ("", "")


def _no_symbol() -> Response:
    return _coded("400100", "Unsupported trading pair.")


def _coded(code: str, words: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return json_response({"code": code, "msg": words}, status, headers)
