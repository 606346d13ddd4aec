"""HTX's public REST answers, simulated, and the rows that the websockets share with them.

Shapes: the protocol sheet, a third party's measurements of 2026-09, captures of 2019 to 2022, and what ccxt 4.5.90
and cryptofeed 2.4.1 read. Spot writes numbers as Java prints doubles (``1.2E7``, ``9.7E-4``, ``0.0``); swaps write
them without trailing zeros. Most errors come with HTTP 200.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from zlib import crc32

from msgspec import Raw

from feeds.model import Product, StatusNotice
from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import Request, Response, SimInstrument, SimMark, SimTrade, TextLevel, World
from feeds.sim.wire.formats import bare, html_page, json_response, ms, ms_text, times

Row = dict[str, Any]

VENUE = "htx"
LIMIT, INTERVAL_MS = 240, 3_000
HEARTBEAT_TS = 1_557_714_418_033
"""The real venue still answers with this time of 2019."""
_STEPS: Mapping[Product, Mapping[str, int]] = {
    "spot": {f"step{step}": 150 for step in range(6)},
    "linear": {f"step{step}": 30 if step in range(6, 12) else 150 for step in range(20)},
}
_CHAINS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "btc": (("btc", "BTC", "BTC"),),
    "eth": (("eth", "ETH", "ETH"), ("arbieth", "ARBITRUM", "ARB")),
    "sol": (("sol", "SOL", "SOL"),),
    "xrp": (("xrp", "XRP", "XRP"),),
    "doge": (("doge", "DOGE", "DOGE"),),
    "usdt": (("usdterc20", "ERC20", "ETH"), ("trc20usdt", "TRC20", "TRX")),
    "usdc": (("usdc", "ERC20", "ETH"), ("solusdc", "SOL", "SOL")),
    "usde": (("usde", "ERC20", "ETH"),),
}


def answer(request: Request, world: World) -> Response | None:
    if request.method != "GET":
        return None
    path, query = request.path.rstrip("/"), request.query
    spot = _spot_answer(path, query, world)
    return spot if spot is not None else _swap_answer(path, query, world)


def _spot_answer(path: str, query: Mapping[str, str], world: World) -> Response | None:
    now_ms = ms(world.now_ns())
    match path:
        case "/v1/common/timestamp":
            return _good({"data": now_ms})
        case "/v1/common/symbols":
            return _good({"data": [symbol_row(one) for one in world.instruments(VENUE, "spot")]})
        case "/v2/settings/common/symbols":
            rows = [symbol_row_2(one) for one in world.instruments(VENUE, "spot")]
            return _good({"data": rows, "ts": str(now_ms), "full": 1})
        case "/v2/reference/currencies":
            wanted = query.get("currency", "")
            return json_response(
                {
                    "code": 200,
                    "data": [coin(n, n.upper() in world.no_withdraw(VENUE)) for n in _CHAINS if wanted in ("", n)],
                }
            )
        case "/v2/market-status":
            return json_response({"code": 200, "message": "success", "data": halted(world.notices(VENUE))})
        case "/market/depth":
            return _of_one(query.get("symbol", ""), "spot", world, lambda one: depth(one, world, query))
        case "/market/detail/merged":
            return _of_one(query.get("symbol", ""), "spot", world, lambda one: _tick(one, "detail.merged", world))
        case "/market/trade":
            return _of_one(query.get("symbol", ""), "spot", world, lambda one: last_trade(one, world))
        case "/market/tickers":
            rows = [{"symbol": one.venue_id} | flat(one, world) for one in world.instruments(VENUE, "spot")]
            return _good({"ts": now_ms, "data": rows})
        case _:
            return None


def _swap_answer(path: str, query: Mapping[str, str], world: World) -> Response | None:
    now_ms, code = ms(world.now_ns()), query.get("contract_code", "").upper()
    match path:
        case "/api/v1/timestamp":
            return _good({"ts": now_ms}, counted=True)
        case "/heartbeat":
            return _good({"data": heartbeat(world.notices(VENUE)), "ts": HEARTBEAT_TS})
        case "/linear-swap-api/v1/swap_contract_info":
            found = [one for one in world.instruments(VENUE, "linear") if code in ("", one.venue_id)]
            rows = [contract_row(one, world.mark(one)) for one in found]
            return _good({"data": rows, "ts": now_ms}, counted=True) if rows else _unknown_contract(now_ms)
        case "/linear-swap-api/v1/swap_batch_funding_rate" | "/linear-swap-api/v1/swap_funding_rate":
            found = [one for one in world.instruments(VENUE, "linear") if code in ("", one.venue_id)]
            funding = [funding_row(one, world.mark(one)) for one in found]
            data: object = funding if path.endswith("batch_funding_rate") else funding[0] if code and funding else None
            return _good({"data": data, "ts": now_ms}, counted=True) if data else _unknown_contract(now_ms)
        case "/v5/market/funding_rate":
            codes = code.split(",")
            found = [one for one in world.instruments(VENUE, "linear") if one.venue_id in codes]
            return json_response({"code": 200, "data": [funding_row_5(one, world.mark(one)) for one in found]})
        case "/linear-swap-ex/market/depth":
            return _of_one(code, "linear", world, lambda one: depth(one, world, query))
        case "/linear-swap-ex/market/detail/merged":
            return _of_one(code, "linear", world, lambda one: _tick(one, "detail.merged", world))
        case "/linear-swap-ex/market/trade":
            return _of_one(code, "linear", world, lambda one: last_trade(one, world))
        case "/linear-swap-ex/market/bbo":
            found = [one for one in world.instruments(VENUE, "linear") if code in ("", one.venue_id)]
            return _good({"ticks": [best(one, world) for one in found], "ts": now_ms})
        case "/index/market/history/linear_swap_mark_price_kline":
            return _of_one(code, "linear", world, lambda one: mark_history(one, world))
        case "/swap-api/v1/swap_contract_info":
            return _good({"data": [inverse_row("BTC-USD", None)], "ts": now_ms}, counted=True)
        case "/api/v1/contract_contract_info":
            return _good({"data": [inverse_row("BTC261225", "20261225")], "ts": now_ms}, counted=True)
        case _:
            return None


def failure(kind: str, status: int) -> Response:
    """HTX's body for a fault. The front before its servers answers with HTML pages."""
    match kind:
        case "limit" if status == 200:
            words = "The number of access exceeded the limit."
            return json_response({"status": "error", "err_code": 1032, "err_msg": words, "ts": 1_790_134_045_107})
        case "limit":
            return _error("too-many-request", "too many request", status)
        case "overload":
            broken = _error("gateway-internal-error", "Internal error, please try again later", status)
            return broken if status == 500 else _error("base-system-busy", "system is busy, please try again", status)
        case "timeout":
            return _error("gateway-internal-error", "request timeout", status)
        case "maintenance":
            return _error("system-maintenance", "System is in maintenance", status)
        case "geo":
            return _page(status, "The distribution is configured to block access from your country.")
        case _:
            return _page(status, "Request blocked.")


# numbers and rows


def java_double(number: str) -> Raw:
    """Decimal text as Java's ``Double.toString`` writes it."""
    value = Decimal(number)
    if value == 0 or -3 <= value.adjusted() < 7:
        text = f"{value:f}".rstrip("0") if "." in number else f"{value:f}."
        return Raw((text + "0" if text.endswith(".") else text).encode())
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0")
    return Raw(f"{digits[0]}.{digits[1:] or '0'}E{value.adjusted()}".encode())


def figure(one: SimInstrument, number: str) -> Raw:
    return java_double(number) if one.product == "spot" else Raw(bare(number).encode())


def levels(one: SimInstrument, side: Sequence[TextLevel]) -> list[tuple[Raw, Raw]]:
    return [(figure(one, price), figure(one, size)) for price, size in side]


def seq_num(one: SimInstrument, seq: int) -> int:
    """A pair's sequence number after a batch. It is the matching engine's count and grows by more than one."""
    return (crc32(one.venue_id.encode()) << 5) + 17 * seq + seq % 5


def book_tick(one: SimInstrument, world: World, count: int) -> Row:
    """A whole book. ``version`` is the second on swaps, and on spot the sequence number that ``mbp`` also has."""
    image = world.book(one, count)
    sides = {"bids": levels(one, image.bids), "asks": levels(one, image.asks)}
    if one.product == "spot":
        return sides | {"version": seq_num(one, image.seq), "ts": ms(image.engine_ns)}
    second = image.engine_ns // 1_000_000_000
    head = {"mrid": seq_num(one, image.seq), "id": second, "ts": ms(image.engine_ns), "version": second}
    return head | sides


def trade_rows(one: SimInstrument, trades: Sequence[SimTrade]) -> list[Row]:
    rows: list[Row] = []
    for trade in trades:
        said = {"ts": ms(trade.engine_ns), "price": figure(one, trade.price), "direction": trade.side}
        if one.product == "spot":
            long_id = Raw(
                f"{trade.trade_id}{ms(trade.engine_ns)}00".encode()
            )  # needs more than 64 bits, like the venue's
            rows.append({"id": long_id, "tradeId": trade.trade_id, "amount": figure(one, trade.size)} | said)
        else:
            coins = times(trade.size, one.contract_size)
            sizes = {"amount": figure(one, trade.size), "quantity": Raw(coins.encode())}
            turnover = {"trade_turnover": Raw(times(coins, trade.price).encode())}
            rows.append(sizes | turnover | {"id": trade.trade_id * 10_000} | said)
    return rows


def flat(one: SimInstrument, world: World) -> Row:
    """The simulated market has no yesterday: the 24 h figures are those of a day with one trade, the last one."""
    image, trade = world.book(one, 1), world.last_trade(one)
    price, size = figure(one, trade.price), figure(one, trade.size)
    tops: Row = {}
    for name, side in (("bid", image.bids), ("ask", image.asks)):
        tops |= {name: figure(one, side[0][0]), f"{name}Size": figure(one, side[0][1])} if side else {}
    turnover = Raw(times(trade.price, trade.size).encode())
    day = {"open": price, "high": price, "low": price, "close": price, "amount": size, "vol": turnover, "count": 1}
    return day | tops | {"lastPrice": price, "lastSize": size}


def depth(one: SimInstrument, world: World, query: Mapping[str, str]) -> Row | Response:
    step = query.get("type", "step0")
    count = _STEPS[one.product].get(step)
    wanted = query.get("depth", "")
    if count is None or (wanted and wanted not in ("5", "10", "20")):
        return _error("invalid-parameter", f"invalid type:{step}" if count is None else "invalid depth")
    count = int(wanted) if wanted else count
    head = {"ch": f"market.{one.venue_id}.depth.{step}", "ts": ms(world.now_ns())}
    return head | {"tick": book_tick(one, world, count)}


def last_trade(one: SimInstrument, world: World) -> Row:
    trade = world.last_trade(one)
    tick = {"id": seq_num(one, trade.trade_id), "ts": ms(trade.engine_ns), "data": trade_rows(one, [trade])}
    return {"ch": f"market.{one.venue_id}.trade.detail", "ts": ms(world.now_ns()), "tick": tick}


def best(one: SimInstrument, world: World) -> Row:
    image = world.book(one, 1)
    sides = {name: levels(one, side)[0] for name, side in (("bid", image.bids), ("ask", image.asks)) if side}
    named = {"contract_code": one.venue_id, "business_type": "swap", "mrid": seq_num(one, image.seq)}
    return named | sides | {"ts": ms(image.engine_ns)}


def mark_tick(mark: SimMark) -> Row:
    price = bare(mark.mark)
    minute = mark.gateway_ns // 60_000_000_000 * 60
    prices = {"open": price, "close": price, "low": price, "high": price}
    return {"id": minute, "vol": "0", "count": "0", "amount": "0", "trade_turnover": "0"} | prices


def mark_history(one: SimInstrument, world: World) -> Row:
    head = {"ch": f"market.{one.venue_id}.mark_price.1min", "ts": ms(world.now_ns())}
    return head | {"data": [mark_tick(world.mark(one))]}


def funding_row(one: SimInstrument, mark: SimMark) -> Row:
    return {
        "symbol": one.base, "contract_code": one.venue_id, "fee_asset": one.quote, "estimated_rate": None,
        "funding_rate": mark.funding_rate, "funding_time": ms_text(mark.next_funding_ns), "next_funding_time": None,
        "trade_partition": one.quote,
    }  # fmt: skip


def funding_row_5(one: SimInstrument, mark: SimMark) -> Row:
    following_ns = mark.next_funding_ns + mark.interval_h * 3_600_000_000_000
    return {
        "contract_code": one.venue_id, "funding_rate": mark.funding_rate, "min_funding_rate": "-0.00375",
        "max_funding_rate": "0.00375", "funding_time": ms_text(mark.next_funding_ns),
        "next_funding_time": ms_text(following_ns),
    }  # fmt: skip


def symbol_row(one: SimInstrument) -> Row:
    least = Raw(bare(one.min_size).encode())
    return {
        "base-currency": one.base.lower(), "quote-currency": one.quote.lower(), "symbol": one.venue_id,
        "price-precision": decimals_of(one.tick), "amount-precision": decimals_of(one.lot), "value-precision": 8,
        "symbol-partition": "main", "state": "online", "min-order-amt": least, "max-order-amt": 100_000,
        "min-order-value": 5, "limit-order-min-order-amt": least, "limit-order-max-order-amt": 100_000,
        "leverage-ratio": 5, "api-trading": "enabled", "tags": "",
    }  # fmt: skip


def symbol_row_2(one: SimInstrument) -> Row:
    return {
        "sc": one.venue_id, "dn": f"{one.base}/{one.quote}", "bc": one.base.lower(), "bcdn": one.base,
        "qc": one.quote.lower(), "qcdn": one.quote, "state": "online", "whe": False, "cd": False, "te": True,
        "tpp": decimals_of(one.tick), "tap": decimals_of(one.lot), "ttp": 8, "sp": "main",
    }  # fmt: skip


def contract_row(one: SimInstrument, mark: SimMark) -> Row:
    return {
        "symbol": one.base, "contract_code": one.venue_id, "contract_size": Raw(one.contract_size.encode()),
        "price_tick": Raw(one.tick.encode()), "delivery_date": "", "delivery_time": "", "create_date": "20201021",
        "contract_status": 1, "settlement_date": ms_text(mark.next_funding_ns), "support_margin_mode": "all",
        "settlement_period": str(mark.interval_h), "business_type": "swap", "pair": one.venue_id,
        "contract_type": "swap", "trade_partition": one.quote, "tradfi_labels": [], "enable_rpi": False,
    }  # fmt: skip


def inverse_row(code: str, delivery: str | None) -> Row:
    """Coin-margined contracts are not simulated. They are listed as suspended, for clients that read every listing."""
    base = {"symbol": "BTC", "contract_code": code, "contract_size": 100, "price_tick": 0.1, "contract_status": 3}
    if delivery is None:
        settled = {"delivery_time": "", "create_date": "20200325", "settlement_date": "1790150400000"}
        return base | settled
    dated = {"delivery_date": delivery, "delivery_time": "1798185600000", "create_date": "20260612"}
    return base | dated | {"contract_type": "quarter", "settlement_time": "1790150400000"}


def coin(name: str, shut: bool = False) -> Row:
    chains = [
        {
            "chain": chain, "displayName": shown, "baseChain": base, "baseChainProtocol": shown, "isDynamic": False,
            "numOfConfirmations": 12, "numOfFastConfirmations": 12, "depositStatus": "allowed", "minDepositAmt": "1",
            "withdrawStatus": "prohibited" if shut else "allowed", "minWithdrawAmt": "2",
            "withdrawPrecision": 6, "maxWithdrawAmt": "1000000",
            "withdrawFeeType": "fixed", "transactFeeWithdraw": "1", "addrWithTag": False, "addrDepositTag": False,
        }
        for chain, shown, base in _CHAINS[name]
    ]  # fmt: skip
    return {"currency": name, "assetType": 1, "instStatus": "normal", "chains": chains}


def _ongoing(notices: Sequence[StatusNotice], product: Product) -> StatusNotice | None:
    found = (n for n in notices if n.state in ("ongoing", "incident") and (not n.products or product in n.products))
    return next(found, None)


def halted(notices: Sequence[StatusNotice]) -> Row:
    notice = _ongoing(notices, "spot")
    if notice is None:
        return {"marketStatus": 1}
    bounds = {"haltStartTime": notice.begin_ns, "haltEndTime": notice.end_ns}
    return {"marketStatus": 2} | {key: ms(ns) for key, ns in bounds.items() if ns is not None}


def heartbeat(notices: Sequence[StatusNotice]) -> Row:
    notice = _ongoing(notices, "linear")
    end_ms = None if notice is None or notice.end_ns is None else ms(notice.end_ns)
    others = {
        "heartbeat": 1,
        "estimated_recovery_time": None,
        "swap_heartbeat": 1,
        "swap_estimated_recovery_time": None,
    }
    swaps = {
        "linear_swap_heartbeat": 0 if notice else 1,
        "linear_swap_estimated_recovery_time": end_ms,
    }
    return others | {"option_heartbeat": 1, "option_estimated_recovery_time": None} | swaps


# answers


def _tick(one: SimInstrument, kind: str, world: World) -> Row:
    row = flat(one, world)
    image = world.book(one, 1)
    sides = {name: levels(one, side)[0] for name, side in (("bid", image.bids), ("ask", image.asks)) if side}
    head = {"ch": f"market.{one.venue_id}.{kind}", "ts": ms(world.now_ns())}
    return head | {"tick": {"id": seq_num(one, image.seq)} | row | sides}


def _of_one(name: str, product: Product, world: World, make: Callable[[SimInstrument], Row | Response]) -> Response:
    found = world.find(VENUE, name, product)
    if found is None:
        words = "invalid symbol" if product == "spot" else "contract_code data error or empty"
        return _error("invalid-parameter", words)
    made = make(found)
    return made if isinstance(made, Response) else _good(made)


def _good(body: Row, counted: bool = False) -> Response:
    """``counted``: the call counts against 240 calls per 3 s, shown in headers. Market data has no such headers."""
    headers = {"ratelimit-limit": str(LIMIT), "ratelimit-interval": str(INTERVAL_MS)}
    left = {"ratelimit-remaining": str(LIMIT - 1)}
    return json_response({"status": "ok"} | body, headers=headers | left if counted else None)


def _error(code: str, words: str, status: int = 200) -> Response:
    return json_response({"status": "error", "err-code": code, "err-msg": words, "data": None}, status)


def _unknown_contract(now_ms: int) -> Response:
    words = "This contract doesnt exist."
    return json_response({"status": "error", "err_code": 1014, "err_msg": words, "ts": now_ms})


def _page(status: int, words: str) -> Response:
    head = "<html><head><title>ERROR: The request could not be satisfied</title></head>"
    page = f"{head}<body><h1>{status} ERROR</h1>{words}</body></html>"
    return html_page(page, status, "CloudFront")
