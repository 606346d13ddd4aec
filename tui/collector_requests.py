"""What the user asks of the collector: another home, watchlist or order. The next frames show the result."""

from __future__ import annotations

from collections.abc import Callable

from feeds.frame import Frame, Order
from feeds.link_messages import Command, UseHome, UseOrder, UseWatchlist
from tui.format import clean, money
from tui.notice import Notice

_ASKED_S = 3.0
"""How long an order that was asked for counts as the current one before a frame shows it."""
_ORDER_SIZES = tuple(digit * 10**power for power in range(2, 9) for digit in (1, 2, 5))


class CollectorRequests:
    """``reachable`` tells whether there is a collector to ask; ``send`` takes the command."""

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        send: Callable[[Command], None],
        reachable: Callable[[], bool],
        notice: Notice,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._send = send
        self._reachable = reachable
        self._notice = notice
        self._current: Order | None = None
        self._asked: Order | None = None
        self._asked_until_s = 0.0

    def frame_came(self, frame: Frame) -> None:
        """Note the order in use. An order that was asked for is settled once a frame shows it."""
        self._current = frame.order
        if self._asked == frame.order:
            self._asked = None

    def use_home(self, route: str) -> None:
        self._ask(UseHome(route), f"asked for {clean(route)} as home")

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
            size = next((s for s in _ORDER_SIZES if s > order.notional), _ORDER_SIZES[-1])
        else:
            size = next((s for s in reversed(_ORDER_SIZES) if s < order.notional), _ORDER_SIZES[0])
        self._use_order(Order(side=order.side, notional=float(size)))

    def _order(self) -> Order | None:
        """The order to step from: the one asked for last, while it counts, else the one in use."""
        if self._asked is not None and self._monotonic_s() < self._asked_until_s:
            return self._asked
        return self._current

    def _use_order(self, order: Order) -> None:
        self._asked, self._asked_until_s = order, self._monotonic_s() + _ASKED_S
        self._ask(UseOrder(order.side, order.notional), f"asked for {order.side} {money(order.notional)}")

    def _ask(self, command: Command, notice: str) -> None:
        if not self._reachable():
            self._notice.show("no collector to ask")
            return
        self._send(command)
        self._notice.show(notice)
