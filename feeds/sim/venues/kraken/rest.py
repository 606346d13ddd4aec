"""Kraken's public REST answers, simulated: spot (``/0/public``) and derivatives (``/derivatives/api/v3``).

Shapes: the protocol sheet, third-party captures of 2021 and 2022, and what ccxt 4.5.90 (``kraken``,
``krakenfutures``), cryptofeed 2.4.1 and python-kraken-sdk 3.5.1 read. The simulated market has no traded volumes;
volumes here are round figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Raw

from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import Request, Response, SimInstrument, SimMark, TextLevel, World
from feeds.sim.wire.formats import bare, count_in, iso, json_response, ms

Row = dict[str, Any]

VENUE = "kraken"
SPOT = "/0/public"
FUTURES = "/derivatives/api/v3"
HOUR_NS = 3_600_000_000_000
ASSETS: Mapping[str, tuple[str, str, int]] = {
    "BTC": ("XXBT", "XBT", 10), "ETH": ("XETH", "ETH", 10), "SOL": ("SOL", "SOL", 10), "XRP": ("XXRP", "XRP", 8),
    "DOGE": ("XXDG", "XDG", 8), "USDC": ("USDC", "USDC", 8), "USDE": ("USDE", "USDE", 8), "USD": ("ZUSD", "USD", 4),
}  # fmt: skip
"""Coin -> Kraken's id, its other name, and decimals of a balance."""
VOLUME = 1000
_MOST_LEVELS = 500


def spot_id(base: str, quote: str) -> str:
    """``XXBTZUSD`` where both coins have old ids, else their other names together (``SOLUSD``)."""
    (base_id, base_name, _), (quote_id, quote_name, _) = ASSETS[base], ASSETS[quote]
    return base_id + quote_id if base_id.startswith("XX") or base == "ETH" else base_name + quote_name


def futures_id(base: str, quote: str) -> str:
    return f"PF_{ASSETS[base][1]}{quote}"


def number(text: str) -> Raw:
    """Decimal text as a JSON number with the same digits."""
    return Raw(bare(text).encode())


def answer(request: Request, world: World) -> Response | None:
    if request.method != "GET":
        return None
    if request.path.startswith(SPOT):
        return _spot(request.path.removeprefix(SPOT).strip("/"), request.query, world)
    if request.path.startswith(FUTURES):
        return _futures(request.path.removeprefix(FUTURES).strip("/").split("/"), request.query, world)
    return None


def failure(kind: str, status: int) -> Response:
    """Kraken's body for a fault: spot's errors, and Cloudflare's pages where its servers are not reached."""
    match kind:
        case "overload":
            return _errors("EService:Unavailable" if status != 500 else "EGeneral:Internal error", status)
        case "limit":
            return _errors("EAPI:Rate limit exceeded", status)
        case "maintenance":
            return _errors("EService:Market in cancel_only mode", status)
        case "geo":
            return _page(status, "Kraken is not available in your country or region")
        case "ban":
            return _page(status, "Access denied")
        case _:
            return _page(status, "A timeout occurred")


# -- spot


def _spot(path: str, query: Mapping[str, str], world: World) -> Response | None:
    now_s = world.now_ns() // 1_000_000_000
    listed = world.instruments(VENUE, "spot")
    match path:
        case "Time":
            return _good({"unixtime": now_s, "rfc1123": iso(world.now_ns(), 1)})
        case "SystemStatus":
            halted = any(notice.state == "ongoing" for notice in world.notices(VENUE))
            word = "maintenance" if halted else "online"
            return _good({"status": word, "timestamp": f"{iso(world.now_ns(), 1)[:19]}Z"})
        case "Assets":
            shut = world.no_withdraw(VENUE)
            return _good({row[0]: _asset(*row, shut=coin in shut) for coin, row in ASSETS.items()})
        case "AssetPairs" if not query.get("pair"):
            return _good({one.venue_id: _pair(one) for one in listed})
        case "AssetPairs" | "Depth" | "Ticker" | "Trades":
            found = _named(query.get("pair", ""), listed)
            if found is None:
                return _errors("EQuery:Unknown asset pair", 200)
            # a pair asked for by its websocket name is answered under that name
            name = query["pair"] if "/" in query["pair"] else found.venue_id
            return _about(path, name, found, query, world)
        case _:
            return None


def _about(path: str, name: str, one: SimInstrument, query: Mapping[str, str], world: World) -> Response:
    now_s = world.now_ns() // 1_000_000_000
    trade = world.last_trade(one)
    match path:
        case "AssetPairs":
            return _good({name: _pair(one)})
        case "Depth":
            count = count_in(query, "count", 100, _MOST_LEVELS)
            if count is None:
                return _errors("EGeneral:Invalid arguments:count", 200)
            image = world.book(one, count)
            sides = {"asks": image.asks, "bids": image.bids}
            return _good({name: {k: [(p, s, now_s) for p, s in levels] for k, levels in sides.items()}})
        case "Ticker":
            best, last = world.book(one, 1), trade.price
            (ask, ask_size), (bid, bid_size) = best.asks[0], best.bids[0]
            day = (last, last)
            whole = {"a": (ask, "1", ask_size), "b": (bid, "1", bid_size), "c": (last, trade.size), "o": last}
            return _good({name: whole | {"v": ("1000", "1000"), "p": day, "t": (1, 1), "l": day, "h": day}})
        case _:
            row = (trade.price, trade.size, trade.engine_ns / 1e9, trade.side[0], "l", "", trade.trade_id)
            return _good({name: [row], "last": str(trade.engine_ns)})


def _named(name: str, listed: Sequence[SimInstrument]) -> SimInstrument | None:
    for one in listed:
        _, base, _ = ASSETS[one.base]
        if name in (one.venue_id, base + one.quote, one.symbol, f"{base}/{one.quote}"):
            return one
    return None


def _asset(key: str, altname: str, decimals: int, *, shut: bool = False) -> Row:
    return {
        "aclass": "currency", "altname": altname, "decimals": decimals, "display_decimals": min(decimals, 5),
        "status": "deposit_only" if shut else "enabled",
    }  # fmt: skip


def _pair(one: SimInstrument) -> Row:
    (base_id, base, _), (quote_id, quote, _) = ASSETS[one.base], ASSETS[one.quote]
    taker, maker = (float(Decimal(fee) * 100) for fee in (one.taker_fee, one.maker_fee))
    return {
        "altname": base + quote, "wsname": f"{base}/{quote}", "aclass_base": "currency", "base": base_id,
        "aclass_quote": "currency", "quote": quote_id, "lot": "unit", "cost_decimals": 5,
        "pair_decimals": decimals_of(one.tick), "lot_decimals": decimals_of(one.lot), "lot_multiplier": 1,
        "leverage_buy": [2, 3], "leverage_sell": [2, 3], "fees": [[0, taker]], "fees_maker": [[0, maker]],
        "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40, "ordermin": one.min_size, "costmin": "0.5",
        "tick_size": one.tick, "status": "online", "execution_venue": "international",
    }  # fmt: skip


# -- derivatives


def _futures(path: Sequence[str], query: Mapping[str, str], world: World) -> Response | None:
    listed = world.instruments(VENUE, "linear")
    match path:
        case ["instruments"]:
            return _success(world, {"instruments": [_instrument(one) for one in listed]})
        case ["instruments", "status"]:
            rows = [{"tradeable": one.venue_id, "experiencingDislocation": False} for one in listed]
            return _success(world, {"instrumentStatus": rows})
        case ["tickers"]:
            return _success(world, {"tickers": [_ticker(one, world) for one in listed]})
        case ["tickers", name]:
            found = find_futures(world, name)
            return _failed(world, "notFound") if found is None else _success(world, {"ticker": _ticker(found, world)})
        case ["orderbook"]:
            found = find_futures(world, query.get("symbol", ""))
            if found is None:
                return _failed(world, "invalidArgument")
            image = world.book(found)
            sides = {"bids": image.bids, "asks": image.asks}
            levels = {key: [(number(p), number(s)) for p, s in side] for key, side in sides.items()}
            return _success(world, {"orderBook": levels})
        case _:
            return None


def find_futures(world: World, name: str) -> SimInstrument | None:
    return world.find(VENUE, name.upper(), "linear")


def quote_fields(one: SimInstrument, world: World) -> Row:
    """Best prices in ticker feeds and in REST; 0 for an empty side."""
    best = world.book(one, 1)
    bid, ask = (side[0] if side else ("0", "0") for side in (best.bids, best.asks))
    return {"bid": number(bid[0]), "bid_size": number(bid[1]), "ask": number(ask[0]), "ask_size": number(ask[1])}


def funding(mark: SimMark) -> Row:
    """Funding per hour: as a fraction (``relative``) and in quote currency per unit.

    ``SimMark`` has it per interval.
    """
    relative = Decimal(mark.funding_rate) / mark.interval_h
    absolute = relative * Decimal(mark.mark)
    rates = {"funding_rate": absolute, "relative_funding_rate": relative}
    texts = {name: Raw(f"{value:f}".encode()) for name, value in rates.items()}
    return texts | {f"{name}_prediction": value for name, value in texts.items()}


def next_hour_ms(now_ns: int) -> int:
    return ms((now_ns // HOUR_NS + 1) * HOUR_NS)


def _instrument(one: SimInstrument) -> Row:
    """``contractValueTradePrecision`` is the number of decimals of a size."""
    return {
        "symbol": one.venue_id, "type": "flexible_futures", "tradeable": True, "base": one.base, "quote": one.quote,
        "pair": f"{one.base}:{one.quote}", "tickSize": number(one.tick), "contractSize": number(one.contract_size),
        "contractValueTradePrecision": decimals_of(one.lot), "impactMidSize": 1, "maxPositionSize": 1_000_000,
        "openingDate": "2022-01-01T00:00:00.000Z", "fundingRateCoefficient": 8, "maxRelativeFundingRate": 0.0025,
        "marginLevels": [{"numNonContractUnits": 0, "initialMargin": 0.02, "maintenanceMargin": 0.01}],
        "postOnly": False, "mtf": True, "tradfi": False, "category": "", "tags": [],
    }  # fmt: skip


def _ticker(one: SimInstrument, world: World) -> Row:
    mark, trade, quote = world.mark(one), world.last_trade(one), quote_fields(one, world)
    head = {"symbol": one.venue_id, "tag": "perpetual", "pair": f"{ASSETS[one.base][1]}:{one.quote}"}
    prices = {"last": number(trade.price), "markPrice": number(mark.mark), "indexPrice": number(mark.index)}
    rates = {"fundingRate": funding(mark)["funding_rate"], "fundingRatePrediction": funding(mark)["funding_rate"]}
    sizes = {"bidSize": quote["bid_size"], "askSize": quote["ask_size"], "lastSize": number(trade.size)}
    times = {"lastTime": iso(trade.engine_ns, 3), "vol24h": VOLUME, "openInterest": VOLUME, "suspended": False}
    return head | prices | rates | sizes | times | {"bid": quote["bid"], "ask": quote["ask"], "postOnly": False}


def _success(world: World, body: Row) -> Response:
    return json_response({"result": "success"} | body | {"serverTime": iso(world.now_ns(), 3)})


def _failed(world: World, word: str) -> Response:
    return json_response({"result": "error", "error": word, "serverTime": iso(world.now_ns(), 3)})


# -- how messages are written


def crc_text(one: SimInstrument, levels: Sequence[TextLevel]) -> str:
    """Levels as the checksum reads them: with the pair's decimals, without the dot and leading zeros."""
    decimals = decimals_of(one.tick), decimals_of(one.lot)
    parts = (f"{Decimal(text):.{places}f}" for level in levels for text, places in zip(level, decimals, strict=True))
    return "".join(part.replace(".", "").lstrip("0") for part in parts)


def _good(result: object) -> Response:
    return json_response({"error": [], "result": result})


def _errors(words: str, status: int) -> Response:
    return json_response({"error": [words]}, status)


def _page(status: int, words: str) -> Response:
    page = f"<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{words}</h1></body></html>"
    return Response(body=page, status=status, headers={"content-type": "text/html; charset=UTF-8"})
