"""What is being looked at: the frame, the choices made at the keyboard, and whether the frame is still news."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from feeds.frame import AdviceRow, Frame, PairRow, RouteRow
from feeds.model import State, venue_of
from tui.format import clock
from tui.history import HistoryBuffer
from tui.theme import HUES

Freshness: TypeAlias = Literal["live", "dim", "gone"]
"""``dim``: figures are old and shown as such; ``gone``: too old to be shown at all."""
PaneName: TypeAlias = Literal["routes", "spreads", "depth", "rtt", "advice", "events"]

PANES: tuple[PaneName, ...] = ("routes", "spreads", "depth", "rtt", "advice", "events")
"""In the order of their number keys."""
BANDS = ("10", "25", "50", "100")
LOST_AFTER_S = 2.0
GONE_AFTER_S = 20.0

GLYPHS: dict[State, str] = {
    State.OK: "●",
    State.SUSPECT: "◐",
    State.CONGESTED: "▲",
    State.STALLED: "◆",
    State.DOWN: "✕",
    State.HALTED: "‖",  # the pause sign is an emoji, two cells wide in some terminals
    State.BLOCKED: "⊘",
    State.UNKNOWN: "·",
}

_SECOND_NS = 1_000_000_000


class View(Struct, kw_only=True):
    """Owned by the app; panes only read it."""

    history: HistoryBuffer
    frame: Frame | None = None
    """What is shown: the newest frame, or the one held by ``frozen``."""
    now_ns: int = 0
    """The collector's clock, carried on by our monotonic one since its last frame."""
    age_s: float = 0.0
    """Since the newest frame came."""
    goodbye: str | None = None
    frozen: bool = False
    back_s: int = 0
    """How far the cursor on the charts looks back from the frame shown."""
    symbol: str | None = None
    route: str | None = None
    """The route picked by hand; None: whichever is worst."""
    query: str = ""
    band: str = "10"
    pane: PaneName = "routes"
    zoomed: bool = False
    events_up: int = 0
    """Lines the events pane is scrolled up."""

    @property
    def lost(self) -> bool:
        return self.goodbye is not None or (self.frame is not None and self.age_s > LOST_AFTER_S)

    @property
    def undoable(self) -> bool:
        """Something differs from the plain live picture, and escape would undo it."""
        return bool(self.back_s or self.zoomed or self.query or self.events_up or self.frozen)

    @property
    def freshness(self) -> Freshness:
        if not self.lost:
            return "live"
        return "gone" if self.age_s > GONE_AFTER_S else "dim"

    @property
    def heard_ns(self) -> int:
        """When the newest frame was made, by the collector's clock."""
        return self.now_ns - int(self.age_s * _SECOND_NS)

    @property
    def end(self) -> str:
        """What the right edge of a chart is called."""
        return clock(self.frame.t_ns) if self.frame is not None and (self.frozen or self.lost) else "now"

    @property
    def at_s(self) -> int:
        """The second at which charts end."""
        return 0 if self.frame is None else self.frame.t_ns // _SECOND_NS


def matches(name: str, query: str) -> bool:
    """Every word of the filter occurs somewhere in the name."""
    folded = name.casefold()
    return all(word in folded for word in query.casefold().split())


def ordered(frame: Frame, query: str = "") -> list[RouteRow]:
    """The routes that match the filter, worst first as the frame says."""
    by_name = {row.route: row for row in frame.routes}
    rows = [by_name[name] for name in frame.summary.worst_first]
    return [row for row in rows if matches(f"{row.route} {row.state.value} {row.cause or ''}", query)]


def chosen_route(view: View) -> RouteRow | None:
    """The highlighted row: the picked one while it is there, else the worst."""
    if view.frame is None:
        return None
    rows = ordered(view.frame, view.query)
    return next((row for row in rows if row.route == view.route), rows[0] if rows else None)


def chosen_symbol(view: View) -> str | None:
    """The picked symbol while it is watched, else the first one that home trades, else the first."""
    frame = view.frame
    if frame is None or not frame.symbols:
        return None
    if view.symbol in frame.symbols:
        return view.symbol
    at_home = {
        p.stands_for or p.symbol for p in frame.pairs if p.route == frame.home and p.state not in ("absent", "refused")
    }
    return next((symbol for symbol in frame.symbols if symbol in at_home), frame.symbols[0])


def pairs_of(frame: Frame, symbol: str | None, query: str = "") -> list[PairRow]:
    """The symbol's pairs in the board's order, without routes that do not list it."""
    by_route = {
        pair.route: pair
        for pair in frame.pairs
        if (pair.stands_for or pair.symbol) == symbol and pair.state != "absent"
    }
    return [by_route[row.route] for row in ordered(frame, query) if row.route in by_route]


def advice_of(frame: Frame, symbol: str | None) -> AdviceRow | None:
    return next((row for row in frame.advice if row.symbol == symbol), None)


def hues(frame: Frame) -> dict[str, int]:
    """One hue a venue, the same in every pane while the watchlist stays."""
    venues = sorted({venue_of(row.route) for row in frame.routes})
    return {venue: index % HUES for index, venue in enumerate(venues)}


def step(names: Sequence[str], current: str | None, by: int) -> str | None:
    """The neighbour of ``current``, round the corner at the ends."""
    if not names:
        return None
    if current not in names:
        return names[0]
    return names[(names.index(current) + by) % len(names)]


def state_role(state: State) -> str:
    return f"state.{state.value}"
