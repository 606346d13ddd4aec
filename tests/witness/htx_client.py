"""cryptofeed against the simulated HTX: ``.witness/bin/python -m tests.witness.htx_client`` (see ``following``).

It takes whole books (``depth.step0``). Funding is left out: this release requests every rate from the coin-margined
host.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Huobi, HuobiSwap

from tests.bench.cryptofeed_client import local, socket, watcher
from tests.witness.following import BASES, arguments, counting, feed, run, usdt_books


class Swaps(HuobiSwap):  # type: ignore[misc]  # cryptofeed has no types
    """Reads only the list of instruments that is simulated; the original also reads that of coin-margined swaps."""

    rest_endpoints = HuobiSwap.rest_endpoints[1:]

    @classmethod
    def _parse_symbol_data(cls, data: Any) -> Any:
        return super()._parse_symbol_data([data])


def main() -> None:
    given = arguments("cryptofeed against the simulated HTX")
    spot, linear = given.endpoints["htx.spot"], given.endpoints["htx.linear"]
    seen, books = Counter[str](), usdt_books("htx")
    callbacks = {L2_BOOK: watcher("htx", books), **counting(seen, TRADES)}

    def make() -> list[Any]:
        swaps = [socket(linear["ws"], "/linear-swap-ws", instrument_filter=("QUOTE", ("USDT",)))]
        spots = local(Huobi, spot["rest"], [socket(spot["ws"], "/ws")])
        return [
            feed(spots, [f"{base}-USDT" for base in BASES], callbacks | counting(seen, TICKER)),
            feed(local(Swaps, linear["rest"], swaps), [f"{base}-USDT-PERP" for base in BASES], callbacks),
        ]

    run(make, books, given.seconds, lambda: {"seen": seen})


if __name__ == "__main__":
    main()
