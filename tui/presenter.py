"""Keeps the view: takes messages of the collector and choices of the user. No screen, no I/O."""

from __future__ import annotations

from collections.abc import Callable

from feeds.frame import Frame
from feeds.link_messages import Command, Goodbye, Message, Past, Shown
from tui.collector_requests import CollectorRequests
from tui.history import HistoryBuffer
from tui.notice import Notice
from tui.selection import chosen_route, chosen_symbol, ordered, step
from tui.view import BANDS, PaneName, View

_SECOND_NS = 1_000_000_000
_BACK_STEPS = 120
"""Left and right move by this part of what the charts show."""


class Presenter:
    """``monotonic_s`` is the only clock; ``send`` takes commands for the collector; ``changed`` asks for a drawing."""

    def __init__(
        self, monotonic_s: Callable[[], float], send: Callable[[Command], None], changed: Callable[[], None]
    ) -> None:
        self.view = View(history=HistoryBuffer())
        self.notice = Notice(monotonic_s, changed)
        self.requests = CollectorRequests(monotonic_s, send, lambda: not self.view.lost, self.notice)
        self._monotonic_s = monotonic_s
        self._changed = changed
        self._latest: Frame | None = None
        self._latest_s = monotonic_s()

    # messages of the collector

    def receive(self, message: Message) -> None:
        match message:
            case Shown(frame=frame):
                self._latest = frame
                self._latest_s = self._monotonic_s()
                self.view.goodbye = None
                self.view.history.write(frame)
                self.requests.frame_came(frame)
                if not self.view.frozen:
                    self.view.frame = frame
            case Past(history=history):
                self.view.history.load(history)
            case Goodbye(why=why):
                self.disconnected(why)
                return
        self._changed()

    def disconnected(self, why: str) -> None:
        """The collector is gone: its last frame stays, shown as old."""
        self.view.goodbye = why or "it ended"
        self._changed()

    def tick(self) -> None:
        """Bring the view's ages and clock up to now. Call before drawing."""
        now_s = self._monotonic_s()
        view = self.view
        view.age_s = max(0.0, now_s - self._latest_s)
        if self._latest is not None:
            view.now_ns = self._latest.t_ns + int(view.age_s * _SECOND_NS)

    # choices of the user

    def move_symbol(self, by: int) -> None:
        if self.view.frame is not None:
            self.view.symbol = step(self.view.frame.symbols, chosen_symbol(self.view), by)
            self._changed()

    def pick_symbol(self, symbol: str) -> None:
        self.view.symbol = symbol
        self._changed()

    def move_route(self, by: int) -> None:
        """Stops at the first and the last row."""
        if self.view.frame is None:
            return
        names = [row.route for row in ordered(self.view.frame, self.view.query)]
        chosen = chosen_route(self.view)
        if chosen is not None:
            self.pick_route(names[max(0, min(len(names) - 1, names.index(chosen.route) + by))])

    def pick_route(self, route: str) -> None:
        self.view.route = route
        self._changed()

    def freeze(self) -> None:
        view = self.view
        if view.frame is None:
            return
        view.frozen = not view.frozen
        if not view.frozen:
            view.frame = self._latest
        self._changed()

    def filter(self, query: str) -> None:
        self.view.query = query
        self._changed()

    def show_pane(self, pane: PaneName) -> None:
        self.view.pane = pane
        self._changed()

    def zoom(self) -> None:
        self.view.zoomed = not self.view.zoomed
        self._changed()

    def next_band(self) -> None:
        self.view.band = BANDS[(BANDS.index(self.view.band) + 1) % len(BANDS)]
        self.notice.show(f"depth within {self.view.band} bp of mid")

    def look_back(self, steps: int, span_s: int) -> None:
        """Move the charts' cursor into the past (or forward, when negative), at most to the oldest second held."""
        view = self.view
        begin = view.history.begin_s()
        oldest = 0 if begin is None else max(0, view.at_s - begin)
        view.back_s = max(0, min(view.back_s + steps * max(1, span_s // _BACK_STEPS), oldest, span_s - 1))
        self._changed()

    def scroll_events(self, by: int) -> None:
        kept = 0 if self.view.frame is None else len(self.view.frame.events)
        self.view.events_up = max(0, min(self.view.events_up + by, max(0, kept - 1)))
        self._changed()

    def undo(self) -> bool:
        """Undo one thing: look back, zoom, filter, scroll, freeze, in this order. False when there was nothing."""
        view = self.view
        if view.back_s:
            view.back_s = 0
        elif view.zoomed:
            view.zoomed = False
        elif view.query:
            view.query = ""
        elif view.events_up:
            view.events_up = 0
        elif view.frozen:
            self.freeze()
        else:
            return False
        self._changed()
        return True

    def make_home(self) -> None:
        row = chosen_route(self.view)
        if row is not None:
            self.requests.use_home(row.route)
