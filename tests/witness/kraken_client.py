"""python-kraken-sdk 3.5.1 and cryptofeed 2.4.1 against the simulated Kraken: ``tests.witness.kraken_client``.

See ``following``; ``bad`` counts wrong checksums. Spot books are kept by the SDK's order book client, which checks the
checksum of every message. The SDK keeps no books of derivatives; those are kept by cryptofeed, which raises when a
number is missing. cryptofeed has only version 1 of spot's websocket, and expects names of derivatives in small letters,
as they were until 2023.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from cryptofeed.defines import FUNDING, L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import KrakenFutures
from kraken.spot import Market, SpotOrderBookClient

from tests.bench.cryptofeed_client import Books, local, socket
from tests.witness.following import BASES, arguments, counting, empty, feed, keeping, run

DEPTH = 100


class SmallLetters(KrakenFutures):  # type: ignore[misc]  # cryptofeed has no types
    @classmethod
    def _parse_symbol_data(cls, data: dict[str, Any]) -> Any:
        rows = [row | {"symbol": row["symbol"].lower()} for row in data["instruments"]]
        return super()._parse_symbol_data({"instruments": rows})


class SpotBooks(SpotOrderBookClient):  # type: ignore[misc]  # the SDK's bases are untyped here
    def __init__(self, books: Books, seen: Counter[str]) -> None:
        super().__init__(depth=DEPTH)
        self._books, self._seen = books, seen

    async def on_book_update(self, pair: str, message: dict[str, Any]) -> None:
        self._seen["bad"] += "error" in message
        entry = self._books[f"kraken.spot {pair}"]
        entry["updates"] += 1
        entry["sdk"] = self.get(pair=pair)


def main() -> None:
    given = arguments("python-kraken-sdk and cryptofeed against the simulated Kraken")
    spot, linear = given.endpoints["kraken.spot"], given.endpoints["kraken.linear"]
    seen = Counter[str]()
    sdk: Books = {f"kraken.spot {base}/USD": {"updates": 0, "sdk": None} for base in BASES}
    books = empty([f"kraken.linear {base}/USD:USD" for base in BASES])
    keep = keeping(books, lambda symbol: f"kraken.linear {symbol.partition('-')[0]}/USD:USD")
    callbacks = {L2_BOOK: keep, **counting(seen, TRADES, TICKER, FUNDING)}

    def make() -> list[Any]:
        futures = local(SmallLetters, linear["rest"], [socket(linear["ws"], "/ws/v1")])
        return [feed(futures, [f"{base}-USD-PERP" for base in BASES], callbacks)]

    async def follow_spot() -> None:
        SpotBooks.WS_URL, Market.URL = spot["ws"], spot["rest"]
        client = SpotBooks(sdk, seen)
        await client.start()
        await client.add_book(pairs=[f"{base}/USD" for base in BASES])
        while any(entry["sdk"] is None for entry in sdk.values()):  # noqa: ASYNC110 - callbacks fill them
            await asyncio.sleep(0.05)

    def rest() -> dict[str, Any]:
        found = {}
        for name, entry in sdk.items():
            sides = {
                side: [(float(price), float(size)) for price, (size, _) in entry["sdk"][side[:-1]].items()]
                for side in ("bids", "asks")
            }
            found[name] = {"updates": entry["updates"], **sides}
        return {"books": found, "bad": seen["bad"], "seen": seen}

    run(make, books, given.seconds, rest, beside=follow_spot)


if __name__ == "__main__":
    main()
