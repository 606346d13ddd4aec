"""Hostile bytes for any venue's session: noise, and real messages with something in them broken."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

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
