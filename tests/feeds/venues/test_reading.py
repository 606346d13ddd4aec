from __future__ import annotations

import gzip
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.venues.reading import UNREADABLE, Stamp, gunzip, ms_ns, number, stamp_ns


def test_empty_is_missing_and_zero_is_zero() -> None:
    assert number("") is None
    assert number("0") == 0.0
    assert number("-0.0001") == -0.0001
    assert ms_ns("") is None
    assert ms_ns("0") is None
    assert ms_ns("1790000000000") == 1_790_000_000_000_000_000


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e300", "x", "--1"])
def test_absurd_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        number(text)


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "9" * 20, "9" * 10_000])
def test_absurd_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ms_ns(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_as_unreadable(text: str) -> None:
    for read in (number, ms_ns):
        try:
            value = read(text)
        except UNREADABLE:
            continue
        assert value is None or abs(value) < 1 << 63


def test_a_gzip_member_is_unpacked_whole_or_not_at_all() -> None:
    packed = gzip.compress(b'{"ping":1}' * 100)
    assert gunzip(packed) == b'{"ping":1}' * 100
    for broken in (b"", b'{"ping":1}', packed[:-1], packed[:20], packed + b"x", packed * 2, b"\x1f\x8b" + b"\xff" * 30):
        with pytest.raises(ValueError, match="gzip"):
            gunzip(broken)


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(ValueError, match="at most 1048576 bytes"):
        gunzip(bomb)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2023-09-25T09:05:00.123456Z", 1_695_632_700_123_456_000),
        ("2026-08-09T21:05:48.228568804Z", 1_786_309_548_228_569_000),
        ("2026-08-09T23:05:48+02:00", 1_786_309_548_000_000_000),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00.000000Z", None),
        ("9999-12-31T23:59:59Z", None),
    ],
)
def test_text_times_are_read_to_the_microsecond_and_absurd_ones_are_not_sent(text: str, ns: int | None) -> None:
    assert stamp_ns(msgspec.json.decode(f'"{text}"', type=Stamp)) == ns
    assert stamp_ns(None) is None
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(f'"{text.rstrip("Z")[:19]}"', type=Stamp)
