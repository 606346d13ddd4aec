"""Text from outside made safe to write, to show and to read: one short line without anything a reader could obey.

Venues, proxies and block pages send what they like. What is cleaned is cleaned here, once, where it enters: by the
structs that carry such text (``feeds.model``, ``feeds.venues.base``, errors of ``feeds.transport``), so that nobody who
makes one can forget it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

TEXT_CHARS = 200
CODE_CHARS = 40
NAME_CHARS = 60
"""The longest text, error code and name (of a coin, chain or symbol) that is kept."""

PAGES = ("(an HTML page)", "(an XML document)")
"""All that is kept of a web page, or of an answer in XML."""

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"})
"""Unicode categories that go: controls (ESC, C1), what no terminal knows, and what has no width, turns the reading
direction or piles up on the character before. Spaces and line breaks of any kind become a space."""
_FILLERS = re.compile("[\u115f-\u11ff\u3164\ud7b0-\ud7ff\uffa0]")
"""Letters without a width of their own."""

_PAGE = re.compile(r"<(?:!doctype\s+)?(?:html|head|body|title|meta|script|style|center|table|div|h[1-6]|p)\b", re.I)
_XML = re.compile(r"<\?xml\b", re.I)
_TAG = re.compile(
    r"</?(?:a|b|br|code|em|font|form|hr|i|img|li|link|ol|pre|s|small|span|strong|sub|sup|td|th|tr|u|ul)\b[^<>]*>", re.I
)
_ANGLES = re.compile(r"<([/!?]?[^\W\d_][^<>]*)>")
_RUN = re.compile("<<+")
_OPENED = re.compile(r"<(?=[^\W\d_]|[/!?])")


def plain(text: str, limit: int = TEXT_CHARS) -> str:
    """At most ``limit`` characters on one line, spaces single, cut with an ellipsis; no control, format,
    bidirectional or zero-width characters. A web page becomes the first of ``PAGES``, other tags lose their brackets.
    Never raises.

    What is plain already comes back as it is.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and "<" not in text and "  " not in text:
        return text.strip(" ")
    text = text[: 2 * limit]  # whatever was sent, the work is small
    if not text.isascii():
        text = _FILLERS.sub("", unicodedata.normalize("NFC", text))
    text = "".join(kept for kept in map(_kept, text))
    text = " ".join(_without_markup(text).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def is_plain(text: str, limit: int = NAME_CHARS) -> bool:
    """A name that can be shown as it is."""
    return bool(text) and plain(text, limit) == text


@lru_cache(maxsize=4096)
def _kept(character: str) -> str:
    return " " if character.isspace() else "" if unicodedata.category(character) in _UNSAFE else character


def _without_markup(text: str) -> str:
    if "<" not in text:
        return text
    text = _RUN.sub("<", text)
    for page, name in zip((_PAGE, _XML), PAGES, strict=True):
        found = page.search(text)
        if found:
            before = text[: found.start()].rstrip(" :,")
            text = f"{before} {name}"
    return _OPENED.sub("", _ANGLES.sub(r"\1", _TAG.sub(" ", text)))
