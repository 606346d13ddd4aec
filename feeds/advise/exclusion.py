"""Which routes must not be used for an order, and why: one clause a route. Pure."""

from __future__ import annotations

from feeds.advise.route_view import RouteView, usable_figure
from feeds.advise.settings import AdviceSettings
from feeds.consensus import NOT_SAME, Gap
from feeds.model import USABLE, Cause, Verdict, quote_of

WRONG_PRICES = frozenset({Cause.BOOK, Cause.PRICE})
"""Causes that say that the prices themselves are wrong: a low cost computed from them means nothing."""


def exclusion(view: RouteView, symbol: str, settings: AdviceSettings, now_ns: int) -> str | None:
    """Why the route must not be used; None when nothing speaks against it. ``now_ns`` only dates the reason."""
    return _by_verdict(view.verdict, now_ns) or _by_listing(view, symbol) or _by_book(view, symbol, settings)


def main_reason(verdict: Verdict) -> str:
    """``: `` and the text of the reason that weighs most; empty where there is none."""
    reasons = [reason for reason in verdict.reasons if reason.text]
    return f": {max(reasons, key=lambda reason: reason.points).text}" if reasons else ""


def _by_verdict(verdict: Verdict, now_ns: int) -> str | None:
    if verdict.state not in USABLE:
        return _dated(verdict, now_ns)
    if verdict.cause in WRONG_PRICES:
        return f"its prices cannot be trusted: {_dated(verdict, now_ns)}"
    return None


def _dated(verdict: Verdict, now_ns: int) -> str:
    """``down (gateway) for 12 s: first byte p50 842 ms, baseline 24``."""
    seconds = max(0, now_ns - verdict.since_ns) // 1_000_000_000
    lasted = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
    cause = f" ({verdict.cause})" if verdict.cause is not None else ""
    return f"{verdict.state}{cause} for {lasted}{main_reason(verdict)}"


def _by_listing(view: RouteView, symbol: str) -> str | None:
    if view.instrument is None:
        # the listing may not have been read yet: no claim about the venue
        return f"{symbol} is not among its known instruments"
    return None if view.instrument.active else f"the venue does not trade {symbol} at present"


def _by_book(view: RouteView, symbol: str, settings: AdviceSettings) -> str | None:
    ladder, age_ms = view.ladder, usable_figure(view.feed_age_ms)
    if ladder is None:
        return "no book yet"
    if not view.synced:
        return "its book is being rebuilt"
    if not view.fresh:
        return "its book is stale"
    if age_ms is not None and age_ms > settings.max_age_ms:
        return f"its data is {age_ms / 1000:.1f} s old"
    if ladder.crossed:
        return "its book is crossed"
    if ladder.mid is None:
        return "a side of its book is empty"
    quote, currency = view.instrument.quote if view.instrument is not None else None, quote_of(symbol)
    if quote != currency and view.basis_bps is None:
        return f"quoted in {quote}, and what that costs in {currency} is not known"
    return _by_gap(view.gap, settings)


def _by_gap(gap: Gap | None, settings: AdviceSettings) -> str | None:
    """Whether its price stands apart from those of the other routes, while these agree."""
    if gap is not None and gap.not_same:
        return NOT_SAME
    if gap is None or gap.gap_bps is None or not gap.judgeable:
        return None
    off_bps = abs(gap.gap_bps)
    if off_bps <= settings.odd_bps or off_bps < settings.others_agree * gap.apart_bps:
        return None
    return f"its price is {off_bps:.0f} bp {'above' if gap.gap_bps > 0 else 'below'} the others"
