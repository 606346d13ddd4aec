"""What a new list of instruments says against the one before, in sentences for the event log."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from feeds.model import Instrument

NAMED = 3
"""Of many, so many are named."""
FEW = 20
"""A list this short may really lose most of its instruments."""
_FIGURES = {
    "tick": "price step",
    "lot": "size step",
    "contract_size": "contract size",
    "min_size": "least size",
    "min_notional": "least notional",
    "taker_fee": "taker fee",
    "venue_id": "name at the venue",
}

Listed = Mapping[str, Instrument]


def believable(before: Listed, after: Listed) -> bool:
    """False for a list that has lost more than half of what was listed: a venue that answers half is no venue that
    delists half."""
    return len(before) < FEW or 2 * sum(symbol in after for symbol in before) >= len(before)


def told(before: Listed, after: Listed, watched: Collection[str]) -> list[str]:
    """``watched`` instruments one by one, then all others together."""
    own = [text for symbol in sorted(watched) if (text := _one(symbol, before.get(symbol), after.get(symbol)))]
    others = ", ".join(_counts(before, after, watched))
    return [*own, others] if others else own


def _one(symbol: str, before: Instrument | None, after: Instrument | None) -> str:
    if before is None or after is None:
        return "" if before is after else f"{symbol} is {'listed now' if before is None else 'not listed any more'}"
    parts = [
        f"{name} {_shown(old)} is {_shown(new)} now"
        for field, name in _FIGURES.items()
        if (old := getattr(before, field)) != (new := getattr(after, field))
    ]
    if before.active != after.active:
        parts.append("traded again" if after.active else "not traded now")
    return f"{symbol}: {', '.join(parts)}" if parts else ""


def _shown(value: object) -> str:
    return "unknown" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def _counts(before: Listed, after: Listed, watched: Collection[str]) -> Iterator[str]:
    new = [symbol for symbol in after if symbol not in before and symbol not in watched]
    gone = [symbol for symbol in before if symbol not in after and symbol not in watched]
    both = (symbol for symbol in after if symbol in before and symbol not in watched)
    changed = [symbol for symbol in both if before[symbol] != after[symbol]]
    if new:
        yield f"{len(new)} new instrument{'s' if len(new) > 1 else ''} ({_names(new)})"
    if gone:
        yield f"{len(gone)} gone ({_names(gone)})"
    if changed:
        yield f"{len(changed)} changed ({_names(changed)})"


def _names(symbols: Sequence[str]) -> str:
    more = len(symbols) - NAMED
    return ", ".join(symbols[:NAMED]) + (f" and {more} more" if more > 0 else "")
