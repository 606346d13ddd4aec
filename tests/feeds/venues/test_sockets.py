"""Every subscription of a route is on exactly one socket, and no socket carries more than its venue allows."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.model import Channel, Instrument, Product
from feeds.venues.registry import VENUES
from feeds.venues.sockets import SocketKind, batches, plan_sockets
from tests.feeds.venues.captures import instrument

PRODUCTS: list[tuple[str, Product]] = [(name, product) for name, venue in VENUES.items() for product in venue.products]
CHANNELS = (Channel.BOOK, Channel.BBO, Channel.TRADES)


def instruments(route: str, count: int) -> list[Instrument]:
    return [instrument(route, f"COIN{n:03}/USDT", f"COIN{n:03}USDT") for n in range(count)]


@pytest.mark.parametrize(("name", "product"), PRODUCTS)
@given(count=st.integers(0, 300))
@settings(max_examples=15, deadline=None)
def test_every_venue_asks_once_for_everything_within_its_limit(name: str, product: Product, count: int) -> None:
    venue = VENUES[name]
    facts, watched = venue.products[product], instruments(f"{name}.{product}", count)
    plans = venue.plan(product, watched)
    asked = Counter((plan.path, subscription) for plan in plans for subscription in plan.subscriptions)
    assert set(asked.values()) <= {1}  # by path: HTX has one part of its marks on each of two sockets
    of_symbols = {(s.channel, s.symbol) for _, s in asked if s.symbol is not None}
    of_product = {s.channel for _, s in asked if s.symbol is None}
    per_symbol = {channel for channel, _ in of_symbols}
    assert of_symbols == {(channel, i.symbol) for i in watched for channel in per_symbol}
    if watched:  # a channel that covers the whole product may be one that has no push interval, like STATUS
        assert set(facts.push_ms) <= per_symbol | of_product
    assert all(len(plan.subscriptions) <= facts.max_streams for plan in plans)
    assert len({plan.label for plan in plans}) == len(plans)


@given(costs=st.lists(st.integers(1, 9), max_size=40), room=st.integers(1, 20), kinds=st.integers(1, 3))
def test_instruments_keep_their_order_and_a_group_costs_no_more_than_its_room(
    costs: list[int], room: int, kinds: int
) -> None:
    watched = instruments("venue.spot", len(costs))
    cost = {i.symbol: amount for i, amount in zip(watched, costs, strict=True)}
    sockets = [
        SocketKind(path=f"/{n}", label=f"l{n}", channels=[channel], product_channels=[Channel.STATUS])
        for n, channel in enumerate(CHANNELS[:kinds])
    ]
    plans = plan_sockets("spot", watched, sockets, room, lambda i: cost[i.symbol])
    for number, kind in enumerate(sockets):
        mine = plans[number :: len(sockets)]
        symbols = [[s.symbol for s in plan.subscriptions if s.symbol is not None] for plan in mine]
        assert [symbol for group in symbols for symbol in group] == [i.symbol for i in watched]
        assert all(len(group) == 1 or sum(cost[symbol] for symbol in group) <= room for group in symbols)
        assert [plan.label for plan in mine] == [kind.label, *(f"{kind.label}-{n}" for n in range(2, 99))][: len(mine)]
        whole = [s for plan in mine for s in plan.subscriptions if s.symbol is None]
        assert len(whole) == min(1, len(mine))
        # no group could have taken the next one's first instrument: no socket is opened for nothing
        for group, following in pairwise(symbols):
            assert sum(cost[symbol] for symbol in (*group, following[0])) > room


@given(items=st.lists(st.integers(), max_size=50), size=st.integers(1, 12))
def test_a_message_holds_no_more_than_its_limit_and_all_are_sent_in_order(items: list[int], size: int) -> None:
    sent = batches(items, size)
    assert [item for batch in sent for item in batch] == items
    assert all(len(batch) == size for batch in sent[:-1]) and all(0 < len(batch) <= size for batch in sent[-1:])
