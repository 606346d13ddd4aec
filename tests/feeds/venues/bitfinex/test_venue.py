"""Bitfinex's facts, REST bodies and captures. The rules of the session: ``test_session.py``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.books.book import Outcome
from feeds.model import Channel, Fault, Garbled, Liquidation, Rail, Trade, Unknown
from feeds.venues.base import Answer, VenueError
from feeds.venues.bitfinex.session import BitfinexSession
from feeds.venues.bitfinex.venue import Bitfinex
from feeds.venues.bitfinex.wire import checksum, js
from tests.feeds.venues.captures import assert_ends_in, events, instrument, needs_wire, rebuild, records, truth

BITFINEX = Bitfinex()
SPOT = instrument("bitfinex.spot", "BTC/USDT", "tBTCUST")
SWAP = instrument("bitfinex.linear", "BTC/USDT:USDT", "tBTCF0:USTF0")


def answer(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body.encode())


# sockets


def test_every_channel_of_every_symbol_is_asked_for_once_within_25_channels_a_socket() -> None:
    for product, each, whole in (("spot", 3, 0), ("linear", 4, 1)):
        many = [instrument(f"bitfinex.{product}", f"C{n}/USDT", f"tC{n}:UST") for n in range(30)]
        plans = BITFINEX.plan("spot" if product == "spot" else "linear", many)
        assert len({plan.label for plan in plans}) == len(plans)
        asked = Counter(s for plan in plans for s in plan.subscriptions)
        assert set(asked.values()) == {1}
        assert len(asked) == 30 * each + whole
        assert max(len(plan.subscriptions) for plan in plans) <= 25
        assert all(plan.path == "/ws/2" for plan in plans)
    assert BITFINEX.plan("linear", []) == []


def test_flags_are_set_before_anything_is_subscribed_to() -> None:
    [plan] = BITFINEX.plan("linear", [SWAP])
    first, *rest = [msgspec.json.decode(p) for p in BITFINEX.session(plan, [SWAP]).subscribe()]
    assert first == {"event": "conf", "flags": 229376}
    assert [(p["channel"], p.get("symbol") or p["key"], p.get("len")) for p in rest] == [
        ("book", "tBTCF0:USTF0", "250"),
        ("book", "tBTCF0:USTF0", "1"),
        ("trades", "tBTCF0:USTF0", None),
        ("status", "deriv:tBTCF0:USTF0", None),
        ("status", "liq:global", None),
    ]


# the checksum


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (104250.0, "104250"), (0.068965, "0.068965"), (0.00002503, "0.00002503"), (-0.0000015, "-0.0000015"),
        (1e-6, "0.000001"), (1e-7, "1e-7"), (1.1e-7, "1.1e-7"), (-2.5e-8, "-2.5e-8"), (1e20, "100000000000000000000"),
        (1.5e17, "150000000000000000"), (1e21, "1e+21"), (43.358118629999986, "43.358118629999986"),
    ],
)  # fmt: skip
def test_numbers_are_printed_as_javascript_prints_them(number: float, text: str) -> None:
    assert js(number) == text


@given(st.floats(min_value=1e-12, max_value=1e17))
def test_printed_numbers_are_the_same_numbers(number: float) -> None:
    assert float(js(number)) == number
    assert "e" not in js(number) or number < 1e-6


def test_the_checksum_takes_both_sides_in_turns_with_asks_below_zero() -> None:
    """CRC32 of "6000:1:6100:-3:5900:2:6200:-0.5:6300:-7", signed."""
    assert checksum([(6000.0, 1.0), (5900.0, 2.0)], [(6100.0, 3.0), (6200.0, 0.5), (6300.0, 7.0)]) == -612141961


# captures


def session_of(ids: Mapping[int, tuple[str, str]]) -> BitfinexSession:
    """A session that is subscribed to these channels: id -> (channel, symbol or key)."""
    names = sorted({name.removeprefix("deriv:") for kind, name in ids.values() if name != "liq:global"} or {"tBTCUSD"})
    found = [instrument("bitfinex.linear", f"{name}:USDT", name) for name in names]
    [plan] = BITFINEX.plan("linear", found)
    session = BITFINEX.session(plan, found)
    session.subscribe()
    for chan, (kind, name) in ids.items():
        place = "key" if kind == "status" else "symbol"
        said = {"event": "subscribed", "channel": kind, "chanId": chan, place: name}
        session.receive(msgspec.json.encode(said | ({"len": "250"} if kind == "book" else {})), 0)
    return session


@needs_wire
def test_the_continuous_capture_ends_in_the_recorded_books() -> None:
    """A capture of 2021, with SEQ only. It has 100 levels, and tickers, which we do not subscribe to."""
    name = "bitfinex/cryptofeed_20210417"
    books = truth(name)
    found = [instrument("bitfinex.spot", f"{key}/X", key) for key in sorted(books)]
    [plan] = BITFINEX.plan("spot", found)
    session = OldLengths(plan, found)
    rebuilt = rebuild(BITFINEX, "spot", name, found, session=session)
    assert set(rebuilt.unknown) == {f"subscribed to ticker {key}" for key in books}
    assert rebuilt.garbled == Counter()
    assert len(books) == 7
    for key, expected in books.items():
        book = rebuilt.books[f"{key}/X"]
        assert_ends_in(book, expected)
        applied = expected.snapshots + expected.updates_applied
        assert rebuilt.outcomes[f"{key}/X"] == Counter({Outcome.APPLIED: applied})


class OldLengths(BitfinexSession):
    """Reads the capture's book of 100 levels as the one that we subscribe to."""

    def receive(self, raw: bytes, received_ns: int):  # type: ignore[no-untyped-def]  # as the session's
        return super().receive(raw.replace(b'"len":"100"', b'"len":"250"'), received_ns)


RAW_BOOK = "raw books (R0): orders, not levels; never asked for"
TICKER = "tickers, one of lending among them: never asked for"
CANDLES = "candles: never asked for"
KIND_OF = {"book": "book", "trades": "trades", "status": "status", "liquidations": "status"}


@needs_wire
def test_isolated_messages_decode() -> None:
    """Those of tardis have the channel's name in the array or follow a ``subscribed``. Those of the crawler have it in
    place of the id."""
    kinds: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    granted: dict[int, tuple[str, str]] = {6957: ("trades", "tETHUSD"), 12778: ("status", "deriv:tBTCF0:USTF0")}
    for file in ("bitfinex/isolated_tardis-node", "bitfinex/isolated_crypto-msg-parser"):
        for record in records(file):
            message = msgspec.json.decode(record.raw)
            if isinstance(message, dict):
                granted[message["chanId"]] = (message["channel"], message.get("symbol") or message["key"])
                continue
            raw, chan = record.raw, message[0]
            if isinstance(chan, list):  # a REST book
                book = BITFINEX.read_snapshot("spot", SPOT, Answer(status=200, headers={}, body=raw))
                assert (len(book.bids), len(book.asks)) == (3, 3)
                continue
            if isinstance(chan, dict):
                kind, name = chan["channel"], chan.get("symbol") or chan["key"]
                kind = "raw_book" if chan.get("prec") == "R0" else kind
                raw = msgspec.json.encode([1, *message[1:]])
                chan = 1
            elif isinstance(message[-1], str):
                kind = message[-2]
                name = "liq:global" if kind == "liquidations" else f"t{message[-1]}"
                name = f"deriv:{name}" if kind == "status" else name
            else:
                kind, name = granted.get(chan, ("ticker", ""))
            reason = {"raw_book": RAW_BOOK, "ticker": TICKER, "candles": CANDLES}.get(kind)
            if reason is not None:
                skipped[reason] += 1
                continue
            session = session_of({chan: (KIND_OF[kind], name)})
            for event in session.receive(raw, 0):
                assert not isinstance(event, Unknown | Garbled), (event, record.data)
                kinds[type(event).__name__] += 1
    assert set(skipped) == {RAW_BOOK, TICKER, CANDLES}
    assert kinds["BookSnapshot"] >= 2
    assert kinds["BookDelta"] >= 5
    assert kinds["Trade"] >= 4
    assert kinds["Mark"] >= 5
    assert kinds["Heartbeat"] >= 2


@needs_wire
def test_times_and_sides_of_a_captured_trade() -> None:
    session = session_of({89: ("trades", "tBTCUSD")})
    [trade] = session.receive(b'[89,"te",[382489563,1564617600709,0.00705845,10087.98969503],18,1564617600784]', 0)
    assert trade == Trade(
        symbol="tBTCUSD:USDT", price=10087.98969503, size=0.00705845, side="buy", trade_id="382489563",
        engine_ns=1564617600709 * 1_000_000, gateway_ns=1564617600784 * 1_000_000,
    )  # fmt: skip


def test_a_liquidation_is_told_once_of_our_markets() -> None:
    session = session_of({7: ("status", "liq:global"), 8: ("trades", "tETHF0:USTF0")})
    frames = [
        b'[7,[["pos",143679087,1594036710534,null,"tETHF0:USTF0",-8.6007,222.24,null,0,1,null,235.6]],1,1594036710596]',
        b'[7,[["pos",143679087,1594036710543,null,"tETHF0:USTF0",-4.5,222.24,null,1,1,null,235.52]],2,1594036710597]',
        b'[7,[["pos",142397657,1574697680828.2002,null,"tBSVUSD",2.6,91.5,null,0,1,null,112.27]],3,1594036710598]',
    ]
    [liquidation] = events(session, frames)
    assert isinstance(liquidation, Liquidation)
    assert (liquidation.side, liquidation.price, liquidation.size) == ("buy", 235.6, 8.6007)
    assert liquidation.engine_ns == 1594036710534 * 1_000_000


# REST

[BOOK] = BITFINEX.probes("spot", [SPOT])


def test_the_probe_is_the_cheapest_path_and_tells_no_time() -> None:
    assert BOOK.request.path == "/v2/book/tBTCUST/P0?len=1"
    assert BITFINEX.probes("linear", [])[0].request.path == "/v2/book/tBTCUSD/P0?len=1"
    headers = {"date": "Sun, 22 Nov 2026 18:00:07 GMT"}  # whole seconds: too coarse to measure with
    reading = BITFINEX.read_probe("spot", BOOK, answer("[[104250,3,0.51],[104251,1,-0.2]]", headers=headers))
    assert (reading.fault, reading.server_ns) == (None, None)


@pytest.mark.parametrize(
    ("body", "status", "fault"),
    [
        ('{"code":503,"error":"temporarily_unavailable","error_description":"Sorry"}', 503, Fault.OVERLOAD),
        ('{"error":"ERR_RATE_LIMIT"}', 429, Fault.OUR_LIMIT),
        ('["error",11010,"ratelimit: error"]', 200, Fault.OUR_LIMIT),
        ('["error",20060,"maintenance"]', 500, Fault.MAINTENANCE),
        ('["error",10020,"symbol: invalid"]', 500, Fault.BAD_REQUEST),
        ("<html>524</html>", 524, Fault.OVERLOAD),
        ("<html>your country</html>", 403, Fault.GEO_BLOCK),
        ('{"what":1}', 200, Fault.UNKNOWN),
        ("", 200, Fault.UNKNOWN),
    ],
)
def test_errors_say_whose_fault_they_are(body: str, status: int, fault: Fault) -> None:
    assert BITFINEX.read_probe("spot", BOOK, answer(body, status)).fault is fault
    for read in (
        lambda a: BITFINEX.read_snapshot("spot", SPOT, a),
        lambda a: BITFINEX.read_status("spot", a),
        BITFINEX.read_transfers,
    ):
        with pytest.raises(VenueError):
            read(answer(body, status))


def test_the_platform_works_or_is_in_maintenance() -> None:
    assert BITFINEX.read_status("spot", answer("[1]")) == ()
    [notice] = BITFINEX.read_status("spot", answer("[0]"))
    assert (notice.state, notice.products) == ("ongoing", ())
    with pytest.raises(VenueError):
        BITFINEX.read_status("spot", answer("[7]"))


def test_transfers_are_named_as_everybody_names_the_coins() -> None:
    body = (
        '[[["BITCOIN",1,1,null,null,null,null,0,0,null,null,3],["TETHERUSE",1,0,null,null,null,null,0,0,null,null,3],'
        '["TETHERUSX",0,1,null,null,null,null,0,0,null,null,3]],'
        '[["BITCOIN",["BTC"]],["TETHERUSE",["UST"]],["TETHERUSX",["UST"]],["NEW",["XYZ"]]],'
        '[["UST","USDt"],["USTF0","USDt0"]]]'
    )
    assert BITFINEX.read_transfers(answer(body)) == [
        Rail(coin="BTC", chain="BITCOIN", deposit=True, withdraw=True),
        Rail(coin="USDT", chain="TETHERUSE", deposit=True, withdraw=False),
        Rail(coin="USDT", chain="TETHERUSX", deposit=False, withdraw=True),
        Rail(coin="XYZ", chain="NEW", deposit=None, withdraw=None),
    ]
    [request] = BITFINEX.transfer_requests(["BTC"])
    assert request.path == "/v2/conf/pub:info:tx:status,pub:map:tx:method,pub:map:currency:sym"


def test_a_rest_book_is_whole_where_it_is_shorter_than_asked_for() -> None:
    request = BITFINEX.snapshot_request("spot", SPOT)
    assert request is not None
    assert request.path == "/v2/book/tBTCUST/P0?len=100"
    book = BITFINEX.read_snapshot("spot", SPOT, answer("[[104250,3,0.51],[104251,1,-0.2],[104252,0,1]]"))
    assert (book.bids, book.asks, book.levels_limit) == ([(104250.0, 0.51)], [(104251.0, 0.2)], 100)


def test_facts_that_users_see() -> None:
    for product in BITFINEX.products.values():
        assert product.taker_fee == 0.0
        assert product.rest_limit.weight == 240
    assert Channel.LIQUIDATIONS not in BITFINEX.products["spot"].push_ms
