"""One connection to Kraken's Unified websocket, which serves perpetuals when their v1 websocket ends (1 March 2027).

Sources: https://docs.kraken.com/exchange/api-reference/unified-websocket.md (host, "same v2 message format as the Spot
WebSocket v2", ``asset_class``) and .../unified-ws/ (book: depths and the checksum guide of spot; trade: derivatives
only, example ``PF_XBTUSD``; instrument; heartbeat), .../futures-rest.md (the end of v1). They were read in November
2026 from public copies, which have all of the requests but not all of the answers. No capture and no other client is
known (Kraken's own kraken-api-sdk is for spot only), so messages are read as the pages say, like those of spot.

Not supported, because the copies do not describe it: mark price and funding (their names in ``ticker``), and which
trades are liquidations. There is no REST interface beside it; time and round trip come from its pongs. If the checksum
of a first book is wrong, the instrument's decimals are not what the venue uses. Such a book is shown unchecked with a
notice; otherwise it would be requested again and again as if the venue had lost messages.
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

    def venue_name(self, instrument: Instrument) -> str:
        return instrument.venue_id.upper()

    def books(self, frame: Frame) -> Sequence[Event]:
        events: list[Event] = []
        for event in super().books(frame):
            if isinstance(event, BookSnapshot):
                events += self._check_decimals(event)
            if isinstance(event, BookSnapshot | BookDelta) and event.symbol in self._unchecked:
                event.checksum = None
            events.append(event)
        return events

    def _check_decimals(self, first: BookSnapshot) -> Sequence[Notice]:
        """Checks a first book: nothing can be lost before it, so a wrong checksum means that our decimals are wrong."""
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
