"""Durations as people write them: ``60s``, ``5m``, ``1h30m``, ``250ms``."""

from __future__ import annotations

import re

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_MAX_S = 366 * 86400.0


def parse_duration_s(text: str) -> float:
    """Seconds; a bare number is seconds. Raises ValueError with one sentence."""
    wrong = ValueError(f"{text!r} is not a duration: write 250ms, 60s, 5m or 1h30m")
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        seconds = float(text)
    else:
        if not text or _PART.sub("", text):
            raise wrong
        seconds = sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
    if not 0 < seconds <= _MAX_S:
        raise wrong
    return seconds
