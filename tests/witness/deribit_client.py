"""cryptofeed against the simulated Deribit: ``.witness/bin/python -m tests.witness.deribit_client``.

See ``following``. cryptofeed subscribes to ``.raw`` channels, which need a login; here its requests are changed to
``.100ms``, which have the same messages. It decodes the messages, keeps the books and checks the chain of ids itself.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from cryptofeed.defines import FUNDING, L1_BOOK, L2_BOOK, LIQUIDATIONS, TICKER, TRADES
from cryptofeed.exchanges import Deribit

from tests.bench.cryptofeed_client import local, socket
from tests.witness.following import arguments, counting, empty, feed, keeping, run

NAMES = {
    "BTC-USD-PERP": "deribit.inverse BTC/USD:BTC",
    "ETH-USD-PERP": "deribit.inverse ETH/USD:ETH",
    "BTC-USDC-PERP": "deribit.linear BTC/USDC:USDC",
    "ETH-USDC-PERP": "deribit.linear ETH/USDC:USDC",
    "BTC-USDC": "deribit.spot BTC/USDC",
}


class Paced:
    """A connection that requests ``100ms`` where ``raw`` is requested."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def write(self, message: str) -> None:
        await self._connection.write(message.replace(".raw", ".100ms"))


class Public(Deribit):  # type: ignore[misc] # cryptofeed has no types
    @classmethod
    def is_authenticated_channel(cls, channel: str) -> bool:
        return False

    async def subscribe(self, conn: Any) -> None:
        await super().subscribe(Paced(conn))


def main() -> None:
    given = arguments("cryptofeed against the simulated Deribit")
    at = given.endpoints["deribit.inverse"]
    seen, books = Counter[str](), empty(list(NAMES.values()))
    callbacks = {
        L2_BOOK: keeping(books, NAMES.__getitem__),
        **counting(seen, TRADES, TICKER, L1_BOOK, FUNDING, LIQUIDATIONS),
    }
    run(
        lambda: [feed(local(Public, at["rest"], [socket(at["ws"], "/ws/api/v2")]), list(NAMES), callbacks)],
        books,
        given.seconds,
        lambda: {"seen": seen},
    )


if __name__ == "__main__":
    main()
