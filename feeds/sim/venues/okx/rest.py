"""OKX's public REST answers (API v5), simulated.

Shapes: docs-v5 as the protocol sheet gives them, and what ccxt 4.5.90 reads (``okx.py``). Every number is text, all
times are milliseconds as text, and an answer is ``{"code", "msg", "data"}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from feeds.model import StatusNotice
from feeds.sim.twin import BookImage, Request, Response, SimInstrument, SimMark, SimTrade, TextLevel, World
from feeds.sim.wire.best import first
from feeds.sim.wire.formats import bare, count_in, html_page, json_response, ms_text, times

Row = dict[str, Any]

VENUE = "okx"
INST_TYPES = ("SPOT", "SWAP", "FUTURES", "OPTION", "MARGIN", "EVENTS")
_LISTED_MS = "1611916828000"
_STATES: Mapping[str, str] = {
    "scheduled": "scheduled",
    "ongoing": "ongoing",
    "incident": "ongoing",
    "completed": "completed",
}


def answer(request: Request, world: World) -> Response | None:
    if request.method != "GET":
        return None
    match request.path:
        case "/api/v5/public/time":
            return _good([{"ts": ms_text(world.now_ns())}])
        case "/api/v5/market/books":
            return _book(request, world, 400)
        case "/api/v5/market/books-full":
            return _book(request, world, 5000)
        case "/api/v5/public/instruments":
            return _instruments(request, world)
        case "/api/v5/market/tickers":
            return _by_type(request, world, lambda one: ticker_of(one, world))
        case "/api/v5/market/ticker":
            return _by_id(request, world, lambda one: ticker_of(one, world))
        case "/api/v5/market/trades":
            return _by_id(request, world, lambda one: trade_row(one, world.last_trade(one)))
        case "/api/v5/public/mark-price":
            rows = _by_id if request.query.get("instId") else _by_type  # ccxt asks by ``instId`` without ``instType``
            return rows(request, world, lambda one: mark_row(one, world.mark(one)), contracts_only=True)
        case "/api/v5/public/funding-rate":
            return _by_id(request, world, lambda one: funding_row(one, world.mark(one)), contracts_only=True)
        case "/api/v5/system/status":
            state = request.query.get("state")
            return _good([row for row in status_rows(world.notices(VENUE)) if state in (None, "", row["state"])])
        case _:
            return None


def failure(kind: str, status: int) -> Response:
    """OKX's body for a fault (its table of REST error codes)."""
    match kind, status:
        case "limit", _:
            code, words = "50011", "Too Many Requests"
        case "timeout", _:
            code, words = "50004", "API endpoint request timeout "
        case ("geo", _) | ("ban", _):
            # The CDN refuses public paths, with its own page instead of an OKX code.
            page = "<html><head><title>403 Forbidden</title></head><body><center><h1>403 Forbidden</h1></center><hr><center>cloudflare</center></body></html>"  # noqa: E501 - one page as the CDN sends it
            return html_page(page, status, "cloudflare")
        case _, 429:
            code, words = "50013", "Systems are busy. Please try again later."
        case _, 500:
            code, words = "50026", "System error. Try again later"
        case _:
            code, words = "50001", "Service temporarily unavailable. Try again later"
    return json_response({"code": code, "data": [], "msg": words}, status)


def inst_type(instrument: SimInstrument) -> str:
    return "SPOT" if instrument.product == "spot" else "SWAP"


def family(instrument: SimInstrument) -> str:
    return instrument.venue_id.removesuffix("-SWAP")


def settle(instrument: SimInstrument) -> str:
    return instrument.symbol.partition(":")[2]


def levels(side: Sequence[TextLevel]) -> list[list[str]]:
    """``[price, size, "0", order count]``. A removed level has order count 0."""
    return [[bare(price), size := bare(raw), "0", orders(size)] for price, raw in side]


def orders(size: str) -> str:
    """A plausible number of orders for a size, always the same for the same size."""
    return "0" if size == "0" else str(1 + len(size) % 4)


def ticker_row(one: SimInstrument, bid: TextLevel | None, ask: TextLevel | None, trade: SimTrade, now_ns: int) -> Row:
    """The simulated market has no yesterday: the 24 h figures are those of a day with one trade, the last one."""
    price, size = bare(trade.price), bare(trade.size)
    base_size = size if one.product == "spot" else times(size, one.contract_size)
    if one.inverse:
        base_size = f"{float(base_size) / float(price):.8f}"  # contracts are in dollars
    return {
        "instType": inst_type(one), "instId": one.venue_id, "last": price, "lastSz": size,
        "askPx": bare(ask[0]) if ask else "", "askSz": bare(ask[1]) if ask else "",
        "bidPx": bare(bid[0]) if bid else "", "bidSz": bare(bid[1]) if bid else "",
        "open24h": price, "high24h": price, "low24h": price, "sodUtc0": price, "sodUtc8": price,
        "volCcy24h": times(price, base_size) if one.product == "spot" else base_size, "vol24h": size,
        "ts": ms_text(now_ns),
    }  # fmt: skip


def ticker_of(one: SimInstrument, world: World) -> Row:
    best = world.book(one, 1)
    return ticker_row(one, first(best.bids), first(best.asks), world.last_trade(one), world.now_ns())


def trade_row(one: SimInstrument, trade: SimTrade) -> Row:
    return {
        "instId": one.venue_id, "tradeId": str(trade.trade_id), "px": bare(trade.price), "sz": bare(trade.size),
        "side": trade.side, "ts": ms_text(trade.engine_ns), "source": "0",
    }  # fmt: skip


def mark_row(one: SimInstrument, mark: SimMark) -> Row:
    return {
        "instType": inst_type(one), "instId": one.venue_id, "markPx": bare(mark.mark), "ts": ms_text(mark.gateway_ns),
    }  # fmt: skip


def funding_row(one: SimInstrument, mark: SimMark) -> Row:
    """``fundingTime`` is when ``fundingRate`` is settled, ``nextFundingTime`` is one interval later."""
    interval_ns = mark.interval_h * 3_600_000_000_000
    return {
        "instType": inst_type(one), "instId": one.venue_id, "method": "current_period", "formulaType": "noRate",
        "fundingRate": mark.funding_rate, "nextFundingRate": "", "fundingTime": ms_text(mark.next_funding_ns),
        "nextFundingTime": ms_text(mark.next_funding_ns + interval_ns),
        "prevFundingTime": ms_text(mark.next_funding_ns - interval_ns),
        "minFundingRate": "-0.00375", "maxFundingRate": "0.00375", "premium": mark.funding_rate,
        "interestRate": "0.0001", "impactValue": "", "settState": "settled", "settFundingRate": mark.funding_rate,
        "ts": ms_text(mark.gateway_ns),
    }  # fmt: skip


def status_rows(notices: Sequence[StatusNotice]) -> list[Row]:
    """``normal`` has no row. A row does not name products; at OKX only the title may name them."""
    return [
        {
            "begin": ms_text(notice.begin_ns), "end": ms_text(notice.end_ns), "env": "1", "href": "",
            "maintType": "3" if notice.state == "incident" else "1", "preOpenBegin": "", "scheDesc": "",
            "serviceType": ("9" if notice.products else "5") if notice.market_data else "7",
            "state": _STATES[notice.state], "system": "unified", "title": notice.text,
        }
        for notice in notices
        if notice.state in _STATES
    ]  # fmt: skip


def instrument_row(one: SimInstrument) -> Row:
    spot = one.product == "spot"
    return {
        "alias": "", "baseCcy": one.base if spot else "", "quoteCcy": one.quote if spot else "", "category": "1",
        "ctMult": "" if spot else "1", "ctType": "" if spot else ("inverse" if one.inverse else "linear"),
        "ctVal": "" if spot else one.contract_size,
        "ctValCcy": "" if spot else (one.quote if one.inverse else one.base),
        "settleCcy": settle(one), "uly": "" if spot else family(one), "instFamily": "" if spot else family(one),
        "instId": one.venue_id, "instIdCode": crc32(one.venue_id.encode()) % 1_000_000, "instType": inst_type(one),
        "expTime": "", "listTime": _LISTED_MS, "contTdSwTime": _LISTED_MS, "auctionEndTime": "",
        "lever": "10" if spot else "100", "tickSz": bare(one.tick),
        "lotSz": bare(one.lot), "minSz": bare(one.min_size), "optType": "", "stk": "",
        "state": "live", "ruleType": "normal", "groupId": "1", "maxLmtSz": "9999999999", "maxMktSz": "1000000",
        "maxLmtAmt": "20000000", "maxMktAmt": "1000000" if spot else "", "maxIcebergSz": "9999999999",
        "maxTriggerSz": "9999999999", "maxStopSz": "1000000", "maxTwapSz": "9999999999", "tradeQuoteCcyList": [],
    }  # fmt: skip


def _book(request: Request, world: World, most: int) -> Response:
    count = count_in(request.query, "sz", 1, most)
    if count is None:
        return _bad("51000", "Parameter sz error", 400)

    def row(one: SimInstrument) -> Row:
        image: BookImage = world.book(one, count)
        now = world.now_ns()
        return {"asks": levels(image.asks), "bids": levels(image.bids), "ts": ms_text(now)}

    return _by_id(request, world, row)


def _instruments(request: Request, world: World) -> Response:
    wanted = request.query.get("instId")
    return _by_type(request, world, instrument_row, keep=lambda one: wanted in (None, "", one.venue_id))


def _by_type(request: Request, world: World, row: Any, *, contracts_only: bool = False, keep: Any = None) -> Response:
    kind = request.query.get("instType", "")
    if not kind:
        return _bad("50014", "Parameter instType can not be empty", 400)
    if kind not in INST_TYPES:
        return _bad("51000", "Parameter instType error", 400)
    if kind == "OPTION" and not (request.query.get("uly") or request.query.get("instFamily")):
        return _bad("50015", "Either parameter uly or instFamily is required", 400)
    listed = [one for one in world.instruments(VENUE) if inst_type(one) == kind]
    return _good([
        row(one) for one in listed if (keep is None or keep(one)) and not (contracts_only and one.product == "spot")
    ])  # fmt: skip


def _by_id(request: Request, world: World, row: Any, *, contracts_only: bool = False) -> Response:
    name = request.query.get("instId", "")
    if not name:
        return _bad("50014", "Parameter instId can not be empty", 400)
    one = world.find(VENUE, name)
    if one is None or (contracts_only and one.product == "spot"):
        return _bad("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.", 200)
    return _good([row(one)])


def _good(rows: Sequence[Row]) -> Response:
    return json_response({"code": "0", "data": rows, "msg": ""})


def _bad(code: str, words: str, status: int) -> Response:
    return json_response({"code": code, "data": [], "msg": words}, status)
