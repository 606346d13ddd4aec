"""Can a coin be deposited at a venue, and withdrawn again? Asked for every few minutes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from feeds.frame import RailRow
from feeds.measure.contract import MonitoredRoute
from feeds.model import Rail
from feeds.transport.http import HttpError
from feeds.venues.base import VenueError

EVERY_S = 300.0
FIRST_S = 5.0
"""Wait after the start: books come first."""

RailState = Literal["open", "slow", "closed", "unknown"]


def rows_of(rails: Iterable[Rail], coins: Sequence[str]) -> tuple[RailRow, ...]:
    """One row a coin, in the order of ``coins``: open as long as one chain is open. A coin that the venue does not
    name is left out."""
    by_coin: dict[str, list[Rail]] = {}
    for rail in rails:
        by_coin.setdefault(rail.coin, []).append(rail)
    rows = []
    for coin in coins:
        found = by_coin.get(coin)
        if found is not None:
            rows.append(
                RailRow(
                    coin=coin,
                    deposit=_state([(r.deposit, r.slow) for r in found]),
                    withdraw=_state([(r.withdraw, r.slow) for r in found]),
                    closed=tuple(sorted({r.chain for r in found if r.withdraw is False and r.chain})),
                )
            )
    return tuple(rows)


def _state(chains: Sequence[tuple[bool | None, bool]]) -> RailState:
    if any(is_open and not slow for is_open, slow in chains):
        return "open"
    if any(is_open for is_open, _ in chains):
        return "slow"
    return "closed" if any(is_open is False for is_open, _ in chains) else "unknown"


def warning(rows: Iterable[RailRow], coins: Iterable[str]) -> str | None:
    """What a trader should know before bringing these coins there; None when nothing."""
    wanted = set(coins)
    shut = [r.coin for r in rows if r.coin in wanted and r.withdraw == "closed"]
    slow = [r.coin for r in rows if r.coin in wanted and r.withdraw == "slow"]
    if shut:
        return f"exit closed: {', '.join(shut)} cannot be withdrawn"
    if slow:
        return f"trading healthy, exit slow: {', '.join(slow)}"
    return None


class RailsWatch:
    """Asks one venue, at the host of its spot route. The answer holds for all of the venue's routes."""

    def __init__(
        self, watch: MonitoredRoute, coins: Sequence[str], on_rows: Callable[[str, tuple[RailRow, ...]], None]
    ) -> None:
        """``on_rows(venue, rows)`` is called after every answer."""
        self._watch, self._coins, self._on_rows = watch, tuple(coins), on_rows
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._watch.venue.transfer_requests(self._coins):
            self._task = asyncio.create_task(self._ask())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _ask(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            rails: list[Rail] = []
            for request in self._watch.venue.transfer_requests(self._coins):
                try:
                    rails += self._watch.venue.read_transfers(await self._watch.request(request))
                except (HttpError, VenueError):
                    continue  # no answer does not mean closed
            if rails:
                self._on_rows(self._watch.venue.name, rows_of(rails, self._coins))
            await asyncio.sleep(EVERY_S)
