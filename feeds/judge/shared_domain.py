"""Shared failure domains: several venues of one cloud or edge network fail together, venues elsewhere do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds
from feeds.model import venue_of

NETWORK_KEYS = frozenset({"rest", "lost", "errors", "failing", "kernel", "link_kernel", "connect", "silence", "links"})
"""Findings that a shared cloud or edge network can make at several venues at once."""
CLEAN_SHARE = 1 / 3
"""At most this share of the venues outside the domain may be in trouble too."""
KEPT_S = 300.0
"""Trouble that was shared counts as shared for this long after the others had it too, unless it clears: edge networks
flap."""
KEPT_ALONE_S = 20.0
"""The same for a route that is in trouble without the others: after this its trouble is its own."""


class SharedDomains:
    """Which routes fail together with others of their failure domain, with a memory for domains that flap."""

    def __init__(self, domains: Mapping[str, str] | None, limits: Thresholds) -> None:
        self._limits = limits
        self._domains = dict(domains or {})
        self._shared: dict[str, tuple[str, int]] = {}
        self._seen_ns: dict[str, int] = {}

    def step(
        self, now_ns: int, onsets: Mapping[str, int], judged: Sequence[str], clear: Collection[str], storm: bool
    ) -> Mapping[str, tuple[str, int]]:
        """By route: (domain, venues failing together).

        ``onsets``: since when each failing route shows network findings of its own; ``judged``: routes that are judged
        at all; ``clear``: routes whose state is ok.
        """
        # in a storm everybody slows down a little: too little to blame a domain
        now = {} if storm else self._failing_together(onsets, judged)
        for route in [r for r in self._shared if r not in now]:
            kept_s = KEPT_ALONE_S if route in onsets else KEPT_S
            if route in clear or now_ns - self._seen_ns[route] > ns(kept_s):
                del self._shared[route]
        for route, shared in now.items():
            self._shared[route], self._seen_ns[route] = shared, now_ns
        return self._shared

    def _domain_of(self, route: str) -> str | None:
        return self._domains.get(route) or self._domains.get(venue_of(route))

    def _failing_together(self, onsets: Mapping[str, int], judged: Sequence[str]) -> dict[str, tuple[str, int]]:
        if not onsets:
            return {}
        failing_by: dict[str, dict[str, int]] = {}
        members: dict[str, set[str]] = {}
        for route in judged:
            domain, venue = self._domain_of(route), venue_of(route)
            if domain is None:
                continue
            members.setdefault(domain, set()).add(venue)
            if route in onsets:
                venues = failing_by.setdefault(domain, {})
                venues[venue] = min(onsets[route], venues.get(venue, onsets[route]))
        result: dict[str, tuple[str, int]] = {}
        for domain, venues in failing_by.items():
            if self._is_shared(venues, members[domain], onsets, judged):
                for route in onsets:
                    if self._domain_of(route) == domain:
                        result[route] = (domain, len(venues))
        return result

    def _is_shared(
        self, failing: Mapping[str, int], members: set[str], onsets: Mapping[str, int], judged: Sequence[str]
    ) -> bool:
        """Enough venues of the domain fail, since about the same time, and few venues outside it do."""
        outside = {venue_of(r) for r in judged} - members
        bad = {venue_of(r) for r in onsets} & outside
        together = max(failing.values()) - min(failing.values()) <= ns(self._limits.shared_onset_s)
        enough = len(failing) >= 2 and len(failing) >= self._limits.shared_share * len(members)
        return enough and together and bool(outside) and len(bad) <= CLEAN_SHARE * len(outside)
