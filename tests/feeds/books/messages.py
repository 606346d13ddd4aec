"""Messages of one book, for tests, with what does not matter filled in."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.model import BookDelta, BookSnapshot
from tests.feeds.venues.captures import instrument

LINEAR = instrument("binance.linear", "BTC/USDT:USDT", "BTCUSDT")
SYMBOL = LINEAR.symbol


def snapshot(
    seq: int | None = 10,
    bids: Sequence[tuple[float, float]] = ((99.0, 1.0), (98.0, 2.0)),
    asks: Sequence[tuple[float, float]] = ((101.0, 1.0), (102.0, 2.0)),
    *,
    limit: int | None = None,
    checksum: int | None = None,
    engine_ns: int | None = None,
) -> BookSnapshot:
    return BookSnapshot(
        symbol=SYMBOL, bids=bids, asks=asks, seq=seq, levels_limit=limit, checksum=checksum, engine_ns=engine_ns
    )


def delta(
    first: int | None,
    last: int | None,
    bids: Sequence[tuple[float, float]] = (),
    asks: Sequence[tuple[float, float]] = (),
    *,
    prev: int | None = None,
    checksum: int | None = None,
    engine_ns: int | None = None,
    gateway_ns: int | None = None,
) -> BookDelta:
    return BookDelta(
        symbol=SYMBOL,
        bids=bids,
        asks=asks,
        first_seq=first,
        last_seq=last,
        prev_seq=prev,
        checksum=checksum,
        engine_ns=engine_ns,
        gateway_ns=gateway_ns,
    )
