"""What a new list of instruments says against the one before."""

from __future__ import annotations

from typing import Any

import msgspec

from feeds.instruments.changes import believable, told
from tests.feeds.advise.routes import instrument

ROUTE = "okx.linear"


def listing(*symbols: str, **changes: Any) -> dict[str, Any]:
    return {s: instrument(ROUTE, symbol=s, **changes) for s in symbols}


def test_the_same_list_is_no_news() -> None:
    assert told(listing("A/USDT"), listing("A/USDT"), {"A/USDT"}) == []


def test_watched_instruments_are_told_one_by_one_with_both_values() -> None:
    before = listing("A/USDT", "B/USDT", "C/USDT", "D/USDT")
    after = listing("A/USDT", "B/USDT", "D/USDT", "E/USDT")
    after["A/USDT"] = msgspec.structs.replace(after["A/USDT"], contract_size=0.01, tick=0.5)
    after["B/USDT"] = msgspec.structs.replace(after["B/USDT"], active=False)
    assert told(before, after, {"A/USDT", "B/USDT", "C/USDT", "E/USDT"}) == [
        "A/USDT: price step 0.1 is 0.5 now, contract size 1 is 0.01 now",
        "B/USDT: not traded now",
        "C/USDT is not listed any more",
        "E/USDT is listed now",
    ]
    assert told(after, before, {"B/USDT"})[0] == "B/USDT: traded again"


def test_others_are_counted_and_a_few_are_named() -> None:
    before = listing("A/USDT", "OLD/USDT")
    after = listing("A/USDT", *(f"N{n}/USDT" for n in range(9)))
    assert told(before, after, {"A/USDT"}) == [
        "9 new instruments (N0/USDT, N1/USDT, N2/USDT and 6 more), 1 gone (OLD/USDT)"
    ]
    changed = {name: msgspec.structs.replace(each, lot=5.0) for name, each in after.items()}
    assert told(after, changed, set()) == ["10 changed (A/USDT, N0/USDT, N1/USDT and 7 more)"]


def test_a_list_that_lost_most_is_not_believed() -> None:
    many = listing(*(f"N{n}/USDT" for n in range(100)))
    assert believable(many, listing(*(f"N{n}/USDT" for n in range(60))))
    assert not believable(many, listing("N1/USDT", "N2/USDT"))
    assert believable(listing("A/USDT", "B/USDT"), listing("A/USDT")), "so few may really go"
    assert believable({}, listing("A/USDT"))
