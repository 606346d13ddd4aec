"""The line of a key in a TOML text, for error messages. tomllib keeps no positions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
MOST_PARTS = 40
"""A key of more parts is a mistake or an attack; the deepest that means anything has three."""
_SYNTAX_LINE = re.compile(r"at line (\d+), column")


def line_of(text: str, keys: tuple[str, ...], value: str | None = None) -> int | None:
    """The 1-based line of a key, given as its path from the root.

    With ``value`` (an element of the key's array) the line that element stands on. A key that is only implied gets the
    line of the nearest table above it; None when not even that is written.
    """
    lines = text.splitlines()
    exact = nearest = None
    depth = 0
    for number, path in _keys(lines):
        shared = _shared(path, keys)
        if path[: len(keys)] == keys:
            exact = number
            break
        if shared > depth and shared == len(path):
            nearest, depth = number, shared
    found = exact if exact is not None else nearest
    if found is None or value is None:
        return found
    quoted = (f'"{value}"', f"'{value}'", value)
    return next((n for n in range(found, len(lines) + 1) if any(q in lines[n - 1] for q in quoted)), found)


def syntax_line(message: str) -> int | None:
    """The line that a ``tomllib.TOMLDecodeError`` names; None when it means the end of the file."""
    match = _SYNTAX_LINE.search(message)
    return int(match[1]) if match else None


def deep_key(text: str) -> int | None:
    """The first line with a key of more parts than ``MOST_PARTS``; None when there is none."""
    return next((number for number, path in _keys(text.splitlines()) if len(path) > MOST_PARTS), None)


def deep_line(text: str) -> int:
    """The line with the most brackets, of a text that is nested too deeply to be read."""
    lines = text.splitlines()
    return max(range(len(lines)), key=lambda at: lines[at].count("[") + lines[at].count("{"), default=0) + 1


def _keys(lines: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line, path) of every table header and every assignment that begins a line."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        stripped = line.lstrip()
        if stripped.startswith("["):
            parts, rest = _path(stripped.lstrip("["))
            if parts and rest.startswith("]"):
                table = parts
                yield number, table
        elif stripped and not stripped.startswith("#"):
            parts, rest = _path(stripped)
            if parts and rest.startswith("="):
                yield number, (*table, *parts)


def _path(text: str) -> tuple[tuple[str, ...], str]:
    """A dotted key at the start of ``text`` and what follows it."""
    parts: list[str] = []
    at = 0
    while match := _PART.match(text, at):
        quoted = match[1]
        plain = next(group for group in match.groups() if group is not None)
        parts.append(_unescaped(plain) if quoted is not None and "\\" in quoted else plain)
        at = match.end()
        if not text.startswith(".", at):
            break
        at += 1
    return tuple(parts), text[at:]


def _unescaped(quoted: str) -> str:
    try:
        return str(tomllib.loads(f'x = "{quoted}"')["x"])
    except tomllib.TOMLDecodeError:
        return quoted


def _shared(path: tuple[str, ...], keys: tuple[str, ...]) -> int:
    count = 0
    for a, b in zip(path, keys, strict=False):
        if a != b:
            break
        count += 1
    return count
