"""Instruments of the watched routes: from the cache at once, and from the venues where the cache is old or empty."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from feeds.instruments.cache import LIVE, Markets, is_fresh, load_cached, not_asked, refresh
from feeds.instruments.changes import believable
from feeds.model import Instrument

RETRY_S = (5.0, 15.0, 30.0, 60.0, 120.0)
"""Waits before asking again venues that could not be asked; the last one repeats."""
RECHECK_S = 3600.0
"""How often the age of the instruments is checked, in runs that last for days."""

Ready = Callable[[str, Mapping[str, Instrument], str], None]


class InstrumentLoader:
    """Calls ``ready(route, instruments by symbol, note)`` when a route's are known, and again when they or the note
    change: they are asked for daily.

    ``note`` is a sentence for the user, empty when all is well. ``log_event`` gets sentences for the event log.
    """

    def __init__(
        self,
        *,
        routes: Sequence[str],
        cache_dir: Path,
        label: str | None,
        rest: Mapping[str, str],
        proxies: Mapping[str, str],
        ready: Ready,
        log_event: Callable[[str], None],
    ) -> None:
        self._routes, self._cache_dir, self._label = tuple(routes), cache_dir, label or LIVE
        self._rest, self._ready, self._log_event = dict(rest), ready, log_event
        self._proxies = proxies
        self._task: asyncio.Task[None] | None = None
        self._known: dict[str, Markets] = {}
        self._not_kept = ""

    def start(self) -> None:
        """``ready`` is called for what the cache holds before this returns; venues are asked in the background."""
        self._take(load_cached(self._routes, self._cache_dir, self._label))
        self._task = asyncio.create_task(self._keep_fresh())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def of(self, route: str, symbols: Sequence[str]) -> list[Instrument]:
        """Those of the symbols that the route lists."""
        markets = self._known.get(route)
        return [markets.instruments[s] for s in symbols if s in markets.instruments] if markets is not None else []

    def _take(self, found: Mapping[str, Markets]) -> None:
        for route, markets in found.items():
            known = self._known.get(route)
            if known is not None and known.fetched_ns > markets.fetched_ns:
                continue  # what could not be kept on disk is newer than what is there
            if known is not None and not believable(known.instruments, markets.instruments):
                count, of = len(markets.instruments), len(known.instruments)
                self._log_event(
                    f"{route}: the venue lists {count} of {of} instruments now, which is not believed; "
                    "the earlier list stays"
                )
                markets = msgspec.structs.replace(known, fetched_ns=markets.fetched_ns)
            self._known[route] = markets
            self._ready(route, markets.instruments, markets.note)

    async def _keep_fresh(self) -> None:
        failed = 0
        while True:
            now_ns = time.time_ns()
            old = [r for r in self._routes if r not in self._known or not is_fresh(self._known[r], now_ns)]
            if not old:
                failed = 0
                await asyncio.sleep(RECHECK_S)
                continue
            rest = {route: self._rest[route] for route in old if route in self._rest}
            asked = await refresh(
                old,
                self._cache_dir,
                self._label,
                rest=rest,
                proxies=self._proxies,
                arrived=lambda m: self._take({m.route: m}),
            )
            self._take({route: markets for route, markets in asked.markets.items() if route in asked.failures})
            if asked.not_kept and not self._not_kept:
                self._log_event(
                    f"instruments cannot be kept on disk ({asked.not_kept}): they are asked for again at the next start"
                )
            self._not_kept = asked.not_kept
            for route, why in asked.failures.items():
                if (known := self._known.get(route)) is not None:
                    self._take({route: not_asked(known, time.time_ns())})
                kept = "using the cached ones" if route in self._known else "nothing can be watched there yet"
                self._log_event(f"{route}: the venue could not be asked for its instruments ({why}); {kept}")
            if asked.failures:
                await asyncio.sleep(RETRY_S[min(failed, len(RETRY_S) - 1)])
                failed += 1
