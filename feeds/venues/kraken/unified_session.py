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
from typing import Annotated

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.model import BookDelta, BookSnapshot, Channel, Event, Instrument, Notice
from feeds.venues.base import Listing, Price, ProductFacts, RateLimit, Size, SocketPlan, VenueError
from feeds.venues.kraken.spot_rule import KrakenV2Rule
from feeds.venues.kraken.spot_session import Frame, KrakenSpotSession, coin_of
from feeds.venues.reading import UNREADABLE

STARTS_S = 1_803_859_200.0
"""1 March 2027, 00:00 UTC: until then the older feed is what works and can be checked."""
PATH = "/v2/public"
NOTE = (
    "Kraken ended this feed on 2027-03-01. Its Unified websocket is read instead: books and trades, "
    "no mark price, no funding, no liquidations, no REST times."
)
FACTS = ProductFacts(
    rest="https://api.kraken.com",  # spot's: derivatives have none any more
    ws="wss://uws.kraken.com",
    taker_fee=0.0005,
    rest_limit=RateLimit(120, 60.0),
    push_ms={Channel.BOOK: 0, Channel.TRADES: 0},
    quiet_s={Channel.BOOK: 15, Channel.TRADES: 300},
    sequence="none; a checksum on every message",
    checksum="CRC32 of 10 levels a side",
    clocks="engine timestamp (µs)",
    checked="2026-11",
    app_ping_s=10.0,
    server_ping="heartbeat each second when nothing else was sent",
    idle_cut_s=15.0,
    connects=RateLimit(150, 600.0),
    max_streams=40,
)
LISTING = Listing(
    url=f"{FACTS.ws}{PATH}",
    ask='{"method":"subscribe","params":{"channel":"instrument","asset_class":"derivatives","snapshot":true},"req_id":1}',
)
_PERPETUAL = "PF_"  # of the multi-collateral kind; the others are inverse or end on a date


class _Pair(Struct):
    symbol: str
    base: str = ""
    quote: str = ""
    status: str = "online"
    price_increment: Price | None = None
    qty_increment: Price | None = None
    qty_min: Size | None = None


class _Pairs(Struct):
    pairs: Annotated[list[_Pair], Meta(max_length=50_000)]


class _Head(Struct):
    channel: str = ""
    type: str = ""
    data: Raw = Raw(b"{}")
    error: str | None = None


_read_head = Decoder(_Head).decode
_read_pairs = Decoder(_Pairs).decode


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


def read_listing(route: str, raw: bytes) -> Sequence[Instrument] | None:
    """Perpetuals that a first message of ``instrument`` lists; None for any other message. Raises VenueError."""
    try:
        head = _read_head(raw)
        if head.error:
            raise VenueError(f"kraken instruments: {head.error[:200]}")
        if head.channel != "instrument" or head.type != "snapshot":
            return None
        pairs = _read_pairs(head.data).pairs
    except UNREADABLE as error:
        raise VenueError(f"kraken instruments: {error}") from error
    return [one for pair in pairs if (one := _instrument(route, pair)) is not None]


def _instrument(route: str, pair: _Pair) -> Instrument | None:
    base, quote = coin_of(pair.base), coin_of(pair.quote)
    named = pair.symbol.startswith(_PERPETUAL) and base and quote
    if not named or pair.price_increment is None or pair.qty_increment is None:
        return None
    return Instrument(
        route=route,
        symbol=f"{base}/{quote}:{quote}",
        venue_id=pair.symbol,
        base=base,
        quote=quote,
        settle=quote,
        tick=pair.price_increment,
        lot=pair.qty_increment,
        min_size=pair.qty_min or None,
        taker_fee=FACTS.taker_fee,
        active=pair.status == "online",
    )
