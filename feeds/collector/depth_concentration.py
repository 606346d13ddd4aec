"""How the depth of each watched symbol is divided among venues: rows of a frame in, one row a symbol out. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from feeds.advise.concentration import effective_venues, hhi
from feeds.frame import Concentration, DepthConcentration, PairRow
from feeds.model import venue_of


def depth_concentration(symbols: Iterable[str], pairs: Iterable[PairRow]) -> tuple[DepthConcentration, ...]:
    """By watched symbol and band, over live books whose depth is known on both sides, bid and ask together.

    Routes of one venue count together: they fail together. Depths of stand-ins in another dollar currency are added as
    they are: a basis of some basis points does not change a share that anybody could see.
    """
    amounts: dict[str, dict[str, dict[str, float]]] = {symbol: {} for symbol in symbols}
    for pair in pairs:
        by_band = amounts.get(pair.stands_for or pair.symbol)
        if by_band is None or pair.state != "live":
            continue
        for band, depth in pair.depth.items():
            if depth.bid is not None and depth.ask is not None:
                by_venue, venue = by_band.setdefault(band, {}), venue_of(pair.route)
                by_venue[venue] = by_venue.get(venue, 0.0) + depth.bid + depth.ask
    return tuple(
        DepthConcentration(symbol=symbol, bands={band: _of(by_venue) for band, by_venue in by_band.items()})
        for symbol, by_band in amounts.items()
    )


def _of(by_venue: dict[str, float]) -> Concentration:
    index = hhi(by_venue.values())
    return Concentration(hhi=index, effective_venues=effective_venues(index))
