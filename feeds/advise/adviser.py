"""Where to trade an order now: every route's all-in cost, the best one, the best split, what is lost without a venue.

Pure: views, order and times in, an ``AdviceRow`` out. ``costs`` says what an order costs, ``split`` divides it; here
routes that must not be used are told from those that may, and ``Adviser`` keeps the suggestion from flapping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from feeds.advise.concentration import effective_venues, hhi
from feeds.advise.costs import AdviceSettings, Lane, View, conditions, lane, measured
from feeds.advise.split import Split, best_split, by_venue
from feeds.consensus import Gap, reference_mid
from feeds.frame import AdviceRow, Cost, Excluded, Order, Share, Without
from feeds.model import USABLE, Cause, State, Verdict, quote_of, venue_of

MISTRUSTED = frozenset({Cause.BOOK, Cause.PRICE})
"""Causes that say the prices themselves are wrong: whatever they promise, it is not there."""

LONGEST_PATIENCE = 10.0
"""Times ``patience_s``: how long an advantage of just the margin must last."""


class Assessment(Struct, frozen=True, kw_only=True, eq=False):
    """Everything about an order that does not depend on which route is suggested."""

    order: Order
    symbol: str
    home: str | None
    costs: tuple[Cost, ...]
    """Usable routes; those that take the whole order first, then cheapest first."""
    whole: tuple[str, ...]
    """Routes that take the whole order, cheapest first."""
    choices: tuple[str, ...]
    """Those of ``whole`` that may be suggested: not a congested one that could be compared with nothing."""
    excluded: tuple[Excluded, ...]
    split: Split
    n_minus_1: tuple[Without, ...]
    hhi: float | None
    home_verdict: Verdict | None

    def cost_on(self, route: str | None) -> Cost | None:
        """The cost on a route that takes the whole order, else None."""
        if route not in self.whole:
            return None
        return next(cost for cost in self.costs if cost.route == route)


def advise(
    order: Order,
    symbol: str,
    views: Mapping[str, View],
    settings: AdviceSettings,
    now_ns: int,
    *,
    home: str | None = None,
) -> AdviceRow:
    """One answer without memory: the cheapest route is the suggestion. ``views`` is by route, in any order.

    ``best`` is None where no route can take the whole order alone (``split`` then says what can be placed), and where
    the only one that can is congested.
    """
    assessment = assess(order, symbol, views, settings, now_ns, home=home)
    return row(assessment, next(iter(assessment.choices), None))


def assess(
    order: Order,
    symbol: str,
    views: Mapping[str, View],
    settings: AdviceSettings,
    now_ns: int,
    *,
    home: str | None = None,
) -> Assessment:
    """Price the order everywhere. ``now_ns`` is only read to say for how long a route has been out."""
    currency = quote_of(symbol)
    names = sorted(views)
    why = {name: text for name in names if (text := _why_not(views[name], symbol, currency, settings, now_ns))}
    usable = {name: views[name] for name in names if name not in why}
    reference = reference_mid(_mids(usable, currency).values())
    common = conditions(usable.values(), settings)
    lanes: list[Lane] = []
    for name, view in usable.items():
        own_mid = view.ladder.mid if view.ladder is not None else None
        yardstick = reference if reference is not None else own_mid
        priced = (
            None
            if yardstick is None
            else lane(name, view, order.side, order.notional, yardstick, currency, common, settings)
        )
        if priced is None:
            why[name] = "nothing on that side of its book can be priced"
        elif not priced.allowed(priced.lots_for(order.notional)):
            why[name] = "less than its smallest order would be filled"
        else:
            lanes.append(priced)
    split = best_split(lanes, order.notional)
    costs = {priced.route: priced.cost(order.notional) for priced in lanes}
    whole = {priced.route for priced in lanes if priced.capacity >= order.notional}
    ranked = sorted(costs.values(), key=lambda cost: (cost.route not in whole, cost.total_bps, cost.route))
    fitting = tuple(cost.route for cost in ranked if cost.route in whole)
    alone = len(fitting) == 1 and usable[fitting[0]].verdict.state is State.CONGESTED
    return Assessment(
        order=order,
        symbol=symbol,
        home=home,
        costs=tuple(ranked),
        whole=fitting,
        choices=() if alone else fitting,
        excluded=tuple(Excluded(route=name, why=why[name]) for name in sorted(why)),
        split=split,
        n_minus_1=tuple(_without(lanes, split, settings.domains)),
        hhi=hhi(by_venue(split).values()),
        home_verdict=views[home].verdict if home is not None and home in views else None,
    )


def row(assessment: Assessment, best: str | None, since_ns: int | None = None) -> AdviceRow:
    """The row that suggests ``best``, one of the assessment's choices or None."""
    at_home, there = assessment.cost_on(assessment.home), assessment.cost_on(best)
    split = assessment.split
    return AdviceRow(
        symbol=assessment.symbol,
        side=assessment.order.side,
        notional=assessment.order.notional,
        home=assessment.home,
        home_cost_bps=None if at_home is None else at_home.total_bps,
        best=None if there is None else there.route,
        best_cost_bps=None if there is None else there.total_bps,
        saving_bps=None if at_home is None or there is None else at_home.total_bps - there.total_bps,
        split=tuple(
            Share(route=part.route, share=part.amount / split.requested, cost_bps=part.cost_bps) for part in split.parts
        ),
        split_cost_bps=split.cost_bps,
        unallocated=split.unallocated,
        excluded=assessment.excluded,
        n_minus_1=assessment.n_minus_1,
        hhi=assessment.hhi,
        effective_venues=effective_venues(assessment.hhi),
        costs=assessment.costs,
        since_ns=since_ns,
        why=_against_home(assessment, at_home, there),
    )


class _Held(Struct, kw_only=True):
    """The suggestion on show for one symbol."""

    order: Order
    home: str | None
    best: str | None
    since_ns: int
    beaten_since_ns: int | None = None


class Adviser:
    """Keeps a suggestion until another is cheaper by a margin for a while, or it cannot be used any more.

    Time comes in with every call and must not run backwards. At first home is suggested unless another route is
    cheaper by the margin: where nothing is gained, nobody should be sent elsewhere.
    """

    def __init__(self, settings: AdviceSettings) -> None:
        self._settings = settings
        self._held: dict[str, _Held] = {}

    def advise(
        self, order: Order, symbol: str, views: Mapping[str, View], now_ns: int, *, home: str | None = None
    ) -> AdviceRow:
        """As ``feeds.advise.adviser.advise``, with ``since_ns`` and a calm ``best``."""
        assessment = assess(order, symbol, views, self._settings, now_ns, home=home)
        held = self._held.get(symbol)
        if held is None or held.order != order or held.home != home:
            held = _Held(order=order, home=home, best=None, since_ns=now_ns)
            self._held[symbol] = held
        self._update(held, assessment, now_ns)
        return row(assessment, held.best, held.since_ns if held.best is not None else None)

    def forget(self, symbol: str) -> None:
        """Suggest afresh at the next call."""
        self._held.pop(symbol, None)

    def _update(self, held: _Held, assessment: Assessment, now_ns: int) -> None:
        cheapest = next(iter(assessment.choices), None)
        present = held.best
        if present not in assessment.choices:
            stay = assessment.home
            beaten = stay not in assessment.choices or self._beats(assessment, cheapest, stay)
            chosen = cheapest if beaten else stay
        elif not self._beats(assessment, cheapest, present):
            held.beaten_since_ns = None
            return
        else:
            if held.beaten_since_ns is None:
                held.beaten_since_ns = now_ns
            if now_ns - held.beaten_since_ns < self._patience_s(assessment, cheapest, present) * 1e9:
                return
            chosen = cheapest
        held.beaten_since_ns = None
        if chosen != present:
            held.best, held.since_ns = chosen, now_ns

    def _patience_s(self, assessment: Assessment, route: str | None, present: str | None) -> float:
        """A large advantage is believed soon; one that barely passes the margin must last ten times as long."""
        cost, stay = assessment.cost_on(route), assessment.cost_on(present)
        if cost is None or stay is None:
            return self._settings.patience_s
        margins = (stay.total_bps - cost.total_bps) / self._margin_bps(stay)
        return self._settings.patience_s * min(LONGEST_PATIENCE, max(1.0, LONGEST_PATIENCE / margins))

    def _margin_bps(self, stay: Cost) -> float:
        return max(self._settings.margin_bps, self._settings.margin_share * abs(stay.total_bps))

    def _beats(self, assessment: Assessment, route: str | None, present: str | None) -> bool:
        cost, stay = assessment.cost_on(route), assessment.cost_on(present)
        if cost is None or stay is None:
            return False
        return stay.total_bps - cost.total_bps > self._margin_bps(stay)


def _why_not(view: View, symbol: str, currency: str, settings: AdviceSettings, now_ns: int) -> str | None:
    """Why a route must not be used, as one clause; None when nothing speaks against it."""
    verdict, ladder, instrument = view.verdict, view.ladder, view.instrument
    if verdict.state not in USABLE:
        return _judged(verdict, now_ns)
    if verdict.cause in MISTRUSTED:
        return f"its prices cannot be trusted: {_judged(verdict, now_ns)}"
    if instrument is None:
        # the listing may not have been read yet: no claim about the venue
        return f"{symbol} is not among its known instruments"
    if not instrument.active:
        return f"the venue does not trade {symbol} at present"
    if ladder is None:
        return "no book yet"
    if not view.synced:
        return "its book is being rebuilt"
    if not view.fresh:
        return "its book is stale"
    if (age_ms := measured(view.feed_age_ms)) is not None and age_ms > settings.max_age_ms:
        return f"its data is {age_ms / 1000:.1f} s old"
    if ladder.crossed:
        return "its book is crossed"
    if ladder.mid is None:
        return "a side of its book is empty"
    if instrument.quote != currency and view.basis_bps is None:
        return f"quoted in {instrument.quote}, and what that costs in {currency} is not known"
    return _odd_price(view.gap, settings)


def _odd_price(gap: Gap | None, settings: AdviceSettings) -> str | None:
    """Whether its price stands apart from the others', which agree."""
    if gap is None or not gap.judgeable:
        return None
    off_bps = abs(gap.gap_bps)
    if off_bps <= settings.odd_bps or off_bps < settings.others_agree * gap.apart_bps:
        return None
    return f"its price is {off_bps:.0f} bp {'above' if gap.gap_bps > 0 else 'below'} the others"


def _judged(verdict: Verdict, now_ns: int) -> str:
    """``down (gateway) for 12 s: first byte p50 842 ms, baseline 24``."""
    seconds = max(0, now_ns - verdict.since_ns) // 1_000_000_000
    for_how_long = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
    cause = f" ({verdict.cause})" if verdict.cause is not None else ""
    return f"{verdict.state}{cause} for {for_how_long}{_main_reason(verdict)}"


def _main_reason(verdict: Verdict) -> str:
    told = [reason for reason in verdict.reasons if reason.text]
    return f": {max(told, key=lambda reason: reason.points).text}" if told else ""


def _mids(views: Mapping[str, View], currency: str) -> dict[str, float]:
    """Mids that can be compared: those in the order's own quote currency."""
    return {
        name: mid
        for name, view in views.items()
        if view.instrument is not None
        and view.instrument.quote == currency
        and view.ladder is not None
        and (mid := view.ladder.mid) is not None
    }


def _without(lanes: Sequence[Lane], split: Split, domains: Mapping[str, tuple[str, ...]]) -> Iterable[Without]:
    """The same order with each venue, then each failure domain, taken away."""
    venues = sorted({venue_of(priced.route) for priced in lanes})
    touched = by_venue(split)
    groups: list[tuple[str, tuple[str, ...]]] = [(venue, (venue,)) for venue in venues]
    groups += [(name, members) for name, members in domains.items() if not set(members).isdisjoint(venues)]
    for name, members in groups:
        rest = split
        if not touched.keys().isdisjoint(members):
            rest = best_split((x for x in lanes if venue_of(x.route) not in members), split.requested)
        yield Without(without=name, cost_bps=rest.cost_bps, unallocated=rest.unallocated)


_PARTS = {
    "fee_bps": "fee",
    "spread_bps": "spread",
    "walk_bps": "depth",
    "gap_bps": "price",
    "latency_bps": "delay",
    "risk_bps": "risk of refusals and stale data",
    "basis_bps": "stablecoin basis",
}


def _against_home(assessment: Assessment, at_home: Cost | None, there: Cost | None) -> str:
    """One clause: what speaks against home; empty when nothing does."""
    home, verdict = assessment.home, assessment.home_verdict
    if home is None:
        return ""
    if (out := next((x for x in assessment.excluded if x.route == home), None)) is not None:
        return f"{home} is out: {out.why}"
    if verdict is None:
        return ""
    if verdict.state not in (State.OK, State.UNKNOWN):
        cause = f" ({verdict.cause})" if verdict.cause is not None else ""
        how = f"{verdict.state}{cause}{_main_reason(verdict)}"
        if assessment.whole and not assessment.choices:
            return f"only {home} can be judged now, and it is {how}"
        return f"{home} is {how}"
    if at_home is None:
        filled = next((cost.filled for cost in assessment.costs if cost.route == home), 0.0)
        return f"{home} takes only {filled:,.0f} of {assessment.order.notional:,.0f}"
    if there is None or there.route == home or at_home.total_bps <= there.total_bps:
        return ""
    ours, theirs = msgspec.structs.asdict(at_home), msgspec.structs.asdict(there)
    worst = max(_PARTS, key=lambda part: ours[part] - theirs[part])
    return f"{home} costs {ours[worst] - theirs[worst]:.2f} bp more in {_PARTS[worst]} than {there.route}"
