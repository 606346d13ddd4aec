"""Deribit's public JSON-RPC methods, simulated: REST and the websocket give the same answers.

Shapes: the protocol sheet, what ccxt 4.5.90 and cryptofeed 2.4.1 read, and answers captured in 2022. Numbers are JSON
numbers and times are milliseconds. Every answer says in microseconds when the request came in and when the answer
left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from msgspec import Struct

from feeds.sim.twin import BookImage, SimInstrument, SimMark, SimTrade, TextLevel, World
from feeds.sim.wire.commands import reader
from feeds.sim.wire.formats import ms

Row = dict[str, Any]

VENUE = "deribit"
FOREVER_MS = 32_503_708_800_000
_CREATED_MS = 1_534_242_287_000
_WORK_US = 48
_DEPTHS = (1, 5, 10, 20, 50, 100, 1000, 10_000)
_CONTRACTS: Mapping[str, float] = {"BTC": 10.0, "ETH": 1.0}
"""Dollars of one inverse contract. Sizes in books are dollars, not contracts."""


class Command(Struct):
    jsonrpc: str = ""
    id: int | str | None = None
    method: str = ""
    params: dict[str, Any] | None = None


read = reader(Command)


class RpcError(Exception):
    """An answer with ``error`` in the place of ``result``."""

    def __init__(self, code: int, message: str, data: Row | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


def invalid(param: str, reason: str) -> RpcError:
    return RpcError(-32602, "Invalid params", {"reason": reason, "param": param})


def call(method: str, params: Mapping[str, object], world: World) -> object:
    """The result of a public method that does not change the connection. Raises RpcError."""
    if method.startswith("private/"):
        raise RpcError(13009, "unauthorized", {"reason": "required_scope", "param": "access_token"})
    known = _METHODS.get(method)
    if known is None:
        raise RpcError(-32601, "Method not found")
    return known(params, world)


def envelope(world: World, request_id: object = None, *, result: object = None, error: RpcError | None = None) -> Row:
    in_us = world.now_ns() // 1000
    said: Row = {"result": result}
    if error is not None:
        said = {"error": {"message": error.message} | ({"data": error.data} if error.data else {})}
        said["error"]["code"] = error.code
    named = {} if request_id is None else {"id": request_id}
    times = {"usIn": in_us, "usOut": in_us + _WORK_US, "usDiff": _WORK_US, "testnet": False}
    return {"jsonrpc": "2.0"} | named | said | times


# -- rows


def change_id(one: SimInstrument, seq: int) -> int:
    """All instruments share one counter, so the ids of one book grow by more than one, unevenly."""
    return 10_000_000_000 + crc32(one.venue_id.encode()) % 1_000_000 + seq * 17 + seq % 3


def level(text: TextLevel) -> list[float]:
    return [float(text[0]), float(text[1])]


def trade_row(one: SimInstrument, trade: SimTrade, mark: SimMark) -> Row:
    number = trade.trade_id % 1_000_000_000
    return {
        "timestamp": ms(trade.engine_ns), "price": float(trade.price), "amount": float(trade.size),
        "direction": trade.side, "index_price": float(mark.index), "instrument_name": one.venue_id,
        "trade_seq": number, "mark_price": float(mark.mark), "tick_direction": number % 4,
        "contracts": float(trade.size) / _contract(one),
        "trade_id": str(trade.trade_id) if one.inverse else f"{one.quote}-{trade.trade_id}",
    }  # fmt: skip


def quote_row(one: SimInstrument, bid: TextLevel | None, ask: TextLevel | None, engine_ns: int) -> Row:
    """Zeros for an empty side."""
    (bid_px, bid_sz), (ask_px, ask_sz) = (level(side) if side else (0.0, 0.0) for side in (bid, ask))
    return {
        "timestamp": ms(engine_ns), "instrument_name": one.venue_id, "best_ask_price": ask_px,
        "best_bid_price": bid_px, "best_ask_amount": ask_sz, "best_bid_amount": bid_sz,
    }  # fmt: skip


def ticker_row(one: SimInstrument, image: BookImage, trade: SimTrade, mark: SimMark) -> Row:
    """The simulated market has no yesterday: the 24 h figures are those of a day with one trade, the last one."""
    price, index = float(trade.price), float(mark.index)
    bid, ask = (side[0] if side else None for side in (image.bids, image.asks))
    volume = float(trade.size)
    stats = {"high": price, "low": price, "price_change": 0.0, "volume": volume, "volume_usd": volume * price}
    row = quote_row(one, bid, ask, mark.gateway_ns) | {
        "state": "open", "stats": stats | {"volume_notional": volume * price}, "index_price": index,
        "last_price": price, "min_price": index * 0.985, "max_price": index * 1.015, "mark_price": float(mark.mark),
        "estimated_delivery_price": index,
    }  # fmt: skip
    if one.product == "spot":
        return row | {"open_interest": 0.0}
    return row | {
        "settlement_price": index, "open_interest": 1_132_329_370.0, "interest_value": 0.00282,
        "current_funding": 0.0, "funding_8h": float(mark.funding_rate),
    }  # fmt: skip


def ticker_of(one: SimInstrument, world: World) -> Row:
    return ticker_row(one, world.book(one, 1), world.last_trade(one), world.mark(one))


def instrument_row(one: SimInstrument) -> Row:
    lot, tick = float(one.lot), float(one.tick)
    row: Row = {
        "instrument_name": one.venue_id, "instrument_id": crc32(one.venue_id.encode()) % 100_000, "is_active": True,
        "state": "open", "kind": "spot" if one.product == "spot" else "future", "base_currency": one.base,
        "quote_currency": one.quote, "counter_currency": one.quote, "price_index": _index(one), "rfq": False,
        "tick_size": tick, "tick_size_steps": [], "min_trade_amount": lot, "contract_size": _contract(one),
        "maker_commission": float(one.maker_fee), "taker_commission": float(one.taker_fee),
        "creation_timestamp": _CREATED_MS, "expiration_timestamp": FOREVER_MS, "block_trade_commission": 0.00025,
        "block_trade_min_trade_amount": lot, "block_trade_tick_size": tick, "instrument_type": "linear",
    }  # fmt: skip
    if one.product == "spot":
        return row
    kind = "reversed" if one.inverse else "linear"
    return row | {
        "settlement_period": "perpetual", "settlement_currency": _settle(one), "instrument_type": kind,
        "future_type": kind, "max_leverage": 50, "max_liquidation_commission": 0.0075,
    }  # fmt: skip


def _contract(one: SimInstrument) -> float:
    """``contract_size``. It only explains the field ``contracts``."""
    return _CONTRACTS.get(one.base, 1.0) if one.inverse else float(one.lot)


def _settle(one: SimInstrument) -> str:
    return one.symbol.partition(":")[2] or one.quote


def _index(one: SimInstrument) -> str:
    return f"{one.base}_{one.quote}".lower()


# -- methods


def _find(params: Mapping[str, object], world: World) -> SimInstrument:
    name = params.get("instrument_name")
    if not isinstance(name, str):
        raise invalid("instrument_name", "value required")
    found = world.find(VENUE, name)
    if found is None:
        raise invalid("instrument_name", "wrong format")
    return found


def _order_book(params: Mapping[str, object], world: World) -> object:
    one, asked = _find(params, world), str(params.get("depth", 5))
    if not (asked.isascii() and asked.isdigit()) or not 0 < len(asked) < 7:
        raise invalid("depth", "must be an integer")
    depth = next((depth for depth in _DEPTHS if depth >= int(asked)), _DEPTHS[-1])
    image = world.book(one, depth)
    head = ticker_row(one, image, world.last_trade(one), world.mark(one))
    sides = {"bids": [level(pair) for pair in image.bids], "asks": [level(pair) for pair in image.asks]}
    return head | {"timestamp": ms(image.engine_ns), "change_id": change_id(one, image.seq)} | sides


def _instruments(params: Mapping[str, object], world: World) -> object:
    currency, kind = params.get("currency", "any"), params.get("kind", "any")
    if kind not in ("any", "future", "option", "spot", "future_combo", "option_combo"):
        raise invalid("kind", "wrong value")
    rows = [instrument_row(one) for one in world.instruments(VENUE)]
    return [
        row
        for row in rows
        if kind in ("any", row["kind"])
        and currency in ("any", row.get("settlement_currency") or row["quote_currency"])
        and str(params.get("expired", "false")).lower() != "true"
    ]


def _instrument(params: Mapping[str, object], world: World) -> object:
    return instrument_row(_find(params, world))


def _ticker(params: Mapping[str, object], world: World) -> object:
    return ticker_of(_find(params, world), world)


def _currencies(params: Mapping[str, object], world: World) -> object:
    names = dict.fromkeys(one.base for one in world.instruments(VENUE))
    return [
        {
            "currency": name, "currency_long": name, "coin_type": name, "min_confirmations": 1,
            "min_withdrawal_fee": 0.0, "withdrawal_fee": 0.0, "withdrawal_priorities": [], "network_currency": name,
            "network_fee": 0.0, "in_cross_collateral_pool": True,
        }
        for name in (*names, "USDC", "USDT")
    ]  # fmt: skip


def _status(params: Mapping[str, object], world: World) -> object:
    notices = [n for n in world.notices(VENUE) if n.market_data and n.state in ("ongoing", "incident")]
    if any(not notice.products for notice in notices):
        return {"locked": "true"}
    products = {product for notice in notices for product in notice.products}
    names = sorted({_index(one) for one in world.instruments(VENUE) if one.product in products})
    return {"locked": "partial", "locked_indices": names} if names else {"locked": "false"}


def _last_trades(params: Mapping[str, object], world: World) -> object:
    one = _find(params, world)
    return {"trades": [trade_row(one, world.last_trade(one), world.mark(one))], "has_more": False}


_METHODS: Mapping[str, Callable[[Mapping[str, object], World], object]] = {
    "public/test": lambda params, world: {"version": "1.2.26"},
    "public/hello": lambda params, world: {"version": "1.2.26"},
    "public/get_time": lambda params, world: ms(world.now_ns()),
    "public/status": _status,
    "public/get_order_book": _order_book,
    "public/get_instruments": _instruments,
    "public/get_instrument": _instrument,
    "public/get_currencies": _currencies,
    "public/ticker": _ticker,
    "public/get_last_trades_by_instrument": _last_trades,
}
