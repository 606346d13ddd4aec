"""The presenter: takes what the collector says and what the keyboard wants, and keeps the view. No screen, no I/O."""

from __future__ import annotations

from collections.abc import Callable

from feeds.frame import Command, Frame, Goodbye, Message, Order, Past, Shown, UseHome, UseOrder, UseWatchlist
from tui.format import clean, money
from tui.history import HistoryBuffer
from tui.view import BANDS, PANES, PaneName, View, chosen_route, chosen_symbol, ordered, step

_SECOND_NS = 1_000_000_000
_NOTICE_S = 4.0
_ASKED_S = 3.0
"""How long an order asked for counts as the one to step from, before the collector has shown it."""
_LADDER = tuple(digit * 10**power for power in range(2, 9) for digit in (1, 2, 5))
_BACK_STEPS = 120
"""Left and right move by this part of what the charts show."""


class Presenter:
    """``monotonic_s`` is the only clock; ``send`` takes commands for the collector; ``changed`` asks for a drawing."""

    def __init__(
        self, monotonic_s: Callable[[], float], send: Callable[[Command], None], changed: Callable[[], None]
    ) -> None:
        self.view = View(history=HistoryBuffer())
        self._monotonic_s = monotonic_s
        self._send = send
        self._changed = changed
        self._latest: Frame | None = None
        self._heard_s = monotonic_s()
        self._notice = ""
        self._notice_until_s = 0.0
        self._asked: Order | None = None
        self._asked_until_s = 0.0

    # what the collector says

    def take(self, message: Message) -> None:
        match message:
            case Shown(frame=frame):
                self._latest = frame
                self._heard_s = self._monotonic_s()
                self.view.goodbye = None
                self.view.history.write(frame)
                if self._asked is not None and frame.order == self._asked:
                    self._asked = None
                if not self.view.frozen:
                    self.view.frame = frame
            case Past(history=history):
                self.view.history.load(history)
            case Goodbye(why=why):
                self.hang_up(why)
                return
        self._changed()

    def hang_up(self, why: str) -> None:
        """The collector is gone; what it said last stays, as old news."""
        self.view.goodbye = why or "it ended"
        self._changed()

    def tick(self) -> None:
        """Let time pass in the view. Call before drawing."""
        now_s = self._monotonic_s()
        view = self.view
        view.age_s = max(0.0, now_s - self._heard_s)
        if self._latest is not None:
            view.now_ns = self._latest.t_ns + int(view.age_s * _SECOND_NS)

    @property
    def notice(self) -> str:
        """What was just done, for the footer; gone after a few seconds."""
        return self._notice if self._monotonic_s() < self._notice_until_s else ""

    def say(self, text: str) -> None:
        self._notice, self._notice_until_s = text, self._monotonic_s() + _NOTICE_S
        self._changed()

    # what the keyboard wants

    def move_symbol(self, by: int) -> None:
        if self.view.frame is not None:
            self.view.symbol = step(self.view.frame.symbols, chosen_symbol(self.view), by)
            self._changed()

    def pick_symbol(self, symbol: str) -> None:
        self.view.symbol = symbol
        self._changed()

    def move_route(self, by: int) -> None:
        """Stops at the ends: the worst row should not be one key beyond the last."""
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

    def next_pane(self, by: int) -> None:
        self.view.pane = PANES[(PANES.index(self.view.pane) + by) % len(PANES)]
        self._changed()

    def zoom(self) -> None:
        self.view.zoomed = not self.view.zoomed
        self._changed()

    def next_band(self) -> None:
        self.view.band = BANDS[(BANDS.index(self.view.band) + 1) % len(BANDS)]
        self.say(f"depth within {self.view.band} bp of mid")

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

    def leave(self) -> bool:
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

    # what the collector is asked

    def make_home(self) -> None:
        row = chosen_route(self.view)
        if row is not None:
            self._ask(UseHome(row.route), f"asked for {clean(row.route)} as home")

    def use_watchlist(self, name: str) -> None:
        self._ask(UseWatchlist(name), f"asked for watchlist {clean(name)}")

    def flip_side(self) -> None:
        order = self._order()
        if order is not None:
            self._use_order(Order(side="buy" if order.side == "sell" else "sell", notional=order.notional))

    def step_notional(self, by: int) -> None:
        """Along 1, 2, 5, 10 ...; from an odd size to the next step in that direction."""
        order = self._order()
        if order is None:
            return
        if by > 0:
            size = next((s for s in _LADDER if s > order.notional), _LADDER[-1])
        else:
            size = next((s for s in reversed(_LADDER) if s < order.notional), _LADDER[0])
        self._use_order(Order(side=order.side, notional=float(size)))

    def _order(self) -> Order | None:
        if self._asked is not None and self._monotonic_s() < self._asked_until_s:
            return self._asked
        return None if self._latest is None else self._latest.order

    def _use_order(self, order: Order) -> None:
        self._asked, self._asked_until_s = order, self._monotonic_s() + _ASKED_S
        self._ask(UseOrder(order.side, order.notional), f"asked for {order.side} {money(order.notional)}")

    def _ask(self, command: Command, notice: str) -> None:
        if self.view.lost:
            self.say("no collector to ask")
            return
        self._send(command)
        self.say(notice)
