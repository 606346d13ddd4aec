"""Reading HTTP answers of any venue: status, headers, and bodies that are not the venue's."""

from __future__ import annotations

import re
from collections.abc import Sequence

from feeds.model import (
    Fault,
)
from feeds.venues.base import Answer, ProbeReading


def header_float(answer: Answer, name: str) -> float | None:
    """A header as a number. None: it is absent, or not a finite number."""
    try:
        value = float(answer.headers[name])
    except (KeyError, ValueError):
        return None
    return value if value == value and abs(value) != float("inf") else None


def share_used(answer: Answer, limit_name: str, left_name: str) -> float | None:
    """The used share of a rate limit (0 to 1), from one header with the limit and one with what is left. None: not
    told."""
    limit, left = header_float(answer, limit_name), header_float(answer, left_name)
    return (limit - left) / limit if limit and left is not None and 0 <= left <= limit else None


def http_fault(answer: Answer, overload: Sequence[int] = (500, 502, 503, 504, 520, 521, 522, 524)) -> Fault | None:
    """The fault that the HTTP status alone tells, None for success. A venue looks in its own table of codes first."""
    match answer.status:
        case 200 | 201 | 204:
            return None
        case 418 | 429:
            return Fault.OUR_LIMIT
        case 451:
            return Fault.GEO_BLOCK
        case 401 | 403:
            return Fault.REFUSED
        case status if status in overload:
            return Fault.OVERLOAD
        case status if 400 <= status < 500:
            return Fault.BAD_REQUEST
        case _:
            return Fault.UNKNOWN


def unreadable(answer: Answer) -> ProbeReading:
    """Reading of a body that is not the venue's JSON: it comes from the CDN in front of it, or from a proxy."""
    text = answer.body[:200].decode(errors="replace")
    fault = http_fault(answer) or Fault.UNKNOWN
    if fault is Fault.REFUSED and re.search(r"restrict|country|region|jurisdiction", text, re.IGNORECASE):
        fault = Fault.GEO_BLOCK
    return ProbeReading(fault=fault, code=str(answer.status), text=text)
