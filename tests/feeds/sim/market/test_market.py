"""The simulated market: the same every run, exact on the wire, never crossed, and as deep as it says."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.model import Product
from feeds.sim.conditions import CALM_PAIR, PairCondition, Timeline
from feeds.sim.market.clock import Clock
from feeds.sim.market.ladder import FINE_LEVELS, DecimalStep, positions
from feeds.sim.market.listing import ASSETS, BY_PAIR, asset_of, listed, padded
from feeds.sim.market.market import Market, VenueWorld
from feeds.sim.market.pair import FeedBook, SimPair
from feeds.sim.market.prices import Prices
from feeds.sim.market.profile import profile_of
from feeds.sim.scenario import Band, Phase, Scenario
from feeds.sim.twin import BookImage, Change, SimInstrument
from feeds.sim.venues.binance.twin import BinanceTwin
from feeds.sim.wire.encode_once import EncodeOnce

START_NS = 1_760_000_000_000_000_000
INSTRUMENTS = {i.symbol: i for i in listed("binance", "linear", venue_id="{}{}".format, taker_fee="0", maker_fee="0")}


def pair_of(symbol: str = "BTC/USDT:USDT", seed: int = 3) -> SimPair:
    instrument = INSTRUMENTS[symbol]
    asset = BY_PAIR[f"{instrument.base}/{instrument.quote}"]
    return SimPair(instrument, asset, profile_of("binance", "linear"), seed, asset.price)


def run(pair: SimPair, mids: list[float], condition: PairCondition = CALM_PAIR) -> list[Change]:
    changes = []
    for n, mid in enumerate(mids):
        now_ns = START_NS + n * 50_000_000
        pair.step(mid, condition, now_ns, 0.05, now_ns + 2_000_000)
        change = pair.publish(now_ns + 2_000_000)
        if change is not None:
            changes.append(change)
    return changes


def walk(seed: int, count: int, start: float = 121_600.0, sigma_bps: float = 0.5) -> list[float]:
    rng, mids = Random(seed), [start]
    for _ in range(count):
        mids.append(mids[-1] * (1 + rng.gauss(0, sigma_bps) / 1e4))
    return mids[1:]


def within(image: BookImage, bps: float) -> float:
    """Bid depth within a distance of mid, in quote currency."""
    mid = (float(image.bids[0][0]) + float(image.asks[0][0])) / 2
    return sum(float(p) * float(s) for p, s in image.bids if float(p) >= mid * (1 - bps / 1e4))


def test_prices_are_the_same_for_the_same_seed_however_often_they_are_asked_for() -> None:
    one, two, other = Prices(5), Prices(5), Prices(6)
    for step in range(1, 201):
        one.advance(step * 0.05)
    two.advance(10.0)
    other.advance(10.0)
    for asset in ASSETS:
        assert one.mid(asset.pair) == two.mid(asset.pair)
    assert one.mid("BTC/USDT") != other.mid("BTC/USDT")


def test_coins_move_together_and_stablecoins_stay() -> None:
    prices = Prices(5)
    moves = []
    for second in range(1, 400):
        before = {asset.pair: prices.mid(asset.pair) for asset in ASSETS}
        prices.advance(float(second))
        moves.append({pair: prices.mid(pair) / mid - 1 for pair, mid in before.items()})
    same = sum(move["BTC/USDT"] * move["ETH/USDT"] > 0 for move in moves)
    assert same / len(moves) > 0.6
    assert prices.mid("USDC/USDT") == pytest.approx(1.0, abs=2e-3)


def test_the_markets_trend_follows_the_scenario() -> None:
    crash = Phase(from_s=0, to_s=60, drift_bps_s=-30.0, assumed=True)
    line = Timeline(Scenario(name="x", title="x", duration_s=60, phase=(crash,)))
    prices = Prices(5, line.market)
    for second in range(1, 41):
        prices.advance(float(second), float(second))
    assert prices.mid("BTC/USDT") / 121_600 == pytest.approx(0.887, abs=0.02)
    assert prices.mid("USDC/USDT") == pytest.approx(1.0, abs=2e-3)


def test_a_pair_is_the_same_every_run() -> None:
    mids = walk(1, 60)
    assert run(pair_of(), mids) == run(pair_of(), mids)
    assert run(pair_of(seed=4), mids) != run(pair_of(), mids)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    symbol=st.sampled_from(sorted(INSTRUMENTS)),
    sigma_bps=st.sampled_from([0.05, 0.5, 5.0, 60.0]),
    spread_factor=st.sampled_from([1.0, 20.0, 500.0]),
    depth=st.sampled_from([(), ((100, 0.02),), ((40, 0.0), (400, 0.5))]),
)
def test_changes_rebuild_the_book_exactly_and_it_is_never_crossed(
    seed: int, symbol: str, sigma_bps: float, spread_factor: float, depth: tuple[tuple[float, float], ...]
) -> None:
    pair = pair_of(symbol, seed)
    told = FeedBook()
    told.replace(pair.image(None))
    bands = tuple(Band(within_bps=limit, factor=factor) for limit, factor in depth)
    condition = PairCondition(spread_factor=spread_factor, depth=bands, traffic=3.0)
    seqs = [told.seq]
    for change in run(pair, walk(seed, 40, pair.asset.price, sigma_bps), condition):
        told.apply(change)
        seqs.append(change.seq)
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    truth = pair.image(None)
    assert dict(told.image(None).bids) == dict(truth.bids)
    assert dict(told.image(None).asks) == dict(truth.asks)
    assert Decimal(truth.bids[0][0]) < Decimal(truth.asks[0][0])
    tick, lot = Decimal(pair.instrument.tick), Decimal(pair.instrument.lot)
    for price, size in (*truth.bids, *truth.asks):
        assert Decimal(price) % tick == 0 < Decimal(price)
        assert Decimal(size) % lot == 0 < Decimal(size)
        assert -(Decimal(price).as_tuple().exponent) == -(tick.as_tuple().exponent)  # type: ignore[operator]  # finite


@pytest.mark.parametrize("symbol", sorted(INSTRUMENTS))
def test_a_calm_book_is_tight_covers_ten_percent_and_keeps_its_depth_while_the_price_walks(symbol: str) -> None:
    pair = pair_of(symbol)
    before = within(pair.image(None), 100)
    run(pair, walk(9, 400, pair.asset.price, 1.5))
    image = pair.image(None)
    bid, ask = float(image.bids[0][0]), float(image.asks[0][0])
    assert (ask - bid) / bid * 1e4 < max(3.0, 4 * float(pair.instrument.tick) / bid * 1e4)
    assert float(image.bids[-1][0]) < bid * 0.9
    assert float(image.asks[-1][0]) > ask * 1.1
    assert len(image.bids) > 80
    assert 0.4 < within(image, 100) / before < 2.5
    assert 0.3 < before / pair.asset.depth_usd < 3


def test_a_crash_walks_into_the_far_levels_without_finding_their_size_near_mid() -> None:
    pair = pair_of()
    before = within(pair.image(None), 100)
    thin = PairCondition(depth=(Band(within_bps=100, factor=0.02),))
    run(pair, [121_600.0 * (1 - 0.0003 * n) for n in range(300)], thin)
    assert 0.01 < within(pair.image(None), 90) / before < 0.05


def test_near_mid_can_be_emptied_while_the_outer_bands_survive() -> None:
    pair = pair_of()
    calm = within(pair.image(None), 1000) - within(pair.image(None), 150)
    bands = (Band(within_bps=100, factor=0.0),)
    run(pair, walk(2, 20), PairCondition(depth=bands))
    image = pair.image(None)
    bid, ask = float(image.bids[0][0]), float(image.asks[0][0])
    assert 180 < (ask - bid) / bid * 1e4 < 400
    outer = sum(float(p) * float(s) for p, s in image.bids if float(p) >= pair.mid * 0.9) - sum(
        float(p) * float(s) for p, s in image.bids if float(p) >= pair.mid * 0.985
    )
    assert outer == pytest.approx(calm, rel=0.4)
    run(pair, walk(2, 20))
    assert float(pair.image(1).asks[0][0]) / float(pair.image(1).bids[0][0]) - 1 < 1e-4


def test_binance_is_the_deepest() -> None:
    for product in ("spot", "linear"):
        depths = {venue: profile_of(venue, product).depth for venue in ("binance", "okx", "bybit", "gate", "mexc")}
        assert max(depths, key=lambda venue: depths[venue]) == "binance"


def test_a_dislocated_price_moves_one_route_only() -> None:
    pair = pair_of("ETH/USDT:USDT")
    run(pair, [4370.0] * 5, PairCondition(price_bps=-3500.0))
    image = pair.image(1)
    assert float(image.bids[0][0]) == pytest.approx(4370 * 0.65, rel=2e-3)


def test_a_frozen_pair_changes_nothing_and_trades_nothing() -> None:
    pair = pair_of()
    run(pair, walk(1, 5))
    image = pair.image(None)
    assert run(pair, walk(2, 40), PairCondition(frozen=True)) == []
    assert pair.image(None) == image


def test_trades_stand_at_the_touch_and_come_with_the_traffic() -> None:
    def count(traffic: float) -> int:
        pair, made = pair_of(), 0
        for n in range(400):
            now_ns = START_NS + n * 50_000_000
            beat = pair.step(121_600.0, PairCondition(traffic=traffic), now_ns, 0.05, now_ns)
            top = pair.image(1)
            for trade in beat.trades:
                assert trade.price == (top.asks[0][0] if trade.side == "buy" else top.bids[0][0])
                assert Decimal(trade.size) > 0
                assert now_ns - 50_000_000 <= trade.engine_ns <= now_ns
            made += len(beat.trades)
        return made

    calm, storm = count(1.0), count(5.0)
    assert 100 < calm < 300
    assert 4 < storm / calm < 6


def test_liquidations_come_on_perpetuals_in_a_storm() -> None:
    pair, seen = pair_of(), 0
    for n in range(400):
        now_ns = START_NS + n * 50_000_000
        seen += len(pair.step(121_600.0, PairCondition(liquidations=30.0), now_ns, 0.05, now_ns).liquidations)
    assert seen > 5


@given(st.integers(1, 10**7), st.integers(1, 500), st.sampled_from([-1, 1]))
def test_positions_lead_away_from_the_touch_without_repeating(best: int, grid: int, away: int) -> None:
    levels_at = list(positions(best, grid, away, best // 8))
    steps = [(b - a) * away for a, b in pairwise(levels_at)]
    assert levels_at[0] == best
    assert all(step > 0 for step in steps)
    assert steps[: FINE_LEVELS - 1] == [grid] * (FINE_LEVELS - 1)
    assert abs(levels_at[-1] - best) >= best // 8 - steps[-1]


@given(st.sampled_from(["0.1", "0.10", "1", "0.00001", "0.25", "5", "0.01000000"]), st.integers(0, 10**9))
def test_texts_are_exact_decimals_with_the_steps_decimals(step: str, count: int) -> None:
    text = DecimalStep(step).of(count)
    assert Decimal(text) == Decimal(step) * count
    assert len(text.partition(".")[2]) == len(step.partition(".")[2])


def test_padding_keeps_the_number() -> None:
    assert padded("0.01", 8) == "0.01000000"
    assert padded("1", 0) == "1"
    assert padded("0.00001", 2) == "0.00001"


def test_an_event_is_encoded_once_for_all_clients() -> None:
    made: list[int] = []
    once: EncodeOnce[str] = EncodeOnce()
    first, second = object(), object()

    def make() -> str:
        made.append(1)
        return "text"

    for event in (first, first, second, second):
        assert once.get("BTC", event, make) == "text"
    assert len(made) == 2


class ManualClock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.ns = START_NS

    def __call__(self) -> int:
        return self.ns


def market() -> tuple[Market, ManualClock]:
    manual = ManualClock()
    clock = Clock(manual, Timeline(Scenario(name="x", title="x", duration_s=60)))
    return Market([BinanceTwin()], clock, 1), manual


def btc(world: VenueWorld) -> SimInstrument:
    found = world.find("binance", "BTCUSDT", "linear")
    assert found is not None
    return found


def test_a_route_without_listeners_is_stepped_on_when_its_book_is_asked_for() -> None:
    made, manual = market()
    world = VenueWorld(made, "binance", by_feed=False)
    before = world.book(btc(world), 5)
    assert world.book(btc(world), 5) == before
    manual.ns += 30_000_000_000
    after = world.book(btc(world), 5)
    assert after.bids != before.bids
    assert world.now_ns() == manual.ns + 1_800_000


def test_what_sessions_see_is_what_the_feed_has_told() -> None:
    made, manual = market()
    engine, feed = VenueWorld(made, "binance", by_feed=False), VenueWorld(made, "binance", by_feed=True)
    told = feed.book(btc(feed))
    manual.ns += 5_000_000_000
    assert engine.book(btc(engine)).bids != told.bids
    assert feed.book(btc(feed)) == told
    pair = made.pair(btc(feed))
    change = pair.publish(manual.ns)
    assert change is not None
    pair.feed.apply(change)
    assert dict(feed.book(btc(feed)).bids) == dict(engine.book(btc(engine)).bids)


def test_unknown_names_are_unknown() -> None:
    made, _ = market()
    world = VenueWorld(made, "binance", by_feed=False)
    assert world.find("binance", "NOPEUSDT") is None
    assert world.find("binance", "USDEUSDT", "linear") is None
    assert {one.symbol for one in world.instruments("binance", "spot")} >= {"BTC/USDT", "USDE/USDT", "USDC/USDT"}


def test_pairs_in_dollars_follow_those_in_usdt_and_the_price_of_usdc() -> None:
    prices = Prices(5)
    prices.advance(30.0)
    for quote in ("USDC", "USD"):
        assert prices.mid(f"BTC/{quote}") == prices.mid("BTC/USDT") / prices.mid("USDC/USDT")
        assert asset_of("BTC", quote).pair == f"BTC/{quote}"
    for unknown in ("BTC/EUR", "PEPE/USDC", "PEPE/USDT"):
        with pytest.raises(KeyError):
            prices.mid(unknown)
        with pytest.raises(KeyError):
            asset_of(*unknown.split("/"))


def test_an_inverse_book_counts_dollars_and_is_as_deep_as_a_linear_one() -> None:
    prices = Prices(5)
    images = []
    either: tuple[tuple[Product, dict[str, str] | None], ...] = (("linear", None), ("inverse", {"BTC": "1"}))
    for product, lots in either:
        sizes = {"BTC": "100"} if lots else None
        one = listed("okx", product, venue_id="{}-{}".format, taker_fee="0", maker_fee="0", lots=lots,
                     contract_sizes=sizes, bases=("BTC",), quote="USD")[0]  # fmt: skip
        pair = SimPair(one, asset_of("BTC", "USD"), profile_of("okx", "linear"), 3, prices.mid("BTC/USD"))
        images.append((one, pair.image(None)))
    (linear, deep), (inverse, image) = images
    assert (linear.symbol, inverse.symbol) == ("BTC/USD:USD", "BTC/USD:BTC")
    assert not linear.inverse
    assert inverse.inverse
    dollars = sum(float(size) * 100 for price, size in image.bids if float(price) > 121_000)
    assert dollars == pytest.approx(sum(float(p) * float(s) for p, s in deep.bids if float(p) > 121_000), rel=0.3)
