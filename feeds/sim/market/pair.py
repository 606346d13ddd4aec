"""One pair on one route: its book, its trades, and its book as the feed has delivered it."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log2
from random import Random

from msgspec import Struct

from feeds.sim.conditions import CALM_PAIR, PairCondition, depth_factor
from feeds.sim.market.ladder import Ladder
from feeds.sim.market.listing import Asset
from feeds.sim.market.profile import RouteProfile
from feeds.sim.twin import BookImage, Change, SimInstrument, SimLiquidation, SimMark, SimTrade, Top

FIRST_SEQ = 1_000
FUNDING_NS = 8 * 3_600 * 1_000_000_000
DEPTH_EXPONENT = 0.6
"""Depth within a distance grows with this power of the distance (assumed; 1 would be a flat book)."""
LIQUIDATIONS_PER_TRADE = 0.004
BASIS_SIGMA_BPS = 0.25
BASIS_HALF_LIFE_S = 20.0

EXPECTED_AGAIN = 0.005
"""Expected sizes are computed again when the price has moved by this share."""


class Step(Struct, frozen=True, kw_only=True):
    """What happened to a pair in one step."""

    top: Top | None = None
    trades: tuple[SimTrade, ...] = ()
    liquidations: tuple[SimLiquidation, ...] = ()


NOTHING = Step()


class FeedBook:
    """The book as the route's feed has delivered it so far. A snapshot on a websocket must show this book."""

    def __init__(self) -> None:
        self.seq = FIRST_SEQ
        self.engine_ns = 0
        self._bids: dict[str, str] = {}
        self._asks: dict[str, str] = {}

    def replace(self, image: BookImage) -> None:
        self.seq, self.engine_ns = image.seq, image.engine_ns
        self._bids, self._asks = dict(image.bids), dict(image.asks)

    def apply(self, change: Change) -> None:
        for side, levels in ((self._bids, change.bids), (self._asks, change.asks)):
            for price, size in levels:
                if size == "0":
                    side.pop(price, None)
                else:
                    side[price] = size
        self.seq, self.engine_ns = change.seq, change.engine_ns

    def image(self, levels: int | None) -> BookImage:
        bids = sorted(self._bids.items(), key=lambda level: -float(level[0]))[:levels]
        asks = sorted(self._asks.items(), key=lambda level: float(level[0]))[:levels]
        return BookImage(seq=self.seq, bids=tuple(bids), asks=tuple(asks), engine_ns=self.engine_ns)


class SimPair:
    """One instrument of one route, updated step by step. Times are on the venue's clock.

    Two pairs with the same seed, times, prices and conditions are always equal.
    """

    def __init__(self, instrument: SimInstrument, asset: Asset, profile: RouteProfile, seed: int, mid: float) -> None:
        self.instrument = instrument
        self.asset = asset
        self.profile = profile
        self.rng = Random(f"pair {seed} {instrument.route} {instrument.symbol}")
        self.condition = CALM_PAIR
        self.feed = FeedBook()
        self.seq = FIRST_SEQ
        self.changed_ns = 0
        self.mid = mid * (1.0 + profile.basis_bps / 1e4)
        fine_bps = max(0.1, asset.spread_bps * profile.spread * 0.5)
        self.ladder = Ladder(instrument, fine_bps, self.mid, self.rng)
        self._basis_bps = 0.0
        self._drawn_for: tuple[tuple[float, int], ...] | None = None
        self._expected_at = 1.0
        self._top: tuple[int, int, int, int] | None = None
        self._trade_id = self.rng.randrange(10**8, 10**9)
        self._lots_per_quote = 0.0
        self._last_trade: SimTrade | None = None
        self._churn_left = 0.0
        self._follow(mid, CALM_PAIR, 0.0)
        self.ladder.take_changes()
        self.feed.replace(self.image(None))

    def step(self, mid: float, condition: PairCondition, now_ns: int, dt_s: float, gateway_ns: int) -> Step:
        """One step of ``dt_s`` seconds to the market's ``mid``, made at ``now_ns`` and pushed at ``gateway_ns``."""
        self.condition = condition
        if condition.frozen:
            return NOTHING
        before = self.mid
        self._follow(mid, condition, dt_s)
        self.changed_ns = now_ns
        return Step(
            top=self._new_top(now_ns, gateway_ns),
            trades=self._trades(before, condition, now_ns, dt_s, gateway_ns),
            liquidations=self._liquidations(condition, now_ns, dt_s, gateway_ns),
        )

    def publish(self, gateway_ns: int, wrong_checksum: bool = False) -> Change | None:
        """All changes since the last call as one batch. None when the book has not changed."""
        bids, asks = self.ladder.take_changes()
        if not bids and not asks:
            return None
        self.seq += 1
        return Change(
            seq=self.seq,
            bids=bids,
            asks=asks,
            engine_ns=self.changed_ns,
            gateway_ns=gateway_ns,
            wrong_checksum=wrong_checksum,
        )

    def restart_feed(self) -> None:
        """Nobody listened for a while: the feed's book becomes the engine's, and the changes in between are not sent.
        Nobody listened for a while: the feed's book becomes the engine's, and the changes in between are not sent."""
        if self.ladder.touched_bids or self.ladder.touched_asks:
            self.ladder.take_changes()
            self.seq += 1
        self.feed.replace(self.image(None))

    def image(self, levels: int | None) -> BookImage:
        """The engine's book.

        It may already hold part of the next batch, which is harmless: batches set absolute sizes.
        """
        bids, asks = self.ladder.image(levels)
        return BookImage(seq=self.seq, bids=bids, asks=asks, engine_ns=self.changed_ns)

    def mark(self, index: float, now_ns: int) -> SimMark:
        next_funding_ns = (now_ns // FUNDING_NS + 1) * FUNDING_NS
        return SimMark(
            mark=self._text(self.mid),
            index=self._text(index),
            funding_rate="0.00010000",
            next_funding_ns=next_funding_ns,
            interval_h=8,
            gateway_ns=now_ns,
        )

    def last_trade(self, now_ns: int) -> SimTrade:
        if self._last_trade is None:
            price = self.ladder.best_bid()
            text = self._text(self.mid) if price is None else self.ladder.price.of(price)
            self._last_trade = self._trade(text, "buy", now_ns, now_ns)
        return self._last_trade

    def _follow(self, market_mid: float, condition: PairCondition, dt_s: float) -> None:
        decay = 0.5 ** (dt_s / BASIS_HALF_LIFE_S)
        self._basis_bps = self._basis_bps * decay + self.rng.gauss(0.0, BASIS_SIGMA_BPS) * (1.0 - decay * decay) ** 0.5
        offset_bps = self.profile.basis_bps + self._basis_bps + condition.price_bps
        # stablecoin prices of different routes agree more closely than coin prices
        scale = 1.0 if self.asset.beta else 0.2
        self.mid = mid = market_mid * (1.0 + (offset_bps if condition.price_bps else offset_bps * scale) / 1e4)
        half_spread_bps = min(
            (self.asset.spread_bps * self.profile.spread * condition.spread_factor + condition.spread_bps) / 2, 9_000.0
        )
        drawn_for = _signature(condition)
        redraw = drawn_for != self._drawn_for
        if redraw or abs(mid / self._expected_at - 1.0) > EXPECTED_AGAIN:
            self._drawn_for, self._expected_at = drawn_for, mid
            self.ladder.set_expected_sizes(mid, half_spread_bps, self._density(condition))
        self.ladder.move_to(mid, half_spread_bps, redraw)
        # ten times the trades do not mean ten times the quotes
        self._churn_left += self.asset.churn_s * self.profile.traffic * condition.traffic**0.5 * dt_s
        count = min(int(self._churn_left), 60)
        self._churn_left = min(self._churn_left - count, 1.0)
        self.ladder.churn(count)

    def _density(self, condition: PairCondition) -> Callable[[float], float]:
        """Lots per basis point at a distance in bp; the derivative of ``depth_usd * (distance / 100) ** 0.6``."""
        lot = self.ladder.size.step * float(self.instrument.contract_size)
        self._lots_per_quote = 1.0 / (lot if self.instrument.inverse else self.mid * lot)
        scale = DEPTH_EXPONENT * self.asset.depth_usd * self.profile.depth / 100.0 * self._lots_per_quote
        return lambda distance_bps: (
            scale
            * (max(distance_bps, 0.5) / 100.0) ** (DEPTH_EXPONENT - 1.0)
            * depth_factor(condition.depth, distance_bps)
        )

    def _new_top(self, now_ns: int, gateway_ns: int) -> Top | None:
        bid, ask = self.ladder.best_bid(), self.ladder.best_ask()
        if bid is None or ask is None:
            return None
        top = (bid, self.ladder.bids[bid], ask, self.ladder.asks[ask])
        if top == self._top:
            return None
        self._top = top
        return Top(
            seq=self.seq + 1,
            bid=self.ladder.level(top[0], top[1]),
            ask=self.ladder.level(top[2], top[3]),
            engine_ns=now_ns,
            gateway_ns=gateway_ns,
        )

    def _trades(
        self, before: float, condition: PairCondition, now_ns: int, dt_s: float, gateway_ns: int
    ) -> tuple[SimTrade, ...]:
        rate_s = self.asset.trades_s * self.profile.traffic * condition.traffic
        count = min(int(rate_s * dt_s + self.rng.random()), 50)
        bid, ask = self.ladder.best_bid(), self.ladder.best_ask()
        if not count or bid is None or ask is None:
            return ()
        rising = max(-0.4, min(0.4, (self.mid / before - 1.0) * 4e3))
        made = []
        for n in range(count):
            side = self.rng.random() < 0.5 + rising
            price = self.ladder.price.of(ask if side else bid)
            engine_ns = now_ns - int(dt_s * 1e9 * (count - n - 1) / count)
            made.append(self._trade(price, "buy" if side else "sell", engine_ns, gateway_ns))
        self._last_trade = made[-1]
        return tuple(made)

    def _trade(self, price: str, side: str, engine_ns: int, gateway_ns: int) -> SimTrade:
        self._trade_id += 1
        quote = 900.0 * exp(self.rng.gauss(0.0, 1.4))
        lots = max(1, int(quote * self._lots_per_quote))
        return SimTrade(
            price=price,
            size=self.ladder.size.of(lots),
            side="buy" if side == "buy" else "sell",
            trade_id=self._trade_id,
            engine_ns=engine_ns,
            gateway_ns=gateway_ns,
        )

    def _liquidations(
        self, condition: PairCondition, now_ns: int, dt_s: float, gateway_ns: int
    ) -> tuple[SimLiquidation, ...]:
        if self.instrument.product == "spot":
            return ()
        rate_s = self.asset.trades_s * self.profile.traffic * LIQUIDATIONS_PER_TRADE * condition.liquidations
        bid = self.ladder.best_bid()
        if bid is None or self.rng.random() >= rate_s * dt_s:
            return ()
        quote = 9_000.0 * exp(self.rng.gauss(0.0, 1.2))
        return (
            SimLiquidation(
                price=self.ladder.price.of(bid),
                size=self.ladder.size.of(max(1, int(quote * self._lots_per_quote))),
                side="sell" if self.rng.random() < 0.8 else "buy",
                engine_ns=now_ns,
                gateway_ns=gateway_ns,
            ),
        )

    def _text(self, price: float) -> str:
        return self.ladder.price.of(max(1, round(price / self.ladder.price.step)))


def _signature(condition: PairCondition) -> tuple[tuple[float, int], ...]:
    """Changes when depth or spread change by about a fifth.

    Then all levels get new sizes, as when a real book drains.
    """
    bands = tuple((band.within_bps, round(3 * log2(max(band.factor, 1e-6)))) for band in condition.depth)
    wide = condition.spread_factor + condition.spread_bps
    return (*bands, (0.0, round(3 * log2(max(wide, 1e-6)))))
