"""Writes the user's config file: whole, checked and atomic. The previous one is kept beside it.

The writer (tomli-w) cannot keep comments, so a file that is changed by a command loses them; ``config.toml.bak`` has
them. A file that is not valid is never overwritten: the user may have broken it by hand and must not lose it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import tomli_w

from feeds.config.checks import ConfigError
from feeds.config.known import Known
from feeds.config.load import Config, parse, read_text
from feeds.config.paths import NOWHERE, write_atomically
from feeds.config.watchlists import DEFAULT_NAME

Document: TypeAlias = dict[str, Any]


def put_watchlist(file: Path, name: str, body: Mapping[str, Any], known: Known) -> Config:
    """Add or replace a watchlist. Raises ConfigError, and then the file is as it was."""

    def change(document: Document) -> None:
        document.setdefault("watchlists", {})[name] = dict(body)

    return _edit(file, change, known)


def remove_watchlist(file: Path, name: str, known: Known) -> Config:
    """Raises ConfigError when the file has no such watchlist, or it is the one in use."""

    def change(document: Document) -> None:
        watchlists = document.get("watchlists", {})
        if name not in watchlists:
            written = ", ".join(watchlists) or "none"
            raise ConfigError(f"{file}: has no watchlist {name!r} to remove (it has: {written}).")
        if document.get("watchlist") == name and name != DEFAULT_NAME:  # there is always a built-in default
            raise ConfigError(f"{file}: watchlist {name!r} is in use; choose another first (detour watch use NAME).")
        del watchlists[name]
        if not watchlists:
            del document["watchlists"]

    return _edit(file, change, known)


def use_watchlist(file: Path, name: str, known: Known) -> Config:
    """Make a watchlist the one in use. Raises ConfigError when there is none of that name."""

    def change(document: Document) -> None:
        document["watchlist"] = parse(tomli_w.dumps(document), file, known).chosen(name).name

    return _edit(file, change, known)


def replace_text(file: Path, text: str, known: Known) -> Config:
    """Replace the whole file by a text as the user typed it, comments included. Raises ConfigError."""
    config = parse(text, file, known)
    _write(file, text)
    return config


def has_comments(text: str) -> bool:
    """A rewrite may lose comments. (A ``#`` inside a text counts too: better one warning too many.)"""
    return "#" in text


def backup_of(file: Path) -> Path:
    return file.with_name(file.name + ".bak")


def _edit(file: Path, change: Callable[[Document], None], known: Known) -> Config:
    text = read_text(file)
    parse(text, file, known)
    document = tomllib.loads(text)
    change(document)
    new = tomli_w.dumps(document)
    config = parse(new, file, known)
    _write(file, new)
    return config


def _write(file: Path, text: str) -> None:
    if NOWHERE in file.parents:
        raise ConfigError("this user has no home folder for a config file: name one with --config FILE.")
    try:
        if file.exists():
            write_atomically(backup_of(file), file.read_bytes())
        write_atomically(file, text.encode())
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written ({error.strerror}).") from None
