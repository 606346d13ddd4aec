"""What crosses the pipe arrives as it was, however it is cut; what no venue can mean is refused."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.ccxt_pro.messages import (
    LEVELS,
    MAX_FRAME_BYTES,
    Beat,
    BookNow,
    ChildCommand,
    ChildMessage,
    Follow,
    Job,
    Lost,
    Probed,
    Refused,
    Unframer,
    frame,
    read_command,
    read_message,
)

BOOK = BookNow(
    symbol="BTC/USDT", bids=[(1.0, 2.0)], asks=[(1.5, 3.0)], nonce=7, venue_ms=5, received_ns=9, received_mono_ns=9
)
MESSAGES: list[ChildMessage] = [
    BOOK,
    Lost(symbol=None, text="cut"),
    Refused(symbol="A/B", trades=True, text="no"),
    Beat(lag_ms=1.5),
    Probed(name="time", scheduled_ns=5, total_ms=3.5, wait_ms=0.0, status=200, server_ms=1),
]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_messages_survive_being_cut_anywhere(cuts: list[int]) -> None:
    data = b"".join(frame(word) for word in MESSAGES)
    unframer, found, at = Unframer(), [], 0
    for cut in [*cuts, len(data)]:
        found += [read_message(body) for body in unframer.feed(data[at : at + cut])]
        at += cut
    assert found == MESSAGES


def test_commands_arrive() -> None:
    commands: list[ChildCommand] = [Job(ccxt_id="okx", product="spot", rest="http://x", ws="ws://x"), Follow(("A/B",))]
    assert [
        read_command(body) for body in Unframer().feed(b"".join(frame(command) for command in commands))
    ] == commands


@pytest.mark.parametrize(
    "change",
    [
        {"bids": [(math.nan, 1.0)]},
        {"asks": [(math.inf, 1.0)]},
        {"bids": [(-1.0, 1.0)]},
        {"asks": [(1.0, -1.0)]},
        {"bids": [(1.0, 1.0)] * (LEVELS + 1)},
        {"received_ns": -1},
        {"venue_ms": 1 << 50},
    ],
)
def test_a_book_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_message(frame(msgspec.structs.replace(BOOK, **change))[4:])


def test_a_length_that_no_message_has_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(ValueError, match="a message of"):
        list(Unframer().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "big")))
