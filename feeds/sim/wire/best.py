"""Best prices of a book."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.sim.twin import SimInstrument, TextLevel, Top, World


def first(side: Sequence[TextLevel]) -> TextLevel | None:
    """The best level of a side, None when it is empty."""
    return side[0] if side else None


def top_of(instrument: SimInstrument, world: World) -> Top | None:
    """The best prices now, None while a side is empty."""
    image = world.book(instrument, 1)
    bid, ask = first(image.bids), first(image.asks)
    if bid is None or ask is None:
        return None
    return Top(seq=image.seq, bid=bid, ask=ask, engine_ns=image.engine_ns, gateway_ns=world.now_ns())
