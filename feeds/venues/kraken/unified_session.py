"""One connection to Kraken's Unified websocket, which serves perpetuals when their v1 websocket ends (1 March 2027).

Sources: https://docs.kraken.com/exchange/api-reference/unified-websocket.md (host, "same v2 message format as the Spot
WebSocket v2", ``asset_class``) and .../unified-ws/ (book: depths and the checksum guide of spot; trade: derivatives
only, example ``PF_XBTUSD``; instrument; heartbeat), .../futures-rest.md (the end of v1). They were read in November
2026 from public copies, which have all of the requests but not all of the answers. No capture and no other client is
known (Kraken's own kraken-api-sdk is for spot only), so messages are read as the pages say, like those of spot. If
the decimals that it lists are not those of its checksum, ``Book`` finds no proof for it and shows the book unchecked.

Not supported, because the copies do not describe it: mark price and funding (their names in ``ticker``), and which
trades are liquidations. There is no REST interface beside it; time and round trip come from its pongs.
"""

from __future__ import annotations

from collections.abc import Mapping

from feeds.model import Instrument
from feeds.venues.kraken.spot_session import KrakenSpotSession

UNIFIED_PATH = "/v2/public"


class KrakenUnifiedSession(KrakenSpotSession):
    """One connection to ``/v2/public``."""

    extra: Mapping[str, object] = {"asset_class": "derivatives"}

    def venue_name(self, instrument: Instrument) -> str:
        return instrument.venue_id.upper()
