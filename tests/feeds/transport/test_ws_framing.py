from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.transport.ws_framing import Framing

MAX = 70_000


def frame(first: int, body: bytes, *, masked: bool = False) -> bytes:
    """RFC 6455, 5.2, with the shortest length form."""
    mask = 0x80 if masked else 0
    if len(body) < 126:
        return struct.pack("!BB", first, mask | len(body)) + body
    if len(body) < 1 << 16:
        return struct.pack("!BBH", first, mask | 126, len(body)) + body
    return struct.pack("!BBQ", first, mask | 127, len(body)) + body


class Heard:
    """Keeps everything in order; ``other`` answers as a library would: no cutting within a fragmented message."""

    def __init__(self) -> None:
        self.all: list[tuple[str, bytes]] = []
        self.whole = True

    def message(self, payload: bytes, binary: bool) -> None:
        assert type(payload) is bytes
        self.all.append(("binary" if binary else "text", payload))

    def other(self, data: bytes) -> bool:
        self.all.append(("other", data))
        opcode, final = data[0] & 0x0F, data[0] & 0x80
        if opcode < 8:
            self.whole = bool(final)
        return self.whole


def stopped() -> int:
    """A clock that stands still."""
    return 0


def fed(chunks: list[bytes], limit: int | None = MAX) -> list[tuple[str, bytes]]:
    heard = Heard()
    framing = Framing(heard.message, heard.other, limit, stopped)
    for chunk in chunks:
        framing.feed(chunk)
    return heard.all


BODIES = st.one_of(st.binary(max_size=8), st.sampled_from([125, 126, 127, 65_535, 65_536, MAX]).map(bytes))
FRAMES = st.lists(
    st.tuples(st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A]), BODIES), max_size=8
)


@given(FRAMES, st.lists(st.integers(0, 400_000), max_size=12))
def test_every_frame_comes_out_once_whole_and_in_order_however_it_was_cut(
    frames: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(frame(first, body) for first, body in frames)
    expected: list[tuple[str, bytes]] = []
    whole = True
    for first, body in frames:
        if first in (0x81, 0x82) and whole:
            expected.append(("binary" if first == 0x82 else "text", body))
        else:
            expected.append(("other", frame(first, body)))
            if first & 0x0F < 8:
                whole = bool(first & 0x80)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    assert fed([stream[a:b] for a, b in pairwise(edges)]) == expected


def test_frames_come_out_byte_by_byte_too() -> None:
    stream = frame(0x81, b"one") + frame(0x89, b"?") + frame(0x82, b"x" * 300)
    assert fed([bytes([byte]) for byte in stream]) == [
        ("text", b"one"),
        ("other", frame(0x89, b"?")),
        ("binary", b"x" * 300),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        frame(0x81, b"masked", masked=True),
        frame(0x82, b"masked", masked=True),
        frame(0x81, bytes(MAX + 1)),
        struct.pack("!BBQ", 0x81, 127, 1 << 62),
    ],
    ids=["masked text", "masked binary", "too long", "endless"],
)
def test_what_no_server_may_send_is_left_to_the_library_with_all_that_follows(bad: bytes) -> None:
    good = frame(0x81, b"good")
    heard = fed([good + bad[:5], bad[5:], good])
    assert heard[0] == ("text", b"good")
    assert {kind for kind, _ in heard[1:]} == {"other"}
    assert b"".join(data for _, data in heard[1:]) == bad + good


def test_an_endless_frame_is_refused_before_it_is_kept() -> None:
    heard = Heard()
    framing = Framing(heard.message, heard.other, MAX, stopped)
    framing.feed(struct.pack("!BBQ", 0x81, 127, MAX + 1))
    assert heard.all == [("other", struct.pack("!BBQ", 0x81, 127, MAX + 1))]


def test_reserved_bits_are_for_the_library_to_judge() -> None:
    assert fed([frame(0xC1, b"compressed?")]) == [("other", frame(0xC1, b"compressed?"))]


def test_once_the_library_says_so_data_frames_go_to_it_as_well() -> None:
    seen: list[bytes] = []

    def closing(data: bytes) -> bool:
        seen.append(data)
        return False

    framing = Framing(lambda payload, binary: pytest.fail("handed over after the goodbye"), closing, MAX, stopped)
    framing.feed(frame(0x88, b"\x03\xe8") + frame(0x81, b"late"))
    assert seen == [frame(0x88, b"\x03\xe8"), frame(0x81, b"late")]


@given(FRAMES, st.lists(st.integers(0, 400_000), max_size=12), st.lists(st.booleans(), min_size=40, max_size=40))
def test_a_turn_that_ends_after_every_frame_loses_none_and_swaps_none(
    frames: list[tuple[int, bytes]], cuts: list[int], early: list[bool]
) -> None:
    """Whether bytes are fed, or kept because their turn has not come, makes no difference but when."""
    stream = b"".join(frame(first, body) for first, body in frames)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    heard = Heard()
    framing = Framing(heard.message, heard.other, MAX, stopped)
    all_done = True
    for chunk, waits in zip(chunks, early, strict=False):
        if waits or not all_done:
            framing.keep(chunk)
            all_done = False
        else:
            all_done = framing.feed(chunk, until_ns=0)
        if not waits:
            while not all_done:
                before = len(heard.all)
                all_done = framing.go_on(until_ns=0)
                assert len(heard.all) <= before + 1, "one frame a turn: its time is over at once"
    framing.go_on()
    assert heard.all == fed(chunks)


def test_once_we_are_closing_every_frame_is_the_librarys_and_one_at_a_time() -> None:
    heard = Heard()
    framing = Framing(heard.message, lambda data: bool(heard.other(data)) and False, MAX, stopped)
    framing.feed(frame(0x81, b"half a message")[:7])
    framing.closing()
    framing.feed(frame(0x81, b"half a message")[7:] + frame(0x81, b"late"))
    assert heard.all == [("other", frame(0x81, b"half a message")), ("other", frame(0x81, b"late"))]
