"""When a figure may be shown as current."""

from __future__ import annotations

from feeds.model import State, Verdict


def shown_age(age_ms: float | None, error_ms: float | None) -> float | None:
    """The age to show, where ``error_ms`` is the error of the clock offset that the age was corrected with.

    A negative age within that error is shown as zero. A larger one stays negative: it tells of a wrong clock.
    """
    if age_ms is None or age_ms >= 0:
        return age_ms
    return 0.0 if error_ms is not None and -age_ms <= error_ms else age_ms


def known_silent(verdict: Verdict | None) -> bool:
    """The judge says that nothing new comes on this route, so its figures are history."""
    return verdict is not None and verdict.state in (State.STALLED, State.DOWN)
