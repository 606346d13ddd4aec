"""Hostile input for any venue: noise and damaged messages, and checks of the events made of it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from feeds.model import BookDelta, BookSnapshot, Event, Garbled, Liquidation, Mark, Quote, Trade, Unknown

_WORDS = b'NaN "nan" "inf" "-1" -1 null "" {} [] [[[ } " 1e400 true 99999999999999999999999'.split()
_SPITE = st.sampled_from([*_WORDS, b"\xff\xfe", b"\x00", b'"' + b"9" * 400 + b'"', b"[" * 5_000])


@st.composite
def hostile(draw: st.DrawFn, messages: Sequence[bytes]) -> bytes:
    """Random bytes, or one of ``messages`` with up to three stretches cut out or overwritten."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    raw = draw(st.sampled_from(messages))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 24)))
        raw = raw[:start] + draw(st.one_of(st.just(b""), _SPITE, st.binary(max_size=8))) + raw[end:]
    return raw


def assert_sound(events: Sequence[Event]) -> None:
    """Events hold only possible values: prices above 0 and below 1e18, sizes not below 0, times of 63 bits, and at most
    one line of text about what was not understood."""
    for event in events:
        for name in ("engine_ns", "gateway_ns"):
            ns = getattr(event, name, None)
            assert ns is None or 0 < ns < 1 << 63, event
        match event:
            case BookSnapshot() | BookDelta():
                assert all(0 < price < 1e18 and 0 <= size < 1e18 for price, size in (*event.bids, *event.asks)), event
                for number in (event.seq,) if isinstance(event, BookSnapshot) else (event.first_seq, event.last_seq):
                    assert number is None or number >= 0, event
            case Quote():
                assert all(value is None or 0 <= value < 1e18 for value in (event.bid, event.ask)), event
                assert all(value is None or 0 <= value < 1e18 for value in (event.bid_size, event.ask_size)), event
            case Trade() | Liquidation():
                assert 0 < event.price < 1e18, event
                assert 0 <= event.size < 1e18, event
            case Mark():
                assert all(value is None or 0 < value < 1e18 for value in (event.mark, event.index)), event
                assert event.funding_rate is None or abs(event.funding_rate) < 10, event
            case Garbled() | Unknown():
                assert len(event.what) <= 200, event
            case _:
                pass
