"""What a message may claim is bounded in every venue: numbers of messages, funding rates, rows, texts, names."""

from __future__ import annotations

import importlib
import inspect as python_inspect
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from msgspec import Struct, inspect
from msgspec.json import encode

import feeds.venues
from feeds.model import Channel, Garbled, Instrument, Refusal
from feeds.venues.base import SocketPlan, Subscription
from feeds.venues.bitfinex.session import BitfinexSession
from feeds.venues.htx.session import HtxSession
from feeds.venues.mexc.spot_session import SpotSession
from feeds.venues.reading import number, rate

FOLDER = Path(feeds.venues.__file__).parent
WIRES = sorted(p.relative_to(FOLDER).with_suffix("").as_posix().replace("/", ".") for p in FOLDER.glob("*/*wire.py"))
SEQUENCE = re.compile(
    r"(first|last|prev|pu|u|p?seq|cross_seq|(prev_)?seq_id|(prev_)?change_id|last_update_id|update|version|begin|end)"
    r"|sequence\w*"
)
FUNDING = re.compile(r"fund(ing)?(_?rate|_8h)?|rate")
STREAMED = re.compile(r"Row$|^Level$")
"""Rows of websocket messages; answers over REST are bounded by their bytes."""
BY_BYTES = {"StatusRow", "TxRow", "ErrorRow"}


def wire(name: str) -> ModuleType:
    return importlib.import_module(f"feeds.venues.{name}")


def structs(module: ModuleType) -> Iterator[inspect.StructType]:
    for one in vars(module).values():
        if python_inspect.isclass(one) and issubclass(one, Struct) and one.__module__ == module.__name__:
            found = inspect.type_info(one)
            assert isinstance(found, inspect.StructType)
            yield found


def parts(kind: inspect.Type) -> Iterator[inspect.Type]:
    """The type, or those that a union has."""
    yield from kind.types if isinstance(kind, inspect.UnionType) else (kind,)


@pytest.mark.parametrize("name", WIRES)
def test_a_sequence_number_is_not_negative_and_a_funding_rate_not_absurd(name: str) -> None:
    for struct in structs(wire(name)):
        for field in struct.fields:
            where = f"{name} {struct.cls.__name__}.{field.name}"
            for kind in parts(field.type):
                if isinstance(kind, inspect.IntType) and SEQUENCE.fullmatch(field.name):
                    assert kind.ge is not None and kind.ge >= -1 and kind.lt is not None, where
                if isinstance(kind, inspect.FloatType) and FUNDING.fullmatch(field.name):
                    assert (kind.ge, kind.le) == (-1, 1), where


@pytest.mark.parametrize("name", WIRES)
def test_one_message_has_a_bounded_number_of_rows(name: str) -> None:
    for struct in structs(wire(name)):
        if "Rest" in struct.cls.__name__:
            continue
        for field in struct.fields:
            for kind in parts(field.type):
                if isinstance(kind, inspect.ListType) and isinstance(kind.item_type, inspect.StructType):
                    row = kind.item_type.cls.__name__
                    if STREAMED.search(row) and row not in BY_BYTES:
                        assert kind.max_length is not None, f"{name} {struct.cls.__name__}.{field.name}"
    source = Path(wire(name).__file__ or "").read_text()
    bare = re.findall(r"Decoder\(list\[(\w*Row)\]", source)
    assert not set(bare) - BY_BYTES, "rows_of bounds them"


def test_a_funding_rate_as_text_is_bounded_too() -> None:
    assert rate("-0.0075") == -0.0075 and rate("") is None
    with pytest.raises(ValueError, match="funding"):
        rate("121613")
    for path in FOLDER.glob("*/*session.py"):
        assert f"funding_rate={number.__name__}(" not in path.read_text(), path


def plan(path: str, *subscriptions: Subscription) -> SocketPlan:
    return SocketPlan(product="spot", label="public", path=path, subscriptions=subscriptions)


def instrument(venue_id: str) -> Instrument:
    return Instrument(
        route="x.spot",
        symbol="BTC/USDT",
        venue_id=venue_id,
        base="BTC",
        quote="USDT",
        tick=0.01,
        lot=0.001,
        taker_fee=0.001,
    )


def test_a_long_refusal_of_mexc_costs_milliseconds() -> None:
    session = SpotSession(plan("/ws", Subscription(Channel.BOOK, "BTC/USDT")), (instrument("BTCUSDT"),))
    topics = ",".join(f"spot@public.x{n}" for n in range(1_000))
    for text in (
        "Not Subscribed successfully! [" * 16_000,
        "Not Subscribed successfully! [" * 1_000,
        f"Not Subscribed successfully! [{topics}].",
        "spot@" * 100_000,
    ):
        started_s = time.process_time()
        events = session.receive(encode({"id": 0, "code": 0, "msg": text}), 1)
        assert time.process_time() - started_s < 0.2
        assert len(events) <= 1 and all(isinstance(e, Garbled | Refusal) for e in events)


def test_names_that_are_invented_anew_in_every_message_leave_nothing_behind() -> None:
    htx = HtxSession(plan("/feed", Subscription(Channel.BOOK, "BTC/USDT")), (instrument("btcusdt"),))
    for n in range(100):
        for kind in ("mbp.150", "depth.step0", f"mbp.{n + 1_000}"):
            htx.receive(encode({"ch": f"m{n}.btcusdt.{kind}", "ts": 1, "tick": {"seqNum": 1}}), 1)
            htx.receive(encode({"ch": f"market.x{n}.{kind}", "ts": 1, "tick": {"seqNum": 1}}), 1)
    assert len(htx._known) == 0
    bitfinex = BitfinexSession(plan("/ws/2", Subscription(Channel.TRADES, "BTC/USDT")), (instrument("tBTCUST"),))
    bitfinex.subscribe()
    for n in range(100):
        row = {"event": "subscribed", "channel": "trades", "chanId": n, "symbol": "tBTCUST", "pair": "BTCUST"}
        bitfinex.receive(encode(row), 1)
    assert len(bitfinex._by_chan) == 1
