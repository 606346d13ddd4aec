"""Which route is suggested: the cheapest, and kept until another is better by a margin for a while (hysteresis)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from feeds.advise.advice_row import advice_row
from feeds.advise.assessment import Assessment, assess
from feeds.advise.route_view import RouteView
from feeds.advise.settings import AdviceSettings
from feeds.frame import AdviceRow, Cost, Order

LONGEST_PATIENCE = 10.0
"""Times ``patience_s``: how long an advantage of just the margin must last."""


def advise(
    order: Order,
    symbol: str,
    views: Mapping[str, RouteView],
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
    return advice_row(assessment, next(iter(assessment.choices), None))


class _Suggestion(Struct, kw_only=True):
    """What is suggested for one symbol, and for which order."""

    order: Order
    home: str | None
    route: str | None
    since_ns: int
    """Monotonic, like the next."""
    beaten_since_ns: int | None = None
    """Since when another route has been cheaper by the margin, without a break."""


class Adviser:
    """Keeps a suggestion until another route is cheaper by a margin for a while, or it cannot be used any more.

    Time comes in with every call. At first home is suggested unless another route is
    cheaper by the margin: where nothing is gained, nobody should be sent elsewhere.
    """

    def __init__(self, settings: AdviceSettings) -> None:
        self._settings = settings
        self._suggestions: dict[str, _Suggestion] = {}

    def advise(
        self,
        order: Order,
        symbol: str,
        views: Mapping[str, RouteView],
        now_ns: int,
        *,
        home: str | None = None,
        mono_ns: int | None = None,
    ) -> AdviceRow:
        """As the function ``advise``, with ``since_ns`` and a steady ``best``. ``now_ns`` only dates; how long a thing
        has lasted is told by ``mono_ns``, which is never set back or forth (None: ``now_ns`` stands for it)."""
        mono_ns = now_ns if mono_ns is None else mono_ns
        assessment = assess(order, symbol, views, self._settings, now_ns, home=home)
        present = self._suggestions.get(symbol)
        if present is None or present.order != order or present.home != home:
            present = _Suggestion(order=order, home=home, route=None, since_ns=mono_ns)
            self._suggestions[symbol] = present
        self._update(present, assessment, mono_ns)
        since_ns = now_ns - (mono_ns - present.since_ns)
        return advice_row(assessment, present.route, since_ns if present.route is not None else None)

    def forget(self, symbol: str) -> None:
        """Suggest afresh at the next call."""
        self._suggestions.pop(symbol, None)

    def _update(self, present: _Suggestion, assessment: Assessment, mono_ns: int) -> None:
        cheapest = next(iter(assessment.choices), None)
        if present.route not in assessment.choices:
            home = assessment.home
            leave_home = home not in assessment.choices or self._beats(assessment, cheapest, home)
            chosen = cheapest if leave_home else home
        elif not self._beats(assessment, cheapest, present.route):
            present.beaten_since_ns = None
            return
        else:
            if present.beaten_since_ns is None:
                present.beaten_since_ns = mono_ns
            if mono_ns - present.beaten_since_ns < self._patience_s(assessment, cheapest, present.route) * 1e9:
                return
            chosen = cheapest
        present.beaten_since_ns = None
        if chosen != present.route:
            present.route, present.since_ns = chosen, mono_ns

    def _patience_s(self, assessment: Assessment, route: str | None, present: str | None) -> float:
        """A large advantage is believed soon; one that barely passes the margin must last ten times as long."""
        cost, present_cost = assessment.cost_on(route), assessment.cost_on(present)
        if cost is None or present_cost is None:
            return self._settings.patience_s
        margins = (present_cost.total_bps - cost.total_bps) / self._margin_bps(present_cost)
        return self._settings.patience_s * min(LONGEST_PATIENCE, max(1.0, LONGEST_PATIENCE / margins))

    def _margin_bps(self, present: Cost) -> float:
        return max(self._settings.margin_bps, self._settings.margin_share * abs(present.total_bps))

    def _beats(self, assessment: Assessment, route: str | None, present: str | None) -> bool:
        """Is the first cheaper than the second by more than the margin?"""
        cost, present_cost = assessment.cost_on(route), assessment.cost_on(present)
        if cost is None or present_cost is None:
            return False
        return present_cost.total_bps - cost.total_bps > self._margin_bps(present_cost)
