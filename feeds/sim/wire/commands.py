"""Reading the commands that clients send."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec import DecodeError, json

Command = TypeVar("Command")


def reader(form: type[Command], *, strict: bool = True) -> Callable[[bytes], Command | None]:
    """A decoder of JSON of this form, which returns None for anything else.

    ``strict=False`` also accepts numbers written as text, and the reverse.
    """
    decode = json.Decoder(form, strict=strict).decode

    def read(raw: bytes) -> Command | None:
        try:
            return decode(raw)
        except (DecodeError, UnicodeDecodeError):  # a ValidationError is a DecodeError
            return None

    return read
