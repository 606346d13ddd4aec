"""Which coins can be withdrawn from each venue now, and an event for every change."""

from __future__ import annotations

from collections.abc import Mapping

from feeds.collector.event_log import EventLog
from feeds.frame import RailRow
from feeds.model import route_of


class TransferNews:
    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._by_venue: dict[str, tuple[RailRow, ...]] = {}

    @property
    def by_venue(self) -> Mapping[str, tuple[RailRow, ...]]:
        """Venues that have not answered yet are missing."""
        return self._by_venue

    def update(self, venue: str, rows: tuple[RailRow, ...]) -> None:
        """A venue has answered. Withdrawals that have closed or opened since its last answer become events."""
        before = {row.coin: row.withdraw for row in self._by_venue.get(venue, ())}
        self._by_venue[venue] = rows
        for row in rows:
            was = before.get(row.coin)
            if row.withdraw == "closed" and was != "closed":
                self._events.log("transfer", route_of(venue, "spot"), f"{row.coin} cannot be withdrawn")
            elif row.withdraw == "open" and was in ("closed", "slow"):
                self._events.log("transfer", route_of(venue, "spot"), f"{row.coin} can be withdrawn again")
