"""Gate's public REST answers (v4), simulated, and the rows that the websockets share with them.

Shapes: the protocol sheet, third-party captures of 2021 to 2026, and what ccxt 4.5.90 and cryptofeed 2.4.1 read. Spot
writes levels as pairs and times in milliseconds. Futures write levels as ``{p, s}`` and times as seconds with a
fraction. Futures sizes are decimal text for clients that ask for it (``X-Gate-Size-Decimal``), otherwise whole
numbers, rounded down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

from feeds.model import Product
from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import Request, Response, SimInstrument, SimMark, SimTrade, TextLevel, World
from feeds.sim.wire.formats import bare, count_in, html_page, json_response, ms, times

Row = dict[str, Any]

VENUE = "gate"
PREFIX = "/api/v4"
DECIMALS = "x-gate-size-decimal"
OPEN_INTEREST = "73648"
"""In contracts; the simulated market has no open interest."""
WITHIN = 3
"""A REST book already has part of the next batch, so its id is this much above the last batch's id."""
_MOST: Mapping[Product, int] = {"spot": 1_000, "linear": 300}
_LAUNCHED_S = 1_585_526_400
_RATE = 200
_CHAINS: Mapping[str, Sequence[tuple[str, str]]] = {
    "BTC": (("BTC", "BTC"),),
    "ETH": (("ETH", "ETH/ERC20"), ("ARBEVM", "Arbitrum One")),
    "SOL": (("SOL", "SOL/SPL"),),
    "XRP": (("XRP", "XRP"),),
    "DOGE": (("DOGE", "DOGE"),),
    "USDT": (("ETH", "ETH/ERC20"), ("TRX", "TRX/TRC20"), ("BSC", "BSC/BEP20")),
    "USDC": (("ETH", "ETH/ERC20"), ("SOL", "SOL/SPL")),
    "USDE": (("ETH", "ETH/ERC20"),),
}


def answer(request: Request, world: World) -> Response | None:
    if request.method != "GET" or not request.path.startswith(PREFIX):
        return None
    decimals = request.headers.get(DECIMALS) == "1"
    match request.path.removeprefix(PREFIX).strip("/").split("/"):
        case ["spot", "time"]:
            return _good({"server_time": ms(world.now_ns())}, world)
        case ["spot", "currency_pairs"]:
            return _good([pair_row(one) for one in world.instruments(VENUE, "spot")], world)
        case ["margin", "currency_pairs"] | ["options", "underlyings"] | ["options", "contracts"]:
            return _good([], world)
        case ["delivery", _, "contracts"]:
            return _good([], world)
        case ["spot", "currencies"]:
            shut = world.no_withdraw(VENUE)
            return _good([currency_row(coin, coin in shut) for coin in _CHAINS], world)
        case ["wallet", "currency_chains"]:
            return _good(chain_rows(request.query.get("currency", "")), world)
        case ["spot", "order_book"]:
            return _of_one(request, world, "spot", lambda one: _book(request, one, world, True))
        case ["spot", "tickers"]:
            return _of_all(request, world, "spot", lambda one: spot_ticker(one, world))
        case ["spot", "trades"]:
            return _of_one(request, world, "spot", lambda one: [spot_trade(one, world.last_trade(one))])
        case ["futures", settle, "contracts"]:
            listed = world.instruments(VENUE, "linear") if settle == "usdt" else ()
            return _good([contract_row(one, world.mark(one)) for one in listed], world)
        case ["futures", "usdt", "contracts", name]:
            found = world.find(VENUE, name, "linear")
            return _unknown("linear", name) if found is None else _good(contract_row(found, world.mark(found)), world)
        case ["futures", "usdt", "order_book"]:
            return _of_one(request, world, "linear", lambda one: _book(request, one, world, decimals))
        case ["futures", "usdt", "tickers"]:
            return _of_all(request, world, "linear", lambda one: ticker(one, world.mark(one), world.last_trade(one)))
        case ["futures", "usdt", "trades"]:
            return _of_one(request, world, "linear", lambda one: [trade_row(one, world.last_trade(one), decimals)])
        case _:
            return None


def failure(kind: str, status: int) -> Response:
    """Gate's body for a fault. The front before its servers answers with HTML pages."""
    match kind:
        case "limit":
            reset = {"x-gate-ratelimit-limit": str(_RATE), "x-gate-ratelimit-requests-remain": "0"}
            body = {"label": "TOO_MANY_REQUESTS", "message": "Request Rate Limit Exceeded"}
            return json_response(body, status, reset)
        case "overload":
            busy = {"label": "TOO_BUSY", "message": "Server is busy, please try again later"}
            broken = {"label": "SERVER_ERROR", "message": "Internal server error"}
            return json_response(broken if status == 500 else busy, status)
        case "timeout":
            return json_response({"label": "INTERNAL", "message": "request timeout"}, status)
        case "maintenance":
            return _page(status, "Service Temporarily Unavailable: system maintenance")
        case "geo":
            return _page(status, "The service is not available in your country or region")
        case _:
            return _page(status, "Forbidden")


def update_id(instrument: SimInstrument, seq: int) -> int:
    """The last update id of a batch. Each instrument counts its own; a batch adds more than one."""
    return (crc32(instrument.route.encode() + instrument.venue_id.encode()) << 6) + 13 * seq + seq % 7


def size(instrument: SimInstrument, number: str, decimals: bool = True) -> str | int:
    """A size as the client gets it. Futures without decimals are whole contracts, rounded down."""
    if decimals or instrument.product == "spot":
        return bare(number)
    return int(number.partition(".")[0])


def pairs(levels: Sequence[TextLevel]) -> list[tuple[str, str]]:
    return [(bare(price), bare(amount)) for price, amount in levels]


def objects(one: SimInstrument, levels: Sequence[TextLevel], decimals: bool) -> list[Row]:
    return [{"p": bare(price), "s": size(one, amount, decimals)} for price, amount in levels]


def signed(one: SimInstrument, amount: str, side: str, decimals: bool) -> str | int:
    number = size(one, amount, decimals)
    if isinstance(number, int):
        return number if side == "buy" else -number
    return number if side == "buy" else f"-{number}"


def ms_fraction(time_ns: int) -> str:
    """``1606292218213.4578``"""
    return f"{time_ns // 1_000_000}.{time_ns % 1_000_000 // 100:04d}"


def spot_trade(one: SimInstrument, trade: SimTrade) -> Row:
    return {
        "id": trade.trade_id, "id_market": trade.trade_id, "create_time": trade.engine_ns // 1_000_000_000,
        "create_time_ms": ms_fraction(trade.engine_ns), "side": trade.side, "currency_pair": one.venue_id,
        "amount": bare(trade.size), "price": bare(trade.price), "range": f"{trade.trade_id}-{trade.trade_id}",
    }  # fmt: skip


def trade_row(one: SimInstrument, trade: SimTrade, decimals: bool) -> Row:
    return {
        "size": signed(one, trade.size, trade.side, decimals), "id": trade.trade_id,
        "create_time": trade.engine_ns // 1_000_000_000, "create_time_ms": ms(trade.engine_ns),
        "price": bare(trade.price), "contract": one.venue_id,
    }  # fmt: skip


def spot_ticker(one: SimInstrument, world: World) -> Row:
    """The simulated market has no yesterday: the 24 h figures are those of a day with one trade, the last one."""
    best, trade = world.book(one, 1), world.last_trade(one)
    last = bare(trade.price)
    return {
        "currency_pair": one.venue_id, "last": last, "lowest_ask": bare(best.asks[0][0]) if best.asks else "",
        "highest_bid": bare(best.bids[0][0]) if best.bids else "", "change_percentage": "0",
        "base_volume": bare(trade.size), "quote_volume": times(trade.price, trade.size), "high_24h": last,
        "low_24h": last,
    }  # fmt: skip


def ticker(one: SimInstrument, mark: SimMark, trade: SimTrade) -> Row:
    last, base = bare(trade.price), times(trade.size, one.contract_size)
    quote = times(trade.price, base)
    return {
        "contract": one.venue_id, "last": last, "change_percentage": "0", "funding_rate": mark.funding_rate,
        "funding_rate_indicative": mark.funding_rate, "mark_price": bare(mark.mark), "index_price": bare(mark.index),
        "total_size": OPEN_INTEREST, "volume_24h": bare(trade.size), "volume_24h_quote": quote,
        "volume_24h_settle": quote, "volume_24h_base": base, "low_24h": last, "high_24h": last,
    }  # fmt: skip


def pair_row(one: SimInstrument) -> Row:
    return {
        "id": one.venue_id, "base": one.base, "base_name": one.base, "quote": one.quote, "quote_name": one.quote,
        "fee": times(one.taker_fee, "100"), "min_base_amount": bare(one.min_size), "min_quote_amount": "3",
        "max_quote_amount": "5000000", "amount_precision": decimals_of(one.lot), "precision": decimals_of(one.tick),
        "trade_status": "tradable", "sell_start": _LAUNCHED_S, "buy_start": _LAUNCHED_S, "delisting_time": 0,
        "type": "normal", "trade_url": f"https://www.gate.com/trade/{one.venue_id}", "st_tag": False,
    }  # fmt: skip


def contract_row(one: SimInstrument, mark: SimMark) -> Row:
    """``maker_fee_rate`` and ``taker_fee_rate`` are list rates, which nobody pays."""
    fractional = decimals_of(one.lot) > 0
    return {
        "name": one.venue_id, "type": "direct", "contract_type": "", "quanto_multiplier": one.contract_size,
        "order_price_round": one.tick, "mark_price_round": one.tick, "order_price_deviate": "0.15",
        "order_size_min": one.min_size if fractional else int(one.min_size), "order_size_max": 1_000_000,
        "market_order_size_max": "300000", "enable_decimal": fractional, "in_delisting": False, "status": "trading",
        "funding_rate": mark.funding_rate, "funding_rate_indicative": mark.funding_rate, "funding_offset": 0,
        "funding_interval": mark.interval_h * 3_600, "funding_next_apply": mark.next_funding_ns // 1_000_000_000,
        "mark_price": bare(mark.mark), "index_price": bare(mark.index), "last_price": bare(mark.mark),
        "mark_type": "index", "leverage_min": "1", "leverage_max": "100", "maintenance_rate": "0.005",
        "maker_fee_rate": "-0.0001", "taker_fee_rate": "0.00075", "orders_limit": 100, "launch_time": _LAUNCHED_S,
        "create_time": _LAUNCHED_S, "position_size": int(OPEN_INTEREST), "is_pre_market": False,
    }  # fmt: skip


def currency_row(coin: str, shut: bool = False) -> Row:
    switches = {"withdraw_disabled": shut, "withdraw_delayed": False, "deposit_disabled": False}
    chains = [{"name": name, "addr": ""} | switches for name, _ in _CHAINS[coin]]
    head = {"currency": coin, "name": coin, "delisted": False, "trade_disabled": False}
    return head | switches | {"fixed_rate": "", "chain": _CHAINS[coin][0][0], "chains": chains}


def chain_rows(coin: str) -> list[Row]:
    return [
        {
            "chain": name, "name_cn": words, "name_en": words, "contract_address": "", "is_disabled": 0,
            "is_deposit_disabled": 0, "is_withdraw_disabled": 0, "decimal": "6", "is_tag": 0,
        }
        for name, words in _CHAINS.get(coin, ())
    ]  # fmt: skip


def _book(request: Request, one: SimInstrument, world: World, decimals: bool) -> Row | Response:
    spot = one.product == "spot"
    limit = count_in(request.query, "limit", 10, _MOST[one.product])
    if limit is None:
        return _bad("INVALID_PARAM_VALUE", "Invalid limit")
    image = world.book(one, limit)
    named = {"id": update_id(one, image.seq) + WITHIN} if request.query.get("with_id") == "true" else {}
    now_ms, changed_ms = ms(world.now_ns()), ms(image.engine_ns)
    asks, bids = image.asks, image.bids
    if spot:
        return named | {"current": now_ms, "update": changed_ms, "asks": pairs(asks), "bids": pairs(bids)}
    sides = {"asks": objects(one, asks, decimals), "bids": objects(one, bids, decimals)}
    return named | {"current": now_ms / 1e3, "update": changed_ms / 1e3} | sides


def _of_one(
    request: Request, world: World, product: Product, make: Callable[[SimInstrument], object | Response]
) -> Response:
    key = "currency_pair" if product == "spot" else "contract"
    name = request.query.get(key, "")
    if not name:
        return _bad("MISSING_REQUIRED_PARAM", f"Missing required parameter: {key}")
    found = world.find(VENUE, name, product)
    if found is None:
        return _unknown(product, name)
    made = make(found)
    return made if isinstance(made, Response) else _good(made, world)


def _of_all(request: Request, world: World, product: Product, make: Callable[[SimInstrument], Row]) -> Response:
    name = request.query.get("currency_pair" if product == "spot" else "contract", "")
    found = [one for one in world.instruments(VENUE, product) if name in ("", one.venue_id)]
    return _good([make(one) for one in found], world) if found else _unknown(product, name)


def _unknown(product: Product, name: str) -> Response:
    if product == "spot":
        return _bad("INVALID_CURRENCY_PAIR", f"Invalid currency pair {name}")
    return _bad("CONTRACT_NOT_FOUND", f"contract {name} not found")


def _good(body: object, world: World) -> Response:
    window_end_s = world.now_ns() // 10_000_000_000 * 10 + 10
    return json_response(
        body,
        headers={
            "x-gate-ratelimit-limit": str(_RATE),
            "x-gate-ratelimit-requests-remain": str(_RATE - 2),
            "x-gate-ratelimit-reset-timestamp": str(window_end_s),
        },
    )


def _bad(label: str, words: str) -> Response:
    return json_response({"label": label, "message": words}, 400)


def _page(status: int, words: str) -> Response:
    head = f"<html>\r\n<head><title>{status}</title></head>\r\n"
    page = f"{head}<body>\r\n<center><h1>{words}</h1></center>\r\n</body>\r\n</html>"
    return html_page(page, status)
