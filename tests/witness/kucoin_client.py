"""KuCoin's official SDK 1.3.2 against the simulated KuCoin. Run it with the Python of the witness environment.

    .witness/bin/python -m tests.witness.kucoin_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"kucoin.spot": {"rest": ..., "ws": ...}, "kucoin.linear": ...}``. It imports nothing of the
product. It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then prints what it has:

    {"books": {"kucoin.spot BTC/USDT": {"updates": 50, "sequence": 7, "bids": [[p, s], ...], "asks": ...}},
     "seen": {"uta trade": 12, "mark-price": 5, ...}, "gaps": 0, "errors": []}

The SDK decodes messages of both kinds of sockets; books are kept here by KuCoin's rule for ``increment@10ms``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections import Counter
from typing import Any

from kucoin_universal_sdk.api import DefaultClient
from kucoin_universal_sdk.generate.futures.market.model_get_part_order_book_req import (
    GetPartOrderBookReqBuilder as ContractBook,
)
from kucoin_universal_sdk.generate.spot.market.model_get_part_order_book_req import (
    GetPartOrderBookReqBuilder as SpotBook,
)
from kucoin_universal_sdk.generate.uta.publicws import OrderbookDepth
from kucoin_universal_sdk.model import (
    ClientOptionBuilder,
    PushTradeType,
    TransportOptionBuilder,
    WebSocketClientOptionBuilder,
    WebSocketEvent,
)

NAMES = {
    "kucoin.spot": {"BTC-USDT": "BTC/USDT", "ETH-USDT": "ETH/USDT"},
    "kucoin.linear": {"XBTUSDTM": "BTC/USDT:USDT", "ETHUSDTM": "ETH/USDT:USDT"},
}
LEVELS = 100
FAILED = {
    WebSocketEvent.EVENT_ERROR_RECEIVED,
    WebSocketEvent.EVENT_CALLBACK_ERROR,
    WebSocketEvent.EVENT_DISCONNECTED,
    WebSocketEvent.EVENT_CLIENT_FAIL,
}


class Watch:
    """Everything the SDK told us."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, Any]] = {}
        self.seen: Counter[str] = Counter()
        self.errors: list[str] = []
        self.gaps = 0
        self._lock = threading.Lock()

    def count(self, kind: str) -> Any:
        def counted(*told: Any) -> None:
            with self._lock:
                self.seen[kind] += 1

        return counted

    def happened(self, event: WebSocketEvent, words: str, error: str) -> None:
        if event in FAILED:
            self.errors.append(f"{event} {words} {error}")

    def follow(self, name: str) -> Any:
        def update(message: dict[str, Any]) -> None:
            row = message["d"]
            first, last = int(row["O"]), int(row["C"])
            with self._lock:
                book = self.books.get(name)
                if message["t"] == "snapshot":
                    self.books[name] = book = {"sequence": last, "updates": 0, "bids": {}, "asks": {}}
                elif book is None or last <= book["sequence"]:
                    return
                elif first > book["sequence"] + 1:
                    self.gaps += 1
                book["sequence"] = last
                book["updates"] += 1
                for side, key in (("bids", "b"), ("asks", "a")):
                    for price, size in row[key]:
                        if float(size):
                            book[side][float(price)] = float(size)
                        else:
                            book[side].pop(float(price), None)

        return update

    def top(self) -> dict[str, Any]:
        with self._lock:
            return {
                name: {
                    "updates": book["updates"],
                    "sequence": book["sequence"],
                    "bids": sorted(book["bids"].items(), reverse=True)[:LEVELS],
                    "asks": sorted(book["asks"].items())[:LEVELS],
                }
                for name, book in self.books.items()
            }


def ask(client: Any) -> None:
    """The REST calls that need no key."""
    rest = client.rest_service()
    contracts = rest.get_futures_service().get_market_api().get_all_symbols().data
    assert {row.symbol for row in contracts} >= set(NAMES["kucoin.linear"]), "contracts"
    asked = SpotBook().set_symbol("BTC-USDT").set_size("20").build()
    assert len(rest.get_spot_service().get_market_api().get_part_order_book(asked).bids) == 20, "spot book"
    wanted = ContractBook().set_symbol("XBTUSDTM").set_size("100").build()
    assert rest.get_futures_service().get_market_api().get_part_order_book(wanted).asks, "contract book"
    assert abs(rest.get_futures_service().get_market_api().get_server_time().data / 1e3 - time.time()) < 60, "time"


def follow_classic(service: Any, watch: Watch) -> None:
    """The older websockets of both products."""
    classic = service.new_spot_public_ws()
    classic.start()
    classic.trade(list(NAMES["kucoin.spot"]), watch.count("classic trade"))
    classic.ticker(list(NAMES["kucoin.spot"]), watch.count("classic ticker"))
    classic.orderbook_increment(["BTC-USDT"], watch.count("classic book"))
    contract = service.new_futures_public_ws()
    contract.start()
    contract.execution("XBTUSDTM", watch.count("classic execution"))
    contract.ticker_v2("XBTUSDTM", watch.count("classic tickerV2"))
    contract.instrument("XBTUSDTM", watch.count("classic instrument"))
    contract.orderbook_increment("XBTUSDTM", watch.count("classic contract book"))
    contract.orderbook_level50("XBTUSDTM", watch.count("classic contract level50"))


def main() -> int:
    parser = argparse.ArgumentParser(description="KuCoin's SDK against the simulated KuCoin")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    watch = Watch()
    spot, linear = given.endpoints["kucoin.spot"], given.endpoints["kucoin.linear"]
    sockets = WebSocketClientOptionBuilder().with_event_callback(watch.happened).with_reconnect(False).build()
    option = (
        ClientOptionBuilder()
        .set_spot_endpoint(spot["rest"])
        .set_futures_endpoint(linear["rest"])
        .set_broker_endpoint(spot["rest"])
        .set_transport_option(TransportOptionBuilder().build())
        .set_websocket_client_option(sockets)
        .build()
    )
    client = DefaultClient(option)
    ask(client)
    service = client.ws_service()
    for route, trade_type in (("kucoin.spot", PushTradeType.SPOT), ("kucoin.linear", PushTradeType.FUTURES)):
        direct = service.new_uta_public_ws(trade_type)
        direct._ws_service._endpoint = given.endpoints[route]["ws"] + "/"  # the SDK has no option for this host
        direct.start()
        for venue_id, symbol in NAMES[route].items():
            direct.orderbook(venue_id, OrderbookDepth.INCREMENT_10MS, watch.follow(f"{route} {symbol}"))
        one = next(iter(NAMES[route]))
        direct.trade(one, watch.count("uta trade"))
        direct.ticker(list(NAMES[route]), watch.count("uta ticker"))
        if trade_type is PushTradeType.FUTURES:
            direct.mark_price(one, watch.count("mark-price"))
            direct.funding_fee(list(NAMES[route]), watch.count("funding-fee"))
    follow_classic(service, watch)

    deadline_s = time.monotonic() + 10.0
    while len(watch.books) < 4 and time.monotonic() < deadline_s:
        time.sleep(0.05)
    print(json.dumps({"ready": True}), flush=True)
    time.sleep(given.seconds)
    found = {"books": watch.top(), "seen": watch.seen, "gaps": watch.gaps, "errors": watch.errors}
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # its threads take seconds to end
