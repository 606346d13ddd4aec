"""Crypto.com's public REST answers, simulated, and the rows that the websocket shares with them.

Shapes: the protocol sheet and what ccxt 4.5.90, tardis-node and cryptocom-exchange 2.8.0 read. Numbers are text,
times are milliseconds. The ``Date`` header is the only clock of an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from typing import Any
from zlib import crc32

from feeds.sim.twin import BookImage, Request, Response, SimInstrument, SimMark, SimTrade, TextLevel, World
from feeds.sim.wire.formats import count_in, html_page, json_response, ms

Row = dict[str, Any]

VENUE = "cryptocom"
MOST_LEVELS = 50
_ROOT = "/exchange/v1/public/"
_ANNOUNCEMENTS = "/v1/public/get-announcements"
_DECLARED = {"BTC": "50", "ETH": "50"}


class RefusedError(Exception):
    """An answer with a code other than 0."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


# -- rows


def update_id(one: SimInstrument, seq: int) -> int:
    """Above 2^46, and it grows by more than one."""
    return 78_795_598_000_000 + crc32(one.venue_id.encode()) % 1_000_000 * 64 + seq * 160


def levels(side: Sequence[TextLevel]) -> list[tuple[str, str, str]]:
    """[price, quantity, number of orders]"""
    return [(price, size, "0" if size == "0" else str(1 + crc32(price.encode()) % 4)) for price, size in side]


def ticker_row(one: SimInstrument, image: BookImage, last: SimTrade, sizes: bool) -> Row:
    """``t`` is the time of the last trade. Only the websocket's rows have the ``sizes`` of the best prices."""
    bid, ask = (side[0] if side else None for side in (image.bids, image.asks))
    row: Row = {
        "i": one.venue_id, "h": last.price, "l": last.price, "a": last.price, "v": "879.5024", "vv": "26370000.12",
        "oi": "12345.12" if one.product == "linear" else "0", "c": "0.0072",
        "b": None if bid is None else bid[0], "k": None if ask is None else ask[0], "t": ms(last.engine_ns),
    }  # fmt: skip
    if sizes:
        row |= {"bs": None if bid is None else bid[1], "ks": None if ask is None else ask[1]}
    return row


def trade_row(one: SimInstrument, trade: SimTrade) -> Row:
    return {
        "d": str(4_611_686_018_000_000_000 + trade.trade_id), "t": ms(trade.engine_ns), "tn": str(trade.engine_ns),
        "p": trade.price, "q": trade.size, "s": trade.side.upper(), "i": one.venue_id, "m": str(trade.trade_id),
    }  # fmt: skip


def values(mark: SimMark) -> Mapping[str, Row]:
    """Rows by channel. Funding is per hour; times are whole seconds."""
    t = mark.gateway_ns // 1_000_000_000 * 1000
    hourly = f"{float(mark.funding_rate) / mark.interval_h:.8f}"
    return {
        "mark": {"v": mark.mark, "t": t}, "index": {"v": mark.index, "t": t}, "funding": {"v": hourly, "t": t},
        "estimatedfunding": {"v": hourly, "t": t}, "settlement": {"v": mark.mark, "t": t},
    }  # fmt: skip


def index_of(one: SimInstrument) -> str:
    return f"{one.base}{one.quote}-INDEX"


def instrument_row(one: SimInstrument) -> Row:
    row: Row = {
        "symbol": one.venue_id, "inst_type": "CCY_PAIR", "display_name": f"{one.base}/{one.quote}",
        "base_ccy": one.base, "quote_ccy": one.quote, "quote_decimals": _decimals(one.tick),
        "quantity_decimals": _decimals(one.lot), "price_tick_size": one.tick, "qty_tick_size": one.lot,
        "max_leverage": _DECLARED.get(one.base, "20"), "tradable": True, "expiry_timestamp_ms": 0,
        "beta_product": False, "margin_buy_enabled": False, "margin_sell_enabled": False,
    }  # fmt: skip
    if one.product == "spot":
        return row
    perpetual = {"inst_type": "PERPETUAL_SWAP", "display_name": f"{one.base}{one.quote} Perpetual"}
    return row | perpetual | {"underlying_symbol": index_of(one), "contract_size": "1"}


def _decimals(step: str) -> int:
    return len(step.partition(".")[2])


# -- paths


def _find(query: Mapping[str, str], world: World) -> SimInstrument:
    one = world.find(VENUE, query.get("instrument_name", ""))
    if one is None:
        raise RefusedError(40003, "Invalid instrument_name")
    return one


def _instruments(query: Mapping[str, str], world: World) -> Row:
    return {"data": [instrument_row(one) for one in world.instruments(VENUE)]}


def _book(query: Mapping[str, str], world: World) -> Row:
    one, depth = _find(query, world), count_in(query, "depth", MOST_LEVELS, MOST_LEVELS)
    if depth is None:
        raise RefusedError(40003, "Invalid depth")
    image = world.book(one, depth)
    row = {"bids": levels(image.bids), "asks": levels(image.asks), "t": ms(image.engine_ns)}
    return {"depth": depth, "data": [row], "instrument_name": one.venue_id}


def _tickers(query: Mapping[str, str], world: World) -> Row:
    wanted = [_find(query, world)] if "instrument_name" in query else world.instruments(VENUE)
    rows = []
    for one in wanted:
        image = world.book(one, 1)
        rows.append(ticker_row(one, image, world.last_trade(one), sizes=False))
    return {"data": rows}


def _trades(query: Mapping[str, str], world: World) -> Row:
    one = _find(query, world)
    row = trade_row(one, world.last_trade(one))
    return {"data": [row | {"s": row["s"].capitalize()}]}


def _valuations(query: Mapping[str, str], world: World) -> Row:
    name, kind = query.get("instrument_name", ""), query.get("valuation_type", "")
    channel = {"index_price": "index", "mark_price": "mark", "funding_hist": "funding", "funding_rate": "funding"}
    swaps = world.instruments(VENUE, "linear")
    one = next((one for one in swaps if name in (one.venue_id, index_of(one))), None)
    if one is None or kind not in channel:
        raise RefusedError(40003, "Invalid instrument_name")
    return {"data": [values(world.mark(one))[channel[kind]]], "instrument_name": name}


def _announcements(query: Mapping[str, str], world: World) -> Row:
    rows: list[Row] = []
    for notice in world.notices(VENUE):
        hit = [p in (notice.products or ("spot", "linear")) and notice.market_data for p in ("spot", "linear")]
        words = ["PARTIAL" if one else "BAU" for one in hit]
        rows.append(
            {
                "id": f"{crc32(notice.text.encode()):024x}", "category": "system",
                "product_type": "Spot,Margin,Derivative", "announced_at": ms(notice.begin_ns or world.now_ns()),
                "title": notice.text, "content": notice.text, "instrument_name": None,
                "impacted_params": {"spot_trading_impacted": words[0], "derivative_trading_impacted": words[1]},
                "start_time": ms(notice.begin_ns or world.now_ns()),
                "end_time": None if notice.end_ns is None else ms(notice.end_ns),
            }
        )  # fmt: skip
    listing = {"id": "67ea25c534909545bfc81232", "category": "list", "title": "A coin is listed", "start_time": None}
    return {"data": [*rows, listing]}


_METHODS: Mapping[str, Callable[[Mapping[str, str], World], Row]] = {
    "get-instruments": _instruments,
    "get-book": _book,
    "get-tickers": _tickers,
    "get-trades": _trades,
    "get-valuations": _valuations,
}


def answer(request: Request, world: World) -> Response | None:
    """None: no such path."""
    if request.method != "GET":
        return None
    date = {"date": formatdate(world.now_ns() // 1_000_000_000, usegmt=True)}
    if request.path == _ANNOUNCEMENTS:
        said = {"id": 0, "method": "public/get-announcements", "code": 0}
        return json_response(said | {"result": _announcements(request.query, world)}, 200, date)
    name = request.path.removeprefix(_ROOT)
    method = _METHODS.get(name)
    if method is None or name == request.path:
        return None
    head = {"id": -1, "method": f"public/{name}"}
    try:
        return json_response(head | {"code": 0, "result": method(request.query, world)}, 200, date)
    except RefusedError as error:
        return json_response(head | {"code": error.code, "message": error.words}, 400, date)


def failure(kind: str, status: int) -> Response:
    """The venue's body for a fault. The CDN in front of it blocks countries and addresses."""
    match kind:
        case "limit":
            code, words = 42901, "TOO_MANY_REQUESTS"
        case "maintenance":
            code, words = 9010001, "SYSTEM_MAINTENANCE"
        case "timeout":
            code, words = 40801, "REQUEST_TIMEOUT"
        case "geo" | "ban":
            why = "is not available in your country or region" if kind == "geo" else "has banned your IP address"
            page = f"<html><head><title>Access denied</title></head><body>This site {why}.</body></html>"
            return html_page(page, status, "cloudflare")
        case _:
            code, words = (50001, "INTERNAL_ERROR") if status == 500 else (10001, "SYS_ERROR")
    return json_response({"id": -1, "code": code, "message": words}, status)
