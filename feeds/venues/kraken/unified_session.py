"""Kraken's perpetuals from 1 March 2027 on, when their first websocket and REST end: the Unified websocket.

Sources: https://docs.kraken.com/exchange/api-reference/unified-websocket.md (host, "same v2 message format as the Spot
WebSocket v2", ``asset_class``) and .../unified-ws/ (book: depths and the checksum guide of spot; trade: derivatives
only, example ``PF_XBTUSD``; instrument; heartbeat), .../futures-rest.md (the end), read in November 2026 as far as
public copies of these pages go: the requests whole, the answers not. No capture and no client of anybody's is known
(Kraken's own kraken-api-sdk is for spot alone), so what is pushed is read as the page says, as spot's.

Not served for want of a description: mark price and funding (their names in ``ticker`` are not in the copies), and
which trades are liquidations. There is no REST beside it; time and round trip come from its pongs. Should a first
book's checksum not come out with an instrument's own decimals, the decimals are others than we were told: that book is
shown unchecked, and said so, rather than thrown away again and again as if the venue had lost something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from feeds.model import BookDelta, BookSnapshot, Event, Instrument, Notice
from feeds.venues.base import SocketPlan
from feeds.venues.kraken.spot_rule import KrakenV2Rule
from feeds.venues.kraken.spot_session import KrakenSpotSession
from feeds.venues.kraken.spot_wire import Frame

UNIFIED_PATH = "/v2/public"


class KrakenUnifiedSession(KrakenSpotSession):
    """One connection to ``/v2/public``."""

    extra: Mapping[str, object] = {"asset_class": "derivatives"}

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        super().__init__(plan, instruments)
        self._instruments = {i.symbol: i for i in instruments}
        self._rule = KrakenV2Rule()
        self._unchecked: set[str] = set()

    def spelled(self, instrument: Instrument) -> str:
        return instrument.venue_id.upper()

    def books(self, frame: Frame) -> Sequence[Event]:
        events: list[Event] = []
        for event in super().books(frame):
            if isinstance(event, BookSnapshot):
                events += self._proven(event)
            if isinstance(event, BookSnapshot | BookDelta) and event.symbol in self._unchecked:
                event.checksum = None
            events.append(event)
        return events

    def _proven(self, first: BookSnapshot) -> Sequence[Notice]:
        """Nothing can be lost before a first book: only decimals can make its checksum another than ours."""
        sides = _Sides({p: s for p, s in first.bids if s}, {p: s for p, s in first.asks if s})
        ours = self._rule.checksum(sides, self._instruments[first.symbol])
        if first.checksum is None or ours in (None, first.checksum):
            self._unchecked.discard(first.symbol)
            return ()
        if first.symbol in self._unchecked:
            return ()
        self._unchecked.add(first.symbol)
        return (Notice(text=f"{first.symbol}: Kraken's checksum cannot be worked out, its book is shown unchecked"),)


class _Sides(Struct):
    bids: dict[float, float]
    asks: dict[float, float]
