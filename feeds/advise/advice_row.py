"""The row of a frame that suggests one route, with one clause that says what speaks against home. Pure."""

from __future__ import annotations

import msgspec

from feeds.advise.assessment import Assessment
from feeds.advise.concentration import effective_venues
from feeds.advise.exclusion import main_reason
from feeds.frame import AdviceRow, Cost, Share
from feeds.model import State

_PARTS = {
    "fee_bps": "fee",
    "spread_bps": "spread",
    "walk_bps": "depth",
    "price_bps": "price",
    "latency_bps": "delay",
    "risk_bps": "risk of refusals and stale data",
    "basis_bps": "stablecoin basis",
}


def advice_row(assessment: Assessment, best: str | None, since_ns: int | None = None) -> AdviceRow:
    """The row that suggests ``best``, one of the assessment's choices or None."""
    at_home, at_best = assessment.cost_on(assessment.home), assessment.cost_on(best)
    split = assessment.split
    return AdviceRow(
        symbol=assessment.symbol,
        side=assessment.order.side,
        notional=assessment.order.notional,
        home=assessment.home,
        home_cost_bps=None if at_home is None else at_home.total_bps,
        best=None if at_best is None else at_best.route,
        best_cost_bps=None if at_best is None else at_best.total_bps,
        saving_bps=None if at_home is None or at_best is None else at_home.total_bps - at_best.total_bps,
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
        why=_against_home(assessment, at_home, at_best),
    )


def _against_home(assessment: Assessment, at_home: Cost | None, at_best: Cost | None) -> str:
    """One clause; empty when nothing speaks against home."""
    home, verdict = assessment.home, assessment.home_verdict
    if home is None:
        return ""
    if (out := next((x for x in assessment.excluded if x.route == home), None)) is not None:
        return f"{home} is out: {out.why}"
    if verdict is None:
        return ""
    if verdict.state not in (State.OK, State.UNKNOWN):
        cause = f" ({verdict.cause})" if verdict.cause is not None else ""
        how = f"{verdict.state}{cause}{main_reason(verdict)}"
        if assessment.whole and not assessment.choices:
            return f"only {home} can be judged now, and it is {how}"
        return f"{home} is {how}"
    if at_home is None:
        filled = next((cost.filled for cost in assessment.costs if cost.route == home), 0.0)
        return f"{home} takes only {filled:,.0f} of {assessment.order.notional:,.0f}"
    if at_best is None or at_best.route == home or at_home.total_bps <= at_best.total_bps:
        return ""
    ours, theirs = msgspec.structs.asdict(at_home), msgspec.structs.asdict(at_best)
    worst = max(_PARTS, key=lambda part: ours[part] - theirs[part])
    return f"{home} costs {ours[worst] - theirs[worst]:.2f} bp more in {_PARTS[worst]} than {at_best.route}"
