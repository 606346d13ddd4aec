"""A session takes over what venues list anew while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from feeds.clock import SystemClock
from feeds.collector import session as module
from feeds.collector.event_log import EventLog
from feeds.collector.session import WatchSession
from feeds.config.known import Known
from feeds.config.watchlist_reader import check_watchlist
from feeds.model import Instrument
from tests.feeds.advise.routes import instrument

ROUTE = "okx.linear"
BTC, ETH, PEPE, ETHC = "BTC/USDT:USDT", "ETH/USDT:USDT", "PEPE/USDT:USDT", "ETH/USDC:USDC"


class Watched:
    """Of a measured route what a session uses."""

    route, product, books = ROUTE, "linear", None
    venue = SimpleNamespace(name="okx", status_request=lambda product: None)
    facts = SimpleNamespace(rest="https://rest", quotes=("USDT",))
    hosts = SimpleNamespace(rest="https://rest")

    def __init__(self) -> None:
        self.watches: list[list[Instrument]] = []

    def watch(self, instruments: Sequence[Instrument]) -> None:
        self.watches.append(list(instruments))


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given: dict[str, Any] = {}
        self.listed: dict[str, Instrument] = {}
        self.route = Watched()
        rig = self

        class Loader:
            def __init__(self, **given: Any) -> None:
                rig.given = given

            def of(self, route: str, symbols: Sequence[str]) -> list[Instrument]:
                return [rig.listed[s] for s in symbols if s in rig.listed]

        monkeypatch.setattr(module, "InstrumentLoader", Loader)
        body = {"symbols": [BTC, ETH, PEPE], "routes": [ROUTE]}
        watchlist = check_watchlist("test", "mine", body, Known(routes=(ROUTE,)))
        self.events = EventLog(SystemClock())
        routes: Any = {ROUTE: self.route}
        self.session = WatchSession(
            watchlist,
            routes,
            observe=lambda s: None,
            clock=SystemClock(),
            events=self.events,
            cache_label=None,
            proxies={},
        )

    def known(self, *instruments: Instrument, note: str = "") -> None:
        self.listed = {i.symbol: i for i in instruments}
        self.given["ready"](ROUTE, self.listed, note)

    @property
    def said(self) -> list[str]:
        return [row.text for row in self.events.rows() if row.code == "markets"]


def listed(*symbols: str) -> list[Instrument]:
    return [instrument(ROUTE, symbol=s, venue_id=s) for s in symbols]


def test_a_new_listing_a_changed_size_and_a_delisting_are_taken_over_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    btc, eth, pepe, ethc = listed(BTC, ETH, PEPE, ETHC)
    rig.known(btc, eth)
    assert rig.route.watches == [[btc, eth]] and rig.said == []
    assert rig.session.listings[ROUTE].absent(PEPE)

    rig.known(btc, eth, note="two days old.")
    assert len(rig.route.watches) == 1, "only the note is new"

    other = msgspec.structs.replace(btc, contract_size=0.1)
    rig.known(other, eth, pepe)
    assert rig.route.watches[1:] == [[other, eth, pepe]]
    assert rig.said == [f"{BTC}: contract size 1 is 0.1 now", f"{PEPE} is listed now"]
    assert not rig.session.listings[ROUTE].absent(PEPE) and rig.session.listings[ROUTE].notes() == ()

    rig.known(other, ethc, pepe)
    assert rig.route.watches[2:] == [[other, ethc, pepe]]
    assert rig.said[2:] == [f"{ETHC} is listed now", f"{ETH} is not listed any more"]
    assert rig.session.listings[ROUTE].actual(ETH) == ETHC

    rig.known(other, ethc, pepe, *listed("XRP/USDT:USDT"))
    assert len(rig.route.watches) == 3, "nothing watched has changed"
    assert rig.said[4:] == ["1 new instrument (XRP/USDT:USDT)"]


def test_a_route_whose_pairs_are_listed_later_begins_then(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    (xrp, btc) = listed("XRP/USDT:USDT", BTC)
    rig.known(xrp)
    assert rig.route.watches == []
    rig.known(xrp, btc)
    assert rig.route.watches == [[btc]]
