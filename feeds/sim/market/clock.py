"""Time in the simulator: our clock, the second of the scenario, and the clock of each venue."""

from __future__ import annotations

from collections.abc import Callable

from feeds.sim.conditions import Timeline


class Clock:
    """Our time, the second of the scenario, and each venue's clock. Nothing else reads a wall clock than ``now_ns``."""

    def __init__(self, now_ns: Callable[[], int], timeline: Timeline, speed: float = 1.0) -> None:
        self.now_ns = now_ns
        self.timeline = timeline
        self.speed = speed
        self.start_ns = now_ns()

    def start(self) -> None:
        """The scenario begins now."""
        self.start_ns = self.now_ns()

    def elapsed_s(self) -> float:
        return (self.now_ns() - self.start_ns) / 1e9

    def scenario_s(self) -> float:
        return self.elapsed_s() * self.speed

    def ns_at(self, scenario_s: float) -> int:
        """Our clock at a second of the scenario."""
        return self.start_ns + int(scenario_s / self.speed * 1e9)

    def venue_offset_ns(self, route: str, profile_ms: float) -> int:
        return int((profile_ms + self.timeline.route(route, self.scenario_s()).clock_ms) * 1e6)
