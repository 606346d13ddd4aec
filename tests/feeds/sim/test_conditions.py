"""Conditions of a scenario at one moment, and the random choices for single calls."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.model import Channel
from feeds.sim.conditions import (
    CALM_PAIR,
    CALM_ROUTE,
    RouteCondition,
    Timeline,
    depth_factor,
    feed_delay_s,
    pick_error,
    rest_delay_s,
    weight,
)
from feeds.sim.market.profile import profile_of
from feeds.sim.scenario import Band, ErrorShare, Event, Phase, Scenario, Truth


def timeline(*phases: Phase, events: tuple[Event, ...] = (), truth: tuple[Truth, ...] = ()) -> Timeline:
    return Timeline(Scenario(name="t", title="t", duration_s=100, phase=phases, event=events, truth=truth))


def phase(**values: Any) -> Phase:
    return Phase(**{"from_s": 10.0, "to_s": 20.0, "assumed": True, **values})


def test_outside_of_a_phase_all_is_calm() -> None:
    line = timeline(phase(rest_factor=9.0, frozen=True))
    assert line.route("binance.spot", 9.9) is CALM_ROUTE
    assert line.pair("binance.spot", "BTC/USDT", 20.1) is CALM_PAIR
    assert line.route("binance.spot", 10.1).rest_factor == 9.0


def test_routes_and_symbols_narrow_a_phase() -> None:
    line = timeline(phase(routes=("binance.*",), symbols=("ETH/*",), frozen=True, rest_factor=3.0))
    assert line.pair("binance.linear", "ETH/USDT:USDT", 15).frozen
    assert not line.pair("binance.linear", "BTC/USDT:USDT", 15).frozen
    assert not line.pair("okx.spot", "ETH/USDT", 15).frozen
    assert line.route("okx.spot", 15) is CALM_ROUTE


def test_overlapping_phases_multiply_add_and_combine_as_chances() -> None:
    line = timeline(
        phase(rest_factor=2.0, feed_delay_ms=100.0, refuse_share=0.5, silent=(Channel.TRADES,)),
        phase(rest_factor=3.0, feed_delay_ms=50.0, refuse_share=0.5, silent=(Channel.BOOK,)),
    )
    condition = line.route("okx.spot", 15)
    assert condition.rest_factor == 6.0
    assert condition.feed_delay_ms == 150.0
    assert condition.refuse_share == 0.75
    assert line.pair("okx.spot", "BTC/USDT", 15).silent == {Channel.TRADES, Channel.BOOK}


def test_a_ramp_grows_and_fades_and_never_touches_zero_inside() -> None:
    ramped = phase(ramp_s=4.0)
    assert weight(ramped, 12.0) == 0.5
    assert weight(ramped, 15.0) == 1.0
    assert weight(ramped, 19.0) == 0.25
    assert weight(ramped, 10.0) > 0
    assert weight(ramped, 20.0) == 0


def test_a_wave_comes_and_goes() -> None:
    wave = phase(wave_s=2.0, duty=0.25)
    assert [weight(wave, t_s) for t_s in (10.1, 10.4, 10.6, 12.1)] == [1.0, 1.0, 0.0, 1.0]


def test_half_way_up_a_ramp_a_factor_is_its_square_root() -> None:
    line = timeline(phase(ramp_s=4.0, depth=(Band(within_bps=10, factor=0.04),), rest_factor=16.0))
    assert line.route("a.b", 12.0).rest_factor == pytest.approx(4.0)
    assert line.pair("a.b", "X/Y", 12.0).depth[0].factor == pytest.approx(0.2)


def test_depth_bands_of_two_phases_multiply_by_distance() -> None:
    line = timeline(
        phase(depth=(Band(within_bps=10, factor=0.1), Band(within_bps=100, factor=0.5))),
        phase(depth=(Band(within_bps=40, factor=0.5),)),
    )
    bands = line.pair("a.b", "X/Y", 15).depth
    assert [depth_factor(bands, distance) for distance in (5, 20, 80, 400)] == [0.05, 0.25, 0.5, 1.0]


def test_a_held_feed_is_released_on_time() -> None:
    line = timeline(phase(hold_s=1.0, hold_every_s=5.0))
    assert line.route("a.b", 10.4).held_until_s == pytest.approx(11.0)
    assert line.route("a.b", 11.5).held_until_s is None
    assert line.route("a.b", 15.2).held_until_s == pytest.approx(16.0)


def test_events_happen_once_each_however_the_time_is_cut() -> None:
    events = (
        Event(at_s=5.0, kind="gap", assumed=True),
        Event(at_s=2.0, kind="stall", every_s=1.5, until_s=8.0, stall_ms=1, assumed=True),
    )
    line = timeline(events=events)
    whole = line.events(0, 100)
    cuts = [0, 1.9, 2.0, 3.4, 3.6, 5.0, 6.4, 6.6, 30]
    pieces = [found for begin, end in pairwise(cuts) for found in line.events(begin, end)]
    assert sorted(n for event, n in whole if event.kind == "stall") == [0, 1, 2, 3, 4]
    assert sorted((event.kind, n) for event, n in pieces) == sorted((event.kind, n) for event, n in whole)


def test_the_last_truth_that_fits_counts() -> None:
    line = timeline(
        truth=(
            Truth(from_s=0, to_s=50, states=("ok",)),  # type: ignore[arg-type]  # TOML text, as a file gives it
            Truth(from_s=10, to_s=20, routes=("okx.*",), states=("down",)),  # type: ignore[arg-type]  # as above
        )
    )
    states = [getattr(line.truth(route, 15), "states", None) for route in ("okx.spot", "binance.spot")]
    assert states == [("down",), ("ok",)]
    assert line.truth("okx.spot", 60) is None


def test_a_phase_added_from_outside_holds_at_once() -> None:
    line = timeline()
    assert line.route("okx.spot", 15) is CALM_ROUTE
    line.add(phase(rest_factor=5.0))
    assert line.route("okx.spot", 15).rest_factor == 5.0


def test_rest_delays_lie_around_the_routes_median() -> None:
    profile = profile_of("binance", "linear")
    rng = Random(1)
    calm = [rest_delay_s(profile, CALM_ROUTE, rng) for _ in range(4000)]
    slow = [rest_delay_s(profile, RouteCondition(rest_factor=10, rest_extra_ms=100), rng) for _ in range(4000)]
    assert median(calm) * 1e3 == pytest.approx(profile.rest_ms, rel=0.05)
    assert median(slow) * 1e3 == pytest.approx(profile.rest_ms * 10 + 100, rel=0.05)
    assert 2 <= profile.rest_ms <= 20


@given(st.sampled_from(["spot", "linear"]), st.text(min_size=1, max_size=8))
def test_every_venue_has_a_profile_of_its_own_that_never_changes(product: Any, venue: str) -> None:
    assert profile_of(venue, product) == profile_of(venue, product)
    assert 0 < profile_of(venue, product).depth <= 1


def test_feed_delays_add_to_the_routes_own() -> None:
    profile, rng = profile_of("okx", "spot"), Random(2)
    late = [feed_delay_s(profile, RouteCondition(feed_delay_ms=800.0, feed_sigma=0.4), rng) for _ in range(2000)]
    assert median(late) == pytest.approx(0.8, rel=0.05)
    assert max(late) > 1.5


def test_errors_come_in_their_shares_and_only_where_they_belong() -> None:
    condition = RouteCondition(
        errors=(ErrorShare(share=0.2, status=503), ErrorShare(share=0.1, status=451, kind="geo", on="both"))
    )
    rng = Random(3)
    rest = [error.status if (error := pick_error(condition, "rest", rng)) else 0 for _ in range(5000)]
    ws = [error.status if (error := pick_error(condition, "ws", rng)) else 0 for _ in range(5000)]
    assert rest.count(503) / 5000 == pytest.approx(0.2, abs=0.02)
    assert rest.count(451) / 5000 == pytest.approx(0.1, abs=0.02)
    assert ws.count(503) == 0
    assert ws.count(451) / 5000 == pytest.approx(0.1, abs=0.02)
