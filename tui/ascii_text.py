"""Output that cannot say every character: each one that it lacks gets one of ASCII in the same number of cells, so that
tables and panes stay aligned. Nothing raises, and no pane knows of it.
"""

from __future__ import annotations

import codecs
import io
import unicodedata
from collections.abc import Mapping
from typing import TextIO

HANDLER = "detour-ascii"
"""The name of the codec error handler that ``speak`` gives to a stream."""

_SIGNS = {sign: made for made, signs in {
    "o": "●", "~": "◐±", "^": "▲↑", "=": "◆", "x": "✕×", "H": "‖", "/": "⊘╱", ".": "·…", "-": "–—▔", "<": "←≤▐",
    ">": "→≥▌", "v": "↓✓", '"': "“”▀", "'": "‘’", "u": "µ", "*": "•", ":": "░", "%": "▒", "#": "▓", "|": "▎▊▉▋▍▏",
}.items() for sign in signs}  # fmt: skip
_HEIGHTS = dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))
_BRAILLE = 0x2800
_UPPER_DOTS, _LOWER_DOTS, _LEFT_DOTS, _RIGHT_DOTS = 0x1B, 0xE4, 0x47, 0xB8
_GLYPHS = "●◐▲─█▌…\u202f\u28ff"
"""What a terminal must be able to say for the screen to be drawn as it is meant."""


def in_ascii(text: str) -> str:
    """The text in ASCII, cell by cell; what has no likeness becomes question marks."""
    return text if text.isascii() else "".join(map(_one, text))


def _one(character: str) -> str:
    if character.isascii():
        return character
    known = _SIGNS.get(character) or _HEIGHTS.get(character)
    if known is not None:
        return known
    if character.isspace():
        return "  " if character == "\u3000" else " "
    if _BRAILLE <= ord(character) < _BRAILLE + 0x100:
        return _dots(ord(character) - _BRAILLE)
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        return _line(name)
    cells = 2 if unicodedata.east_asian_width(character) in "WF" else 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return ""
    like = "".join(c for c in unicodedata.normalize("NFKD", character) if c.isascii() and c.isprintable())
    return like if len(like) == cells else "?" * cells


def _dots(dots: int) -> str:
    """A braille cell of a chart: where in the cell its line runs."""
    if dots & _UPPER_DOTS and dots & _LOWER_DOTS:
        return ":" if dots & _LEFT_DOTS and dots & _RIGHT_DOTS else "|"
    return "'" if dots & _UPPER_DOTS else "." if dots else " "


def _line(name: str) -> str:
    if " AND " in name or " ARC " in name or ("VERTICAL" in name and "HORIZONTAL" in name):
        return "+"
    return "|" if "VERTICAL" in name else "-"


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_ascii(error.object[error.start : error.end]), error.end


codecs.register_error(HANDLER, _replace)


def speak(stream: TextIO | None, *, only_ascii: bool = False) -> None:
    """Let a stream replace what its encoding cannot say; ``only_ascii`` replaces all that is not ASCII.

    A stream that is closed, or none of Python's own, stays as it is.
    """
    if isinstance(stream, io.TextIOWrapper) and not stream.closed:
        stream.reconfigure(encoding="ascii" if only_ascii else None, errors=HANDLER)


def ascii_only(encoding: str | None, environment: Mapping[str, str]) -> bool:
    """Should nothing but ASCII be drawn: the output's encoding lacks our signs, or the user's locale is plain C (where
    Python would write UTF-8 all the same, unless the user told it the encoding)."""
    try:
        _GLYPHS.encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return True
    if environment.get("PYTHONIOENCODING") or environment.get("PYTHONUTF8"):
        return False
    # Python puts C.UTF-8 into LC_CTYPE where the locale is C.
    ctype = environment.get("LC_CTYPE", "")
    locale = environment.get("LC_ALL") or (ctype if ctype != "C.UTF-8" else "") or environment.get("LANG", "")
    return locale in ("C", "POSIX")
