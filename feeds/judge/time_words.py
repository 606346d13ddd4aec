"""What happened to our own clock, in words: for reasons, for events and for the log."""

from __future__ import annotations

from feeds.judge.finding import figure

MINUTE_S = 60.0
HOUR_S = 3600.0


def step_words(step_ms: float) -> str:
    """``our clock was set forward by 3 600 s``."""
    size_ms = abs(step_ms)
    size = f"{figure(size_ms)} ms" if size_ms < 1_000.0 else f"{figure(round(size_ms / 1e3, 1))} s"
    return f"our clock was set {'forward' if step_ms > 0 else 'back'} by {size}"


def sleep_words(slept_ms: float) -> str:
    """``we slept for 5 min``."""
    seconds = slept_ms / 1e3
    if seconds < 2 * MINUTE_S:
        return f"we slept for {figure(round(seconds))} s"
    if seconds < 2 * HOUR_S:
        return f"we slept for {figure(round(seconds / MINUTE_S))} min"
    return f"we slept for {figure(round(seconds / HOUR_S))} h"
