"""Checks values of a user's TOML document. A wrong one gives one sentence: file, line, key, and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from feeds.config.toml_lines import line_of

KeyPath: TypeAlias = tuple[str, ...]
"""A key's path from the document's root."""


LONGEST_COMPLAINT = 2_000


class ConfigError(ValueError):
    """One sentence for the user; the file is untouched. What could command a terminal stands in it as ``\\x1b``."""

    def __init__(self, text: str) -> None:
        shown = text if len(text) <= LONGEST_COMPLAINT else f"{text[:LONGEST_COMPLAINT]} (and so on)."
        if not shown.isprintable():
            shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
        super().__init__(shown)


def hint(word: str, allowed: Collection[str]) -> str:
    """``; nearest is "x" (allowed: x, y)``: the end of an error message about a word."""
    folded = {name.lower(): name for name in allowed}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.5)
    nearest = f'; nearest is "{folded[near[0]]}"' if near else ""
    names = list(allowed)
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"{nearest} (allowed: {', '.join(names[:20])}{more})"


def _kind(value: object) -> str:
    words = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return words.get(type(value), "a date or time")


class Values:
    """Checks the values of one document; every error is raised by ``fail``."""

    def __init__(self, text: str, file: Path) -> None:
        self.text = text
        self.file = file

    def fail(self, at: KeyPath, what: str, element: str | None = None) -> NoReturn:
        line = line_of(self.text, at, element)
        where = f"{self.file}, line {line}" if line else str(self.file)
        key = ".".join(f'"{part}"' if "." in part else part for part in at)
        raise ConfigError(f"{where}, {key}: {what}." if key else f"{where}: {what}.")

    def table(self, at: KeyPath, value: object, allowed: Sequence[str] | None = None) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(at, f"must be a table, not {_kind(value)}")
        for key in value:
            if allowed is not None and key not in allowed:
                self.fail((*at, key), f'unknown key "{key}"{hint(key, allowed)}')
        return value

    def word(self, at: KeyPath, value: object, longest: int = 60) -> str:
        if not isinstance(value, str):
            self.fail(at, f"must be a text in quotes, not {_kind(value)}")
        if not value.strip() or len(value) > longest or not value.isprintable():
            self.fail(at, f"must be a printable text of 1 to {longest} characters")
        return value

    def number(self, at: KeyPath, value: object, low: float, high: float, what: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(at, f"must be {what}, not {_kind(value)}")
        if not low <= value <= high:  # NaN is refused here too
            self.fail(at, f"{value} is not {what}")
        return float(value)

    def words(self, at: KeyPath, value: object, most: int) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or len(value) > most:
            self.fail(at, f"must be a list of 1 to {most} texts")
        found = tuple(self.word(at, item) for item in value)
        if double := next((w for i, w in enumerate(found) if w in found[:i]), None):
            self.fail(at, f'"{double}" is listed twice', double)
        return found

    def choice(self, at: KeyPath, value: object, allowed: Collection[str], what: str) -> str:
        found = self.word(at, value)
        if found not in allowed:
            self.fail(at, f'unknown {what} "{found}"{hint(found, allowed)}')
        return found
