"""KuCoin (spot, USDT perpetuals), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, the official SDK 1.3.2 and ccxt 4.5.90 (``pro/kucoin.py``). Never written from our
decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from uuid import NAMESPACE_DNS, uuid5

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, TwinSession, World
from feeds.sim.venues.kucoin.rest import CLASSIC_PATH, VENUE, Rest, Tokens, failure
from feeds.sim.venues.kucoin.streams import Books, UtaSession
from feeds.sim.venues.kucoin.streams_classic import ClassicSession


class KucoinTwin:
    """Spot and USDT perpetuals.

    Each port has both kinds of websocket: UTA at ``/``, classic at the path that tokens name.
    """

    name = VENUE
    facts: Mapping[Product, TwinFacts] = {
        "spot": TwinFacts(
            book_ms=20.0, tick_s=0.1
        ),  # the venue pushes every 10 ms; half as often spares a small machine
        "linear": TwinFacts(book_ms=20.0, tick_s=0.1),
    }
    ws_paths: Mapping[Product, str] = {"spot": "/", "linear": "/"}

    def __init__(self) -> None:
        self._books, self._tokens = Books(), Tokens()
        self._rest = Rest(self._books.numbers, self._tokens)
        self._sessions = count(1)

    def instruments(self) -> Sequence[SimInstrument]:
        """Sizes of perpetuals are lots of a number of coins. Bitcoin is called XBT there."""
        return (
            *listed(
                self.name, "spot", venue_id="{}-{}".format, taker_fee="0.001", maker_fee="0.001",
                lots={"BTC": "0.00000001", "ETH": "0.0000001", "SOL": "0.0001", "XRP": "0.0001", "DOGE": "0.0001",
                      "USDC": "0.0001", "USDE": "0.01"},
            ),
            *listed(
                self.name, "linear", venue_id=_contract, taker_fee="0.0006", maker_fee="0.0002",
                ticks={"SOL": "0.001"}, lots={"BTC": "1", "ETH": "1", "SOL": "1", "XRP": "1", "DOGE": "1"},
                contract_sizes={"BTC": "0.001", "ETH": "0.01", "SOL": "0.1", "XRP": "10", "DOGE": "100"},
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return self._rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> TwinSession | None:
        self._rest.followed = world
        if path == CLASSIC_PATH:
            refusal = self._tokens.refusal(query.get("token", ""), product, world.now_ns())
            connect_id = query.get("connectId") or f"{next(self._sessions):010d}"
            return ClassicSession(world, product, self._books.numbers, self._books.once, connect_id, refusal)
        if path != "/":
            return None
        session_id = str(uuid5(NAMESPACE_DNS, f"kucoin {next(self._sessions)}"))
        return UtaSession(world, product, self._books, session_id)


def _contract(base: str, quote: str) -> str:
    return f"{'XBT' if base == 'BTC' else base}{quote}M"
