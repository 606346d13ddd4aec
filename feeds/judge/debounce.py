"""Debounce of findings: a finding counts once it has lasted, and goes once it has been away for a while."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from feeds.judge.finding import Finding
from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds

ABSENCE_S = 1.2
"""A finding that does not count yet may be away for this long without starting anew."""


class StandingFinding(Struct, frozen=True, kw_only=True):
    """A finding that has lasted long enough to count, and since when it is there."""

    finding: Finding
    since_ns: int


class _Seen:
    """A finding that is there, or was until just now."""

    __slots__ = ("active", "finding", "first_ns", "last_ns")

    def __init__(self, finding: Finding, now_ns: int) -> None:
        self.finding = finding
        self.first_ns = finding.onset_ns if finding.onset_ns is not None else now_ns
        self.last_ns = now_ns
        self.active = False


class Debounce:
    """All findings of one route through time: which have lasted long enough, which have been away long enough."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._seen: dict[str, _Seen] = {}

    @property
    def active(self) -> frozenset[str]:
        """Keys of the findings that stand."""
        return frozenset(key for key, seen in self._seen.items() if seen.active)

    def step(self, now_ns: int, findings: Mapping[str, Finding]) -> list[StandingFinding]:
        """Findings of this moment, by key -> findings that stand, oldest first."""
        limits = self._limits
        for key, finding in findings.items():
            seen = self._seen.get(key)
            if seen is None:
                seen = self._seen[key] = _Seen(finding, now_ns)
            seen.finding, seen.last_ns = finding, now_ns
            needed_s = limits.raise_s if finding.raise_s is None else finding.raise_s
            seen.active = seen.active or now_ns - seen.first_ns >= ns(needed_s)
        for key in [k for k in self._seen if k not in findings]:
            seen = self._seen[key]
            kept_s = limits.finding_clear_s if seen.active else ABSENCE_S
            if now_ns - seen.last_ns >= ns(kept_s):
                del self._seen[key]
        standing = [StandingFinding(finding=x.finding, since_ns=x.first_ns) for x in self._seen.values() if x.active]
        return sorted(standing, key=lambda s: (s.since_ns, s.finding.key))
