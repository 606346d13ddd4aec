"""All routes together: order, counts, why nothing can be judged; and the depth of a symbol over all its books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from feeds.advise.concentration import effective_venues, hhi
from feeds.frame import BandDepth, NoVerdicts, PairRow, RouteRow, SelfRow, Summary, SymbolDepth, worst_first
from feeds.model import Cause, State, venue_of

SLOW = frozenset({State.SUSPECT, State.CONGESTED})
_OWN: Mapping[str, NoVerdicts] = {"clock": "own_clock", "unmeasured": "own_pause", "unwatched": "unwatched"}
"""What of ours is in the way, by the first reason of an unknown route."""
CLOSED = frozenset({State.STALLED, State.DOWN, State.HALTED, State.BLOCKED})


def summary(routes: Sequence[RouteRow], home: str | None, own: SelfRow) -> Summary:
    states = [row.state for row in routes]
    why = _no_verdicts(routes, own)
    since_ns = min((row.since_ns for row in routes), default=None)
    return Summary(
        worst_first=tuple(row.route for row in worst_first(routes, home)),
        clear=states.count(State.OK),
        slow=sum(state in SLOW for state in states),
        closed=sum(state in CLOSED for state in states),
        unknown=states.count(State.UNKNOWN),
        no_verdicts=why,
        no_verdicts_since_ns=None if why is None else own.uplink_since_ns if why == "uplink_down" else since_ns,
    )


def _no_verdicts(routes: Sequence[RouteRow], own: SelfRow) -> NoVerdicts | None:
    if not routes:
        return "no_routes"
    if own.uplink == "down":
        return "uplink_down"
    if any(row.state is not State.UNKNOWN for row in routes):
        return None
    causes = {row.cause for row in routes}
    signals = {row.reasons[0].signal for row in routes if row.reasons}
    if Cause.UPLINK in causes:
        return "untrusted" if "certificate" in signals else "uplink_doubtful"
    if Cause.SELF in causes:
        return next((why for signal, why in _OWN.items() if signal in signals), "own_lag")
    return "warming"


def depth_totals(symbols: Iterable[str], pairs: Sequence[PairRow]) -> Iterator[SymbolDepth]:
    """One symbol at a time. A book counts where it is live and reaches that far on both sides."""
    by_symbol: dict[str, list[PairRow]] = {}
    for pair in pairs:
        if pair.state != "absent":
            by_symbol.setdefault(pair.stands_for or pair.symbol, []).append(pair)
    for symbol in symbols:
        listed = by_symbol.get(symbol, [])
        live = [pair for pair in listed if pair.state == "live"]
        names = dict.fromkeys(band for pair in live for band in pair.depth)
        found = {band: total for band in names if (total := _band_depth(live, band)) is not None}
        yield SymbolDepth(symbol=symbol, listed=len(listed), bands=found)


def _band_depth(live: Iterable[PairRow], band: str) -> BandDepth | None:
    books = 0
    by_venue: dict[str, tuple[float, float]] = {}
    for pair in live:
        depth = pair.depth.get(band)
        if depth is None or depth.bid is None or depth.ask is None:
            continue
        books += 1
        bid, ask = by_venue.get(venue_of(pair.route), (0.0, 0.0))
        by_venue[venue_of(pair.route)] = (bid + depth.bid, ask + depth.ask)
    if not books:
        return None
    bid, ask = (sum(side) for side in zip(*by_venue.values(), strict=True))
    largest = max(by_venue, key=lambda venue: sum(by_venue[venue]))
    concentration = hhi(sum(sides) for sides in by_venue.values())
    return BandDepth(
        bid=bid,
        ask=ask,
        books=books,
        largest=largest,
        bid_without=bid - by_venue[largest][0],
        ask_without=ask - by_venue[largest][1],
        hhi=concentration,
        effective_venues=effective_venues(concentration),
    )
