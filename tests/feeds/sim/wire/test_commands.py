"""Reading the commands that clients send."""

from __future__ import annotations

import pytest
from msgspec import Struct

from feeds.sim.wire.commands import reader


class Command(Struct):
    id: int = 0


def test_a_command_is_read() -> None:
    assert reader(Command)(b'{"id": 3, "more": 1}') == Command(id=3)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"id": "3"}', b'{"id": 3}\xff', b"\xff\xfe"])
def test_anything_else_is_none(raw: bytes) -> None:
    assert reader(Command)(raw) is None


def test_numbers_as_text_are_read_where_the_venue_takes_them() -> None:
    assert reader(Command, strict=False)(b'{"id": "3"}') == Command(id=3)
