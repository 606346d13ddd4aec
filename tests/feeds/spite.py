"""Texts as a hostile venue would send them, and what may not be left of them."""

from __future__ import annotations

import re
import unicodedata

SPITE = (
    "\x1b[31m", "\x1b]8;;http://x\x07", "\x9b2J", "\x85", "\x00", "\x7f", "\r\n", "\t", "\u2028", "\u2029",
    "\u202a", "\u202e", "\u2066", "\u2069", "\u200b", "\u200f", "\u2060", "\ufeff", "\u00ad", "\u061c", "\U000e0041",
    "\u0301", "\u0489", "\ufe0f", "\u115f", "\u3164", "\ue000", "\udcff",
    "<script>", "</b>", "<a href='x'>", "<!doctype html>", "<?xml ", "<", "<<", ">", "word", " ", "[bold]",
)  # fmt: skip
HOSTILE = "bad\x1b[31m\x9b\u202e\u2066\u200b\u00ad\u2028<b>\x07\ufeffword</b>" + "long " * 200
"""All kinds in one, longer than any text that is kept."""


def faults_of(text: str, limit: int) -> list[str]:
    """What a reader, a terminal or a browser could trip over in it."""
    found = [f"U+{ord(c):04X}" for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]
    found += [f"U+{ord(c):04X} has no width" for c in text if unicodedata.category(c) in ("Mn", "Me")]
    found += [f"U+{ord(c):04X} is a filler" for c in text if c in "\u115f\u1160\u3164\uffa0"]
    found += ["markup"] if re.search(r"<[A-Za-z/!?]", text) else []
    found += [f"{len(text)} characters"] if len(text) > limit else []
    found += ["space at an end, or two"] if text != " ".join(text.split(" ")) or text.strip(" ") != text else []
    return found
