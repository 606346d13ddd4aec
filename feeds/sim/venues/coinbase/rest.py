"""Coinbase's public REST answers, simulated: Advanced Trade, and what ccxt reads of the older v2 and Exchange APIs.

Shapes: the protocol sheet, the REST answers in the capture of August 2026, and what ccxt 4.5.90 reads. The simulated
market has no traded volumes; volumes here are round figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from feeds.sim.twin import Request, Response, SimInstrument, TextLevel, World
from feeds.sim.wire.formats import bare, count_in, iso, json_response, ms

Row = dict[str, Any]

VENUE = "coinbase"
VOLUME = "1000"
_MOST_LEVELS = 1_000
_NETWORKS: Mapping[str, Sequence[str]] = {
    "BTC": ("bitcoin",), "ETH": ("ethereum", "base"), "SOL": ("solana",), "XRP": ("ripple",), "DOGE": ("dogecoin",),
    "USDC": ("ethereum", "solana"), "USD": (),
}  # fmt: skip


def find(world: World, name: str) -> SimInstrument | None:
    """``BTC-USDC`` is another name of ``BTC-USD``."""
    return world.find(VENUE, name.removesuffix("C") if name.endswith("-USDC") else name, "spot")


def answer(request: Request, world: World) -> Response | None:
    if request.method != "GET":
        return None
    now_ns, query = world.now_ns(), request.query
    match request.path.strip("/").split("/"):
        case ["api", "v3", "brokerage", "time"]:
            times = {"epochSeconds": str(now_ns // 1_000_000_000), "epochMillis": str(ms(now_ns))}
            return json_response({"iso": f"{iso(now_ns, 1)[:19]}Z"} | times)
        case ["api", "v3", "brokerage", "market", "products"]:
            listed = () if query.get("product_type") == "FUTURE" else world.instruments(VENUE, "spot")
            rows = [row for one in listed for row in (product(one, world), alias(one, world))]
            return json_response({"products": rows, "num_products": len(rows)})
        case ["api", "v3", "brokerage", "market", "products", name]:
            found = find(world, name)
            return _unknown(name) if found is None else json_response(product(found, world))
        case ["api", "v3", "brokerage", "market", "product_book"]:
            return _book(query, world)
        case ["v2", "currencies"]:
            return json_response({"data": [{"id": "USD", "name": "US Dollar", "min_size": "0.01"}]})
        case ["v2", "currencies", "crypto"]:
            return json_response({"data": [_coin(coin) for coin in _NETWORKS if coin != "USD"]})
        case ["v2", "exchange-rates"]:
            return json_response({"data": {"currency": "USD", "rates": dict.fromkeys(_NETWORKS, "1")}})
        case ["currencies"]:
            shut = world.no_withdraw(VENUE)
            return json_response([_exchange_coin(coin, shut=coin in shut) for coin in _NETWORKS])
        case _:
            return None


def failure(kind: str, status: int) -> Response:
    match kind:
        case "limit":
            limited = {"id": "rate_limit_exceeded", "message": "Too many requests"}
            return json_response({"errors": [limited]}, status)
        case "overload":
            words = "Internal server error" if status == 500 else "upstream connect error"
            return json_response({"error": "INTERNAL", "code": 13, "message": words, "details": []}, status)
        case "maintenance":
            return _page(status, "Coinbase is down for maintenance")
        case "geo":
            return _page(status, "This service is not available in your country or region")
        case "ban":
            return _page(status, "Access denied")
        case _:
            return _page(status, "A timeout occurred")


def product(one: SimInstrument, world: World) -> Row:
    last = bare(world.last_trade(one).price)
    return {
        "product_id": one.venue_id, "price": last, "price_percentage_change_24h": "0", "volume_24h": VOLUME,
        "volume_percentage_change_24h": "0", "base_increment": one.lot, "quote_increment": one.tick,
        "quote_min_size": "1", "quote_max_size": "150000000", "base_min_size": one.min_size, "base_max_size": "3400",
        "base_name": one.base, "quote_name": "US Dollar", "watched": False, "is_disabled": False, "new": False,
        "status": "online", "cancel_only": False, "limit_only": False, "post_only": False, "trading_disabled": False,
        "auction_mode": False, "product_type": "SPOT", "quote_currency_id": one.quote, "base_currency_id": one.base,
        "fcm_trading_session_details": None, "mid_market_price": "", "alias": "", "alias_to": [f"{one.venue_id}C"],
        "base_display_symbol": one.base, "quote_display_symbol": "USD", "view_only": False,
        "price_increment": one.tick, "display_name": one.venue_id, "product_venue": "CBE",
        "approximate_quote_24h_volume": VOLUME,
    }  # fmt: skip


def alias(one: SimInstrument, world: World) -> Row:
    name = f"{one.venue_id}C"
    more = {"alias": one.venue_id, "alias_to": [], "quote_currency_id": "USDC", "quote_name": "USDC"}
    return product(one, world) | {"product_id": name, "display_name": name} | more


def _book(query: Mapping[str, str], world: World) -> Response:
    found = find(world, query.get("product_id", ""))
    if found is None:
        return _unknown(query.get("product_id", ""))
    limit = count_in(query, "limit", _MOST_LEVELS, _MOST_LEVELS)
    if limit is None:
        return json_response({"error": "INVALID_ARGUMENT", "error_details": "limit", "message": "limit"}, 400)
    image = world.book(found, limit)
    sides = {"bids": levels(image.bids), "asks": levels(image.asks)}
    book = {"product_id": found.venue_id, **sides, "time": iso(image.engine_ns)}
    last = bare(world.last_trade(found).price)
    return json_response({"pricebook": book, "last": last, "mid_market": last, "spread_bps": "0"})


def levels(side: Sequence[TextLevel]) -> list[Row]:
    return [{"price": bare(price), "size": bare(size)} for price, size in side]


def _coin(coin: str) -> Row:
    return {"asset_id": f"00000000-{coin}", "code": coin, "name": coin, "color": "", "type": "crypto", "exponent": 8}


def _exchange_coin(coin: str, *, shut: bool) -> Row:
    """A row of the Exchange API, which has its own host at the venue. One status covers deposits and withdrawals."""
    state = "offline" if shut else "online"
    networks = [
        {"id": name, "name": name, "status": state, "min_withdrawal_amount": 0.001, "network_confirmations": 10}
        for name in _NETWORKS[coin]
    ]
    head = {"id": coin, "name": coin, "min_size": "0.00000001", "status": "online", "message": ""}
    return head | {"default_network": (_NETWORKS[coin] or ("",))[0], "supported_networks": networks}


def _unknown(name: str) -> Response:
    words = f"ProductID {name!r} is invalid"
    return json_response({"error": "NOT_FOUND", "error_details": words, "message": words}, 404)


def _page(status: int, words: str) -> Response:
    page = f"<html><head><title>{status}</title></head><body><h1>{words}</h1></body></html>"
    return Response(body=page, status=status, headers={"content-type": "text/html; charset=utf-8"})
