"""Hyperliquid's ``POST /info``, simulated: one path for all public answers, chosen by ``type`` in the body.

Shapes: the protocol sheet, the docstrings of the official Python SDK 0.24, and what ccxt 4.5.90 reads. Numbers are
decimal text with at least one decimal. The list is short: one perpetuals' dex, and on spot only PURR, the pair that
every client expects at index 0, which has no market here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any
from zlib import crc32

from msgspec import MsgspecError, json

from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import Request, Response, SimInstrument, SimMark, SimTrade, TextLevel, World
from feeds.sim.wire.formats import bare, html_page, json_response, ms

Row = dict[str, Any]

VENUE = "hyperliquid"
LEVELS = 20
BLOCK_NS = 60_000_000
"""Time between two blocks (measured: 45 to 70 ms)."""
_SPOT_META: Row = {
    "tokens": [
        {
            "name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0,
            "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054", "isCanonical": True, "evmContract": None, "fullName": None,
        },
        {
            "name": "PURR", "szDecimals": 0, "weiDecimals": 5, "index": 1,
            "tokenId": "0xc1fb593aeffbeb02f85e0308e9956a90", "isCanonical": True, "evmContract": None, "fullName": None,
        },
    ],
    "universe": [{"name": "PURR/USDC", "tokens": [1, 0], "index": 0, "isCanonical": True}],
}  # fmt: skip
_SPOT_CONTEXT: Row = {
    "dayNtlVlm": "0.0", "markPx": "0.14", "midPx": None, "prevDayPx": "0.14", "circulatingSupply": "596000000.0",
    "coin": "PURR/USDC", "totalSupply": "596000000.0", "dayBaseVlm": "0.0",
}  # fmt: skip


class RefusedError(Exception):
    """A request that the venue refuses: HTTP status and body."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status, self.body = status, body


def answer(request: Request, world: World) -> Response | None:
    if request.path != "/info":
        return None
    if request.method != "POST":
        return Response(body="", status=405, headers={"allow": "POST"})
    try:
        asked = json.decode(request.body)
    except (MsgspecError, UnicodeDecodeError):
        return Response(body="Failed to parse the request body as JSON", status=400, headers=_PLAIN)
    try:
        return json_response(info(asked, world), headers=_CDN)
    except RefusedError as refused:
        return Response(body=refused.body, status=refused.status, headers=_PLAIN)


_CDN = {"via": "1.1 sim.cloudfront.net (CloudFront)", "x-cache": "Miss from cloudfront", "x-amz-cf-pop": "SIM50-P1"}
_PLAIN = {"content-type": "text/plain; charset=utf-8", **_CDN}


def failure(kind: str, status: int) -> Response:
    """The venue's body for a fault. Its own errors have almost no body. The CDN refuses blocked countries."""
    if kind == "geo":
        page = (
            "<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY><H1>403 ERROR</H1>\n"
            "The Amazon CloudFront distribution is configured to block access from your country.\n</BODY></HTML>"
        )
        return html_page(page, status, "CloudFront")
    if kind == "maintenance":
        return Response(body="Service unavailable: network upgrade", status=status, headers=_PLAIN)
    if kind == "ban":
        return Response(body="Forbidden", status=status, headers=_PLAIN)
    if kind == "timeout":
        page = "<HTML><HEAD><TITLE>ERROR</TITLE></HEAD><BODY><H1>504 Gateway Timeout ERROR</H1></BODY></HTML>"
        return html_page(page, status, "CloudFront")
    return Response(body="null", status=status, headers={"content-type": "application/json", **_CDN})


def info(asked: Any, world: World) -> Any:
    """The answer to one request; REST and the websocket give the same. Raises RefusedError."""
    if not isinstance(asked, dict):
        raise RefusedError(422, "Failed to deserialize the JSON body into the target type")
    listed = world.instruments(VENUE, "linear") if not asked.get("dex") else ()
    match asked.get("type"):
        case "exchangeStatus":
            ongoing = [n.text for n in world.notices(VENUE) if n.state in ("ongoing", "incident")]
            return {"time": block_ms(world.now_ns()), "specialStatuses": ongoing or None}
        case "l2Book":
            one = world.find(VENUE, str(asked.get("coin")), "linear")
            if one is None or not rounding_exists(asked):
                raise RefusedError(500, "null")
            return book(one, world, LEVELS, asked.get("nSigFigs"), asked.get("mantissa"))
        case "allMids":
            return {one.venue_id: mid for one in listed if (mid := _mid(one, world)) is not None}
        case "meta":
            return meta(listed)
        case "metaAndAssetCtxs":
            return [meta(listed), [context(one, world, world.mark(one)) for one in listed]]
        case "perpDexs":
            return [None]
        case "spotMeta":
            return _SPOT_META
        case "spotMetaAndAssetCtxs":
            return [_SPOT_META, [_SPOT_CONTEXT]]
        case "recentTrades":
            one = world.find(VENUE, str(asked.get("coin")), "linear")
            if one is None:
                raise RefusedError(500, "null")
            return [trade_row(one, world.last_trade(one))]
        case _:
            raise RefusedError(422, "Failed to deserialize the JSON body into the target type")


def meta(listed: Sequence[SimInstrument]) -> Row:
    return {
        "universe": [
            {"szDecimals": decimals_of(one.lot), "name": one.venue_id, "maxLeverage": 40, "marginTableId": 56}
            for one in listed
        ],
        "marginTables": [],
        "collateralToken": 0,
    }


def block_ms(now_ns: int) -> int:
    """The time of the latest block in ms: the venue's only clock."""
    return ms(now_ns - now_ns % BLOCK_NS)


def number(text: str) -> str:
    """Decimal text as the venue writes it: no trailing zeros, but at least one decimal."""
    short = bare(text)
    return short if "." in short else f"{short}.0"


def level(one: TextLevel) -> Row:
    return {"px": number(one[0]), "sz": number(one[1]), "n": 1 + crc32(one[1].encode()) % 5}


def rounding_exists(asked: Mapping[str, Any]) -> bool:
    """``nSigFigs`` is 2 to 5 or missing; ``mantissa`` is 1, 2 or 5, and only with 5 figures."""
    figures, mantissa = asked.get("nSigFigs"), asked.get("mantissa")
    return figures in (None, 2, 3, 4, 5) and (mantissa is None or (figures == 5 and mantissa in (1, 2, 5)))


def book(one: SimInstrument, world: World, levels: int, figures: int | None = None, mantissa: int | None = None) -> Row:
    """A whole book as the venue sends it; ``time`` is that of the latest block."""
    image = world.book(one, None if figures else levels)
    sides = [image.bids, image.asks]
    if figures:
        sides = [
            rounded(image.bids, figures, mantissa or 1, ROUND_FLOOR)[:levels],
            rounded(image.asks, figures, mantissa or 1, ROUND_CEILING)[:levels],
        ]
    return {
        "coin": one.venue_id,
        "time": block_ms(world.now_ns()),
        "levels": [[level(x) for x in side] for side in sides],
    }


def rounded(side: Sequence[TextLevel], figures: int, mantissa: int, towards: str) -> tuple[TextLevel, ...]:
    """Levels grouped to ``figures`` significant figures, rounded away from the middle of the book."""
    sums: dict[Decimal, Decimal] = {}
    for price, size in side:
        exact = Decimal(price)
        step = mantissa * Decimal(1).scaleb(exact.adjusted() - figures + 1)
        bucket = (exact / step).to_integral_value(towards) * step
        sums[bucket] = sums.get(bucket, Decimal(0)) + Decimal(size)
    return tuple((f"{price:f}", f"{size:f}") for price, size in sums.items())


def trade_row(one: SimInstrument, trade: SimTrade) -> Row:
    """``tid`` has 50 bits and does not increase. The hash and both users are made from it."""
    tid = trade.trade_id * 0x9E3779B97F4A7C15 % (1 << 50)
    users = [f"0x{tid * factor % (1 << 160):040x}" for factor in (0xD6E8FEB86659FD93, 0xA0761D6478BD642F)]
    return {
        "coin": one.venue_id, "side": "B" if trade.side == "buy" else "A", "px": number(trade.price),
        "sz": number(trade.size), "time": ms(trade.engine_ns), "hash": f"0x{tid:064x}", "tid": tid, "users": users,
    }  # fmt: skip


def context(one: SimInstrument, world: World, mark: SimMark) -> Row:
    """The simulated market has no yesterday: the 24 h figures are those of a day without trades."""
    best = world.book(one, 1)
    touch = [number(side[0][0]) for side in (best.bids, best.asks) if side]
    premium = (Decimal(mark.mark) / Decimal(mark.index) - 1).quantize(Decimal("0.00000001"))
    return {
        "funding": number(mark.funding_rate), "openInterest": "29000.0", "prevDayPx": number(mark.index),
        "dayNtlVlm": "0.0", "premium": number(f"{premium:f}"), "oraclePx": number(mark.index),
        "markPx": number(mark.mark), "midPx": _mid(one, world), "impactPxs": touch if len(touch) == 2 else None,
        "dayBaseVlm": "0.0",
    }  # fmt: skip


def _mid(one: SimInstrument, world: World) -> str | None:
    image = world.book(one, 1)
    if not image.bids or not image.asks:
        return None
    return number(f"{(Decimal(image.bids[0][0]) + Decimal(image.asks[0][0])) / 2:f}")
