"""What ccxt's ``load_markets`` asks beyond what a route needs, so that no other address can take the route along.

ccxt asks for every kind of market at once, and for margin pairs and fees beside them. Where one request fails, all is
lost. Here stands, by ccxt's name and our product, what is not asked at all, and what is asked but may fail.
A test plays all of it against the simulator: a name that a new ccxt gives to one of these calls shows there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from feeds.instruments.bounded_http import BoundedSession
from feeds.model import Product

WELCOME_S = 4.0
"""For a request that may fail: the rest of the route's time belongs to those that may not."""


class Spared(Struct, frozen=True, kw_only=True):
    """A call of ccxt that the route does not need."""

    call: str
    """ccxt's name of the method."""
    empty: object
    """An answer of that kind with nothing in it."""
    only: Mapping[str, Sequence[str]] = {}
    """Parameters and their values with which it is meant; empty: always."""
    welcome: bool = False
    """It is asked all the same, and ``empty`` stands in where that fails."""

    def meant(self, params: Mapping[str, Any]) -> bool:
        return all(params.get(name) in values for name, values in self.only.items())


SPARED: Mapping[tuple[str, Product], tuple[Spared, ...]] = {
    ("mexc", "spot"): (Spared(call="contractPublicGetDetail", empty={"data": []}),),
    ("mexc", "linear"): (Spared(call="spotPublicGetExchangeInfo", empty={"symbols": []}),),
    ("bingx", "spot"): (
        Spared(call="swapV2PublicGetQuoteContracts", empty={"data": []}),
        Spared(call="cswapV1PublicGetMarketContracts", empty={"data": []}),
    ),
    ("bingx", "linear"): (
        Spared(call="cswapV1PublicGetMarketContracts", empty={"data": []}),
        Spared(call="spotV1PublicGetCommonSymbols", empty={"data": {"symbols": []}}),
    ),
    # margin pairs: nothing that we use
    ("bitget", "spot"): (Spared(call="publicMarginGetV2MarginCurrencies", empty={"data": []}),),
    ("gate", "spot"): (Spared(call="publicMarginGetCurrencyPairs", empty=[]),),
    ("bitget", "linear"): (
        Spared(
            call="publicMixGetV2MixMarketContracts",
            empty={"data": []},
            # coin-margined, and three kinds of play money
            only={"productType": ("COIN-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES")},
        ),
    ),
    ("gate", "linear"): (Spared(call="publicFuturesGetSettleContracts", empty=[], only={"settle": ("btc",)}),),
    ("coinbase", "spot"): (
        Spared(call="v3PublicGetBrokerageMarketProducts", empty={"products": []}, only={"product_type": ("FUTURE",)}),
    ),
    # fees of single coins; ours stand in
    ("kucoin", "spot"): (Spared(call="publicGetMarketAllTickers", empty={"data": {"ticker": []}}, welcome=True),),
    # markets before their launch
    **{
        ("bybit", product): (
            Spared(
                call="publicGetV5MarketInstrumentsInfo",
                empty={"result": {"list": []}},
                only={"status": ("PreLaunch",)},
                welcome=True,
            ),
        )
        for product in ("linear", "inverse")
    },
}


def spare(exchange: Any, product: Product, session: BoundedSession) -> None:
    """From now on ``exchange`` (ccxt, blocking, asking through ``session``) asks for what ``product`` needs only."""
    for spared in SPARED.get((exchange.id, product), ()):
        setattr(exchange, spared.call, _instead(spared, getattr(exchange, spared.call), session))


def _instead(spared: Spared, ask: Callable[..., Any], session: BoundedSession) -> Callable[..., Any]:
    def call(params: Mapping[str, Any] | None = None, *rest: Any) -> Any:
        given = params or {}
        if not spared.meant(given):
            return ask(given, *rest)
        if not spared.welcome:
            return spared.empty
        try:
            with session.at_most(WELCOME_S):
                return ask(given, *rest)
        except Exception:  # of any kind: the route does without
            return spared.empty

    return call
