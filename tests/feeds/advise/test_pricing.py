"""What an order costs on one route."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.advise.pricing import MarketConditions, PricedOrder, market_conditions, price_route
from feeds.advise.route_cost import RouteCost
from feeds.advise.route_view import RouteView
from feeds.advise.settings import AdviceSettings
from feeds.books.ladder import derive
from feeds.model import Side, State
from tests.feeds.advise.routes import view

CALM = MarketConditions(volatility_bps=1.0, worst_age_ms=20.0, worst_rtt_ms=20.0)
SETTINGS = AdviceSettings()


def priced(
    given_view: RouteView,
    *,
    side: Side = "buy",
    notional: float = 100_000.0,
    reference: float = 100_000.0,
    settings: AdviceSettings = SETTINGS,
    common: MarketConditions = CALM,
) -> RouteCost:
    order = PricedOrder(side=side, notional=notional, currency="USDT", reference=reference, conditions=common)
    found = price_route("okx.linear", given_view, order, settings)
    assert found is not None
    return found


def okx(**changes: Any) -> RouteView:
    return view("okx.linear", **changes)


def test_parts_of_the_cost_add_up_to_the_total() -> None:
    given_view = okx(mid=100_010.0, error_share=0.2, size=0.3, state=State.CONGESTED, feed_age_ms=1500.0)
    cost = priced(given_view).cost(100_000.0)
    parts = (
        cost.fee_bps
        + cost.spread_bps
        + cost.walk_bps
        + cost.latency_bps
        + cost.risk_bps
        + cost.basis_bps
        + cost.price_bps
    )
    assert cost.total_bps == pytest.approx(parts, abs=1e-9)
    assert min(cost.walk_bps, cost.risk_bps, cost.price_bps, cost.latency_bps) > 0


def test_a_calm_route_costs_fee_half_spread_and_a_little_latency() -> None:
    cost = priced(okx(size=50.0)).cost(100_000.0)
    assert cost.fee_bps == pytest.approx(5.0)
    assert cost.spread_bps == pytest.approx(0.1, rel=1e-3)
    assert cost.walk_bps == pytest.approx(0.0, abs=1e-9)
    assert cost.latency_bps == pytest.approx(math.sqrt(0.04))
    assert cost.risk_bps == 0
    assert cost.filled == pytest.approx(100_000, rel=0.002)


def test_walk_is_the_average_of_the_levels_taken() -> None:
    # 100 000 at 0.5 coins a level: two levels, a tenth of a bp apart, half of it each
    cost = priced(okx(size=0.5)).cost(100_000.0)
    assert cost.walk_bps == pytest.approx(0.05, abs=0.002)


def test_the_users_own_fee_replaces_the_listed_one() -> None:
    settings = AdviceSettings(fees={"okx.linear": -0.0001})
    assert priced(okx(), settings=settings).cost(1e5).fee_bps == pytest.approx(-1.0)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_price_in_the_users_disfavour_is_charged_in_full(side: Side) -> None:
    mid = 100_200.0 if side == "buy" else 99_800.0
    cost = priced(okx(mid=mid), side=side).cost(1e5)
    assert cost.price_bps == pytest.approx(20.0, rel=0.01)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_price_too_good_is_believed_only_in_part(side: Side) -> None:
    mid = 99_800.0 if side == "buy" else 100_200.0
    cost = priced(okx(mid=mid), side=side).cost(1e5)
    assert cost.price_bps == pytest.approx(-SETTINGS.favour_bps, rel=0.01)


def test_latency_grows_with_the_root_of_age_and_round_trip() -> None:
    slow = priced(okx(feed_age_ms=400.0, rtt_ms=3600.0)).cost(1e5)
    assert slow.latency_bps == pytest.approx(2.0)


def test_a_missing_measurement_is_the_worst_known_and_not_zero() -> None:
    common = market_conditions([okx(feed_age_ms=90.0, rtt_ms=810.0), okx(feed_age_ms=None, rtt_ms=None)], SETTINGS)
    cost = priced(okx(feed_age_ms=None, rtt_ms=None), common=common).cost(1e5)
    assert cost.latency_bps == pytest.approx(math.sqrt(0.9))


def test_a_frozen_book_does_not_look_calm() -> None:
    views = [okx(volatility_bps=0.0), okx(volatility_bps=4.0), okx(volatility_bps=4.0)]
    cost = priced(views[0], common=market_conditions(views, SETTINGS)).cost(1e5)
    assert cost.latency_bps == pytest.approx(4.0 * math.sqrt(0.04))


def test_unknown_everywhere_is_assumed_and_not_free() -> None:
    common = market_conditions([okx(volatility_bps=None, feed_age_ms=None, rtt_ms=math.nan)], SETTINGS)
    assert common == MarketConditions(SETTINGS.usual_volatility_bps, SETTINGS.unknown_ms, SETTINGS.unknown_ms)


def test_refusals_stale_data_and_congestion_are_risks() -> None:
    assert priced(okx(error_share=0.5)).cost(1e5).risk_bps == pytest.approx(SETTINGS.reject_bps)
    assert priced(okx(feed_age_ms=1500.0)).cost(1e5).risk_bps == pytest.approx(2.0)
    assert priced(okx(state=State.CONGESTED)).cost(1e5).risk_bps == pytest.approx(SETTINGS.congested_bps)
    assert math.isfinite(priced(okx(error_share=1.0)).cost(1e5).risk_bps)


def test_another_quote_currency_is_measured_against_its_own_mid_plus_the_basis() -> None:
    cost = priced(okx(mid=100_500.0, basis_bps=3.0, listing={"quote": "USDC"})).cost(1e5)
    assert cost.basis_bps == 3.0
    assert cost.price_bps == pytest.approx(0.0)


def test_contracts_are_taken_whole() -> None:
    # 0.01 coin a contract: 99 contracts are 99 000, the 100th does not fit
    whole = priced(okx(listing={"lot": 1.0, "contract_size": 0.01, "min_size": 1.0}, size=5_000.0))
    assert whole.lots_for(99_999.0) == 99
    assert whole.cost(99_999.0).filled == pytest.approx(99_000.0, rel=1e-4)
    assert not whole.allowed(0)


def test_inverse_contracts_count_quote_currency() -> None:
    whole = priced(
        okx(
            listing={"lot": 1.0, "contract_size": 100.0, "min_size": 1.0, "inverse": True, "settle": "BTC"},
            size=5_000.0,
        ),
        notional=12_345.0,
    )
    assert whole.lots_for(12_345.0) == 123
    assert whole.amount_of(123) == 12_300.0


def test_levels_that_may_be_missing_are_not_counted_on() -> None:
    known = okx(size=0.5)
    assert known.ladder is not None
    cut = msgspec.structs.replace(known.ladder, ask_known=float(known.ladder.ask_px[1]))
    found = priced(msgspec.structs.replace(known, ladder=cut), notional=1e6)
    assert found.capacity == pytest.approx(100_000, rel=1e-3)


@given(
    size=st.floats(0.001, 50),
    spread=st.floats(0.01, 100),
    amounts=st.lists(st.floats(1, 1e7), min_size=2, max_size=6),
    side=st.sampled_from(["buy", "sell"]),
)
def test_more_never_costs_less(size: float, spread: float, amounts: list[float], side: Side) -> None:
    found = priced(okx(size=size, spread_bps=spread), side=side, notional=1e9)
    costs = [found.cost(amount) for amount in sorted(amounts)]
    for small, large in pairwise(costs):
        assert small.total_bps <= large.total_bps + 1e-7
        assert small.filled <= large.filled
    for amount, cost in zip(sorted(amounts), costs, strict=True):
        assert 0 <= cost.filled <= amount


def test_a_grain_less_than_the_money_is_a_lot_less() -> None:
    found = priced(okx(size=50.0))
    enough = found.amount_of(700)
    assert found.lots_for(enough) == 700
    assert found.lots_for(math.nextafter(enough, 0)) == 699


@pytest.mark.parametrize("price", [1e-320, 1e-9, 1e300])
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_hostile_price_never_becomes_a_number_that_is_none(price: float, side: Side) -> None:
    honest = okx(size=0.01, count=2)
    assert honest.ladder is not None and honest.instrument is not None
    bids = dict(zip(honest.ladder.bid_px.tolist(), honest.ladder.bid_sz.tolist(), strict=True))
    asks = dict(zip(honest.ladder.ask_px.tolist(), honest.ladder.ask_sz.tolist(), strict=True))
    (bids if price < 1 else asks)[price] = 5.0
    hostile = msgspec.structs.replace(honest, ladder=derive(bids, asks, honest.instrument))
    cost = priced(hostile, side=side).cost(1e5)
    assert math.isfinite(cost.total_bps) and cost.total_bps < 10
    assert cost.filled == pytest.approx(2_000, rel=0.1)


def test_a_book_of_hostile_prices_only_is_not_priced_at_all() -> None:
    tiny = okx(mid=1e-310)
    order = PricedOrder(side="sell", notional=1e5, currency="USDT", reference=100_000.0, conditions=CALM)
    assert price_route("okx.linear", tiny, order, SETTINGS) is None


def test_a_hostile_lot_is_refused_at_once() -> None:
    assert priced(okx(listing={"lot": 1e-300, "min_size": None})).lots_for(1e5) == 0


@given(amount=st.floats(1, 1e9), lot=st.sampled_from([1e-8, 1e-5, 0.001, 0.1, 1.0]), price=st.floats(1e-6, 1e6))
def test_whole_lots_never_cost_more_than_the_money(amount: float, lot: float, price: float) -> None:
    found = priced(okx(mid=price, listing={"lot": lot, "min_size": lot}), notional=amount, reference=price)
    lots = found.lots_for(amount)
    assert found.amount_of(lots) <= amount
    assert found.amount_of(lots) == found.amount_of(lots) // 2**-20 * 2**-20
