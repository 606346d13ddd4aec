"""What is being looked at: the frame, the choices made at the keyboard, and how old the frame is."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from feeds.frame import Frame
from tui.format import clock
from tui.history import HistoryBuffer

Freshness: TypeAlias = Literal["live", "dim", "gone"]
"""``dim``: figures are old and shown as such; ``gone``: too old to be shown at all."""
PaneName: TypeAlias = Literal["routes", "spreads", "depth", "rtt", "advice", "events"]

PANES: tuple[PaneName, ...] = ("routes", "spreads", "depth", "rtt", "advice", "events")
"""In the order of their number keys."""
BANDS = ("10", "25", "50", "100")
LOST_AFTER_S = 2.0
GONE_AFTER_S = 20.0


_SECOND_NS = 1_000_000_000


class View(Struct, kw_only=True):
    """Written by the presenter; screens and panes only read it."""

    history: HistoryBuffer
    frame: Frame | None = None
    """What is shown: the newest frame, or the one held by ``frozen``."""
    now_ns: int = 0
    """Now on the collector's clock: the time of the last frame plus what our monotonic clock has measured since."""
    age_s: float = 0.0
    """Since the newest frame came."""
    goodbye: str | None = None
    """Why the collector is gone; None while it is there."""
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
        """Whether there is something for escape to undo."""
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
