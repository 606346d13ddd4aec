"""The instruments of a running route change: the feed is renewed beside the old one, which goes on until then.

A new market, a new step or contract size needs other subscriptions and other books. They are opened quietly beside the
present ones and take over once they have what those have, so that nobody sees a gap and nothing is blamed for one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from feeds.clock import SECOND
from feeds.measure.contract import Meters
from feeds.measure.route_context import RouteContext
from feeds.measure.route_feed import RouteFeed
from feeds.model import Instrument
from feeds.samples import Sample

PATIENCE_S = 10.0
"""The new feed takes over after this in any case: a market from which nothing comes must not hold up the others."""
_FREE = ("taker_fee", "min_size", "min_notional", "active")
"""What neither sockets nor books depend on."""


class Renewal:
    """A feed that is not used yet."""

    def __init__(self, context: RouteContext, old: RouteFeed, instruments: Sequence[Instrument], now_ns: int) -> None:
        self._meters, self._quiet = context.meters, True
        meters = Meters(context.meters.clock, self._emit, self._log_event)
        self.feed = RouteFeed(msgspec.structs.replace(context, meters=meters), old.hosts, old.rest)
        self.feed.watch(instruments)
        self._due_ns = now_ns + int(PATIENCE_S * SECOND)

    def _emit(self, sample: Sample) -> None:
        if not self._quiet:
            self._meters.emit(sample)

    def _log_event(self, code: str, route: str | None, text: str) -> None:
        if not self._quiet:
            self._meters.log_event(code, route, text)

    def ready(self, old: RouteFeed, now_ns: int) -> bool:
        """It has every whole book that the old one has, and those that are new; or the time is over."""
        if now_ns >= self._due_ns:
            return True
        before, after = old.books, self.feed.books
        assert before is not None and after is not None
        return all(
            pair.book.synced or (symbol in before.pairs and not before.pairs[symbol].book.synced)
            for symbol, pair in after.pairs.items()
        )

    def take_over(self, old: RouteFeed) -> RouteFeed:
        """The feed to measure from now on; the old one has ended."""
        self._quiet = False
        self.feed.inherit(old)
        old.cancel(rest=False)
        return self.feed


def same_feed(before: Sequence[Instrument], after: Sequence[Instrument]) -> bool:
    """Sockets and books of the one set serve the other as they are."""
    return [_essence(i) for i in before] == [_essence(i) for i in after]


def _essence(instrument: Instrument) -> dict[str, object]:
    fields = msgspec.structs.asdict(instrument)
    return {name: value for name, value in fields.items() if name not in _FREE}
