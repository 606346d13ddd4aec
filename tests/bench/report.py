"""Figures as lines of text: medians with their range, ratios, targets."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tests.bench.race import BARE, CCXT, CRYPTOFEED, OURS, Course, Results, Run

FLOOD_TARGETS = {BARE: 1.3, CCXT: 1 / 3, CRYPTOFEED: 1 / 4}
PACED_TARGETS = {BARE: 1.3, CCXT: 0.4, CRYPTOFEED: 0.55}


class Sheet:
    """Prints at once; counts the targets met and missed and what could not be run."""

    def __init__(self) -> None:
        self.met = 0
        self.missed: list[str] = []
        self.not_run: list[str] = []

    def line(self, text: str = "") -> None:
        print(text, flush=True)

    def check(self, what: str, value: float | None, limit: float, shown: str, wanted: str) -> None:
        """One target: ``value`` must not exceed ``limit``."""
        if value is None:
            self.skip(what, "not measured")
            return
        good = value <= limit
        self.line(f"  {what:<52} {shown:<30} {wanted:<18} {verdict(good)}")
        self.count(what, good)

    def count(self, what: str, good: bool) -> None:
        if good:
            self.met += 1
        else:
            self.missed.append(what)

    def skip(self, what: str, why: str) -> None:
        self.line(f"  {what}: {why}")
        self.not_run.append(f"{what}: {why}")

    def course(self, results: Results, course: Course, targets: dict[str, float]) -> None:
        """A table of one course: every client, and us as a share of it; targets count where there are any."""
        self.line(f"  {course.name}, {course.batches} messages a round")
        ours = results.of(OURS, course)
        for client in (OURS, BARE, CCXT, CRYPTOFEED):
            runs = results.of(client, course)
            if not runs:
                continue
            cpu, rate = [run.cpu_us for run in runs], statistics.median(run.msgs_s for run in runs)
            text = (
                f"    {client:<11} {spread(cpu, 1):>20} us/msg {rate:>8.0f} msg/s {runs[0].bytes_per_message:>6.0f} B"
            )
            if client != OURS and len(ours) == len(runs):
                shares = ratios([run.cpu_us for run in ours], cpu)
                text += f"   detour is {spread(shares, 2)} of it"
                if client in targets:
                    good = statistics.median(shares) <= targets[client]
                    text += f", target {targets[client]:.2f} {verdict(good)}"
                    self.count(f"{course.name}: share of {client}", good)
            self.line(text)

    def close(self) -> None:
        self.line()
        self.line(f"{self.met} targets met, {len(self.missed)} missed, {len(self.not_run)} not run")
        for text in self.missed:
            self.line(f"  missed: {text}")
        for text in self.not_run:
            self.line(f"  not run: {text}")


def verdict(good: bool) -> str:
    return "pass" if good else "FAIL"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round: both ran within a second or two of each other, so a busy machine slows both."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def same_frames(ours: Run, theirs: Run) -> bool:
    """Not so where a client subscribes to another channel than we do. A wrapper around each is no difference."""
    same_count = ours.messages_per_batch == theirs.messages_per_batch
    return same_count and abs(theirs.bytes_per_message - ours.bytes_per_message) < 0.1 * ours.bytes_per_message


def frames(run: Run) -> str:
    """What one batch of changes came as."""
    return f"{run.messages_per_batch:.3g} x {run.bytes_per_message:.0f} B"


def spread(values: Sequence[float], digits: int) -> str:
    """Median and range, e.g. ``18.2 (17.9-19.0)``."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"
