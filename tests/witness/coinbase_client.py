"""cryptofeed against the simulated Coinbase: ``.witness/bin/python -m tests.witness.coinbase_client``.

See ``following``; ``sides`` counts its trades by side. It needs a key for public channels too, and gets one that is
not checked. It reads only the bids of a snapshot: it looks for the side ``ask``, where Coinbase writes ``offer``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cryptofeed.connection import RestEndpoint, Routes
from cryptofeed.defines import L2_BOOK, TRADES
from cryptofeed.exchanges import Coinbase

from tests.bench.cryptofeed_client import socket, watcher
from tests.witness.following import BASES, arguments, empty, feed, run

KEY = {"coinbase": {"key_id": "none", "key_secret": "none"}}


def local(rest: str, ws: str) -> Any:
    """cryptofeed's class with other addresses; products are read by the path that needs no key."""

    async def dial_plain(self: Any, address: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return address.replace("wss://", "ws://", 1), options

    made: Any = type("Coinbase", (Coinbase,), {
        "rest_endpoints": [RestEndpoint(f"{rest}/api/v3/brokerage", routes=Routes("/market/products"))],
        "websocket_endpoints": [socket(ws, "/")],
        "_ws_authentication": dial_plain,
    })  # fmt: skip
    made.symbol_mapping(refresh=True)
    return made


def main() -> None:
    given = arguments("cryptofeed against the simulated Coinbase")
    at = given.endpoints["coinbase.spot"]
    books, sides = empty([f"coinbase.spot {base}/USD" for base in BASES]), Counter[str]()

    async def on_trade(trade: Any, receipt_s: float) -> None:
        sides[trade.side] += 1

    callbacks = {L2_BOOK: watcher("coinbase", books), TRADES: on_trade}
    symbols = [f"{base}-USD" for base in BASES]
    run(
        lambda: [feed(local(at["rest"], at["ws"]), symbols, callbacks, config=KEY)],
        books,
        given.seconds,
        lambda: {"sides": sides},
        config=KEY,
    )


if __name__ == "__main__":
    main()
