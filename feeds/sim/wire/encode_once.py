"""Encoding an event once, however many clients asked for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class EncodeOnce(Generic[Made]):
    """Remembers what was made of the latest event of each key (an instrument and a form, say).

    A twin keeps one and its sessions share it: all clients are told of the same event object in a row, so the
    latest is enough.
    """

    def __init__(self) -> None:
        self._latest: dict[Hashable, tuple[object, Made]] = {}

    def get(self, key: Hashable, event: object, make: Callable[[], Made]) -> Made:
        """What ``make`` made of this very ``event`` object (by identity) under ``key``."""
        known = self._latest.get(key)
        if known is not None and known[0] is event:
            return known[1]
        made = make()
        self._latest[key] = (event, made)
        return made
