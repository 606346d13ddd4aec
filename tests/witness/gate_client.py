"""cryptofeed against the simulated Gate: ``.witness/bin/python -m tests.witness.gate_client`` (see ``following``).

It gets whole contracts (it sends no ``X-Gate-Size-Decimal``), and syncs ``order_book_update`` with a REST book.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cryptofeed.defines import FUNDING, L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Gateio, GateioFutures

from tests.bench.cryptofeed_client import local, socket, watcher
from tests.witness.following import BASES, arguments, counting, feed, run, usdt_books


def main() -> None:
    given = arguments("cryptofeed against the simulated Gate")
    spot, linear = given.endpoints["gate.spot"], given.endpoints["gate.linear"]
    seen, books = Counter[str](), usdt_books("gate")
    callbacks = {L2_BOOK: watcher("gate", books), **counting(seen, TRADES, TICKER)}

    def make() -> list[Any]:
        futures = local(GateioFutures, linear["rest"], [socket(linear["ws"], "/v4/ws/usdt")])
        return [
            feed(local(Gateio, spot["rest"], [socket(spot["ws"], "/ws/v4/")]), [f"{b}-USDT" for b in BASES], callbacks),
            feed(futures, [f"{base}-USDT-PERP" for base in BASES], callbacks | counting(seen, FUNDING)),
        ]

    run(make, books, given.seconds, lambda: {"seen": seen})


if __name__ == "__main__":
    main()
