"""The command palette: every key of the table, and every symbol, route and watchlist by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from tui.format import clean
from tui.selection import ordered

if TYPE_CHECKING:
    from tui.app import DetourApp

Entry = tuple[str, str, Any]
"""Words, help, what to do."""


class DetourCommands(Provider):
    async def discover(self) -> Hits:
        for words, text, run in self._entries():
            yield DiscoveryHit(Content(words), run, text=words, help=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for words, text, run in self._entries():
            score = matcher.match(words)
            if score > 0:
                yield Hit(score, matcher.highlight(words), run, text=words, help=text)

    def _entries(self) -> Iterator[Entry]:
        app = cast("DetourApp", self.app)
        for key in app.keys:
            if key.palette:
                yield key.help, f"key {key.shown}", partial(app.perform, key.action)
        frame = app.presenter.view.frame
        if frame is None:
            return
        for symbol in frame.symbols:
            yield (
                f"Symbol {clean(symbol)}",
                "show its spreads, depth and advice",
                partial(app.presenter.pick_symbol, symbol),
            )
        for row in ordered(frame):
            yield (
                f"Route {clean(row.route)}",
                f"highlight it; it is {row.state.value}",
                partial(app.presenter.pick_route, row.route),
            )
        for name in frame.watchlists:
            yield f"Watchlist {clean(name)}", "switch to it", partial(app.presenter.requests.use_watchlist, name)
