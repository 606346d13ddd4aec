"""A depth channel's client must always hold the best levels of the venue's book."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.sim.twin import BookImage, Change, TextLevel
from feeds.sim.wire.depth_window import DepthWindow

DEPTH = 3
Level = tuple[int, int]
batches = st.lists(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=6), max_size=12)


def texts(levels: list[Level]) -> tuple[TextLevel, ...]:
    return tuple((f"{price}.00", str(size)) for price, size in levels)


def change(seq: int, bids: list[Level], asks: list[Level]) -> Change:
    return Change(seq=seq, bids=texts(bids), asks=texts(asks), engine_ns=0, gateway_ns=0)


@given(batches, batches, st.integers(1, 3))
def test_applying_the_news_gives_the_best_levels_however_seldom_it_comes(
    bids: list[list[Level]], asks: list[list[Level]], every: int
) -> None:
    window = DepthWindow(BookImage(seq=5, bids=(), asks=(), engine_ns=0), DEPTH)
    truth: tuple[dict[str, str], dict[str, str]] = ({}, {})
    client: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for i, (bid, ask) in enumerate(zip(bids, asks, strict=False), start=1):
        batch = change(5 + i, bid, ask)
        assert window.apply(batch)
        apply(truth, (batch.bids, batch.asks))
        if i % every == 0:
            apply(client, window.take_changes())
            assert client[0] == best(truth[0], -1)
            assert client[1] == best(truth[1], 1)
            assert dict(window.bids()) == client[0]


def apply(book: tuple[dict[str, str], dict[str, str]], sides: tuple[object, object]) -> None:
    for held, levels in zip(book, sides, strict=True):
        assert isinstance(levels, list | tuple)
        for price, size in levels:
            if size == "0":
                held.pop(price, None)
            else:
                held[price] = size


def best(side: dict[str, str], sign: int) -> dict[str, str]:
    return dict(sorted(side.items(), key=lambda level: sign * float(level[0]))[:DEPTH])


def test_a_batch_that_the_image_already_holds_is_ignored() -> None:
    window = DepthWindow(BookImage(seq=5, bids=(("1.00", "1"),), asks=(), engine_ns=0), DEPTH)
    assert not window.apply(change(5, [(2, 1)], []))
    assert window.take_changes() == ([], [])
