"""cryptofeed against the simulated Bitfinex: ``.witness/bin/python -m tests.witness.bitfinex_client``.

See ``following``. It sets only SEQ_ALL and ends with an error when a number is missing. Both products are on one host.
Tickers are left out: this release expects ten fields, and the venue sends an eleventh, null, since 2026 (captures
of 2026-04-10 in tardis-node's tests).
"""

from __future__ import annotations

from collections import Counter

from cryptofeed.defines import L2_BOOK, TRADES
from cryptofeed.exchanges import Bitfinex

from tests.bench.cryptofeed_client import local, socket, watcher
from tests.witness.following import arguments, counting, feed, run, usdt_books

SYMBOLS = ("BTC-USDT", "ETH-USDT", "BTC-USDT-PERP", "ETH-USDT-PERP")


def main() -> None:
    given = arguments("cryptofeed against the simulated Bitfinex")
    at = given.endpoints["bitfinex.spot"]
    seen, books = Counter[str](), usdt_books("bitfinex")
    callbacks = {L2_BOOK: watcher("bitfinex", books), **counting(seen, TRADES)}
    run(
        lambda: [feed(local(Bitfinex, at["rest"], [socket(at["ws"], "/ws/2", limit=20)]), SYMBOLS, callbacks)],
        books,
        given.seconds,
        lambda: {"seen": seen},
    )


if __name__ == "__main__":
    main()
