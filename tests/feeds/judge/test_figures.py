"""Rolling figures, percentiles and baselines: what a frame shows of a route."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from feeds.judge.judge import Judge
from feeds.judge.rolling import Baseline, Window, ns
from feeds.model import Fault
from feeds.quantiles import median, percentile
from feeds.samples import BookSample, FeedSample, LinkSample, ProbeSample
from tests.feeds.judge.series import SECOND, START_NS, World, calm, play

ROUTE = "okx.linear"
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


def probe(t_s: float, total_ms: float, **more: object) -> ProbeSample:
    values = {"cold": False, "name": "time", "status": 200, **more}
    return ProbeSample(route=ROUTE, t_ns=START_NS + ns(t_s), total_ms=total_ms, **values)  # type: ignore[arg-type]  # fields by name


def feed(t_s: float, **more: object) -> FeedSample:
    values = {"interval_ms": 1_000.0, "messages": 20, "bursts": 20, **more}
    return FeedSample(route=ROUTE, t_ns=START_NS + ns(t_s), **values)  # type: ignore[arg-type]  # fields by name


@given(st.lists(NUMBERS, min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_grows_with_its_rank(values: list[float], q: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, q)
    assert found in ordered
    assert percentile(ordered, 0.0) == ordered[0]
    assert percentile(ordered, 1.0) == ordered[-1]
    assert found is not None and found <= ordered[-1]


def test_percentiles_by_nearest_rank() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert percentile(ordered, 0.5) == 50.0
    assert percentile(ordered, 0.99) == 99.0
    assert percentile([], 0.5) is None
    assert median([4.0, 1.0, 3.0, 2.0]) == 2.5


def test_a_window_forgets_and_stays_bounded() -> None:
    window = Window(10.0, limit=5)
    for n in range(100):
        window.add(n * SECOND, float(n))
    assert len(window.items) == 5
    window.trim(108 * SECOND)
    assert [v for _, v in window.items] == [99.0]
    assert window.since(98 * SECOND) == [99.0]


def test_a_baseline_waits_for_enough_and_is_not_moved_by_outliers() -> None:
    base = Baseline(600.0, 3.0, 6, 4 * 3600.0)
    for t in range(5):
        base.offer(t * SECOND, 20.0)
    assert base.value is None, "five values are no baseline"
    for t in range(5, 60):
        base.offer(t * SECOND, 20.0 if t % 7 else 900.0)
    assert base.value == 20.0
    assert base.mad == 0.0


def test_a_baseline_refuses_what_is_abnormal_until_it_is_the_new_normal() -> None:
    base = Baseline(600.0, 3.0, 6, 3_600.0)
    for t in range(60):
        base.offer(t * SECOND, 20.0)
    for t in range(60, 3_600):
        base.offer(t * SECOND, 500.0, abnormal=True)
    assert base.value == 20.0
    for t in range(3_600, 6_000):
        base.offer(t * SECOND, 500.0, abnormal=True)
    assert base.value == 500.0


@given(st.lists(st.tuples(NUMBERS, st.booleans()), max_size=400))
def test_a_baseline_is_the_median_of_what_it_keeps(offers: list[tuple[float, bool]]) -> None:
    base = Baseline(60.0, 1.0, 1, 1e6)
    for t, (value, abnormal) in enumerate(offers):
        base.offer(t * SECOND, value, abnormal)
    kept = [value for value, abnormal in offers if not abnormal][-60:]
    assert base.value == median(kept)


def test_figures_of_a_calm_route() -> None:
    judge = play(World(calm), 60).judge
    signals = judge.signals(ROUTE)
    assert signals.rest_p50_ms is not None and 50 < signals.rest_p50_ms < 72
    assert signals.rest_p99_ms is not None and signals.rest_p99_ms >= signals.rest_p50_ms
    assert signals.rest_lost_share == 0.0
    assert signals.error_share == 0.0
    assert signals.errors == ()
    assert signals.feed_age_p50_ms is not None and 50 < signals.feed_age_p50_ms < 60
    assert signals.feed_age_p99_ms is not None and signals.feed_age_p99_ms > 100
    assert signals.tcp_ms == 31.0
    assert signals.engine_lag_ms == 3.0
    assert signals.msgs_s is not None and 35 < signals.msgs_s < 45
    assert signals.baseline_rest_ms is not None and 50 < signals.baseline_rest_ms < 72
    assert signals.warm.first_byte_ms is not None and signals.warm.connect_ms is None
    assert signals.cold.connect_ms == 3.0
    assert signals.offset_ms is not None and abs(signals.offset_ms - 5.0) < 0.5
    symbol = signals.symbols["BTC/USDT"]
    assert symbol.normal_depth_bid is not None and 8e5 < symbol.normal_depth_bid < 1.2e6
    assert symbol.normal_spread_bps == 0.2
    assert symbol.gap is not None and symbol.gap.gap_bps is not None and abs(symbol.gap.gap_bps) < 1


def test_nothing_measured_is_none_and_never_zero() -> None:
    signals = Judge([ROUTE]).signals(ROUTE)
    for name in signals.__struct_fields__:
        assert getattr(signals, name) in (None, ROUTE, (), {}, signals.warm), name


def test_a_timeout_counts_at_the_timeout_and_as_lost() -> None:
    judge = Judge([ROUTE])
    for t in range(8):
        judge.observe(probe(t, 20.0))
    for t in range(8, 10):
        judge.observe(probe(t, 5_000.0, lost=True, failed_at="first_byte", status=None))
    signals = judge.signals(ROUTE)
    assert signals.rest_p50_ms == 20.0
    assert signals.rest_p99_ms == 5_000.0
    assert signals.rest_lost_share == 0.2


def test_our_own_lateness_is_not_the_venues() -> None:
    judge = Judge([ROUTE])
    for t in range(10):
        judge.observe(probe(t, 420.0, wait_ms=400.0))
    assert judge.signals(ROUTE).rest_p50_ms == 20.0


def test_a_fast_503_does_not_make_a_route_fast() -> None:
    judge = Judge([ROUTE])
    for t in range(10):
        shed = t % 2 == 1
        judge.observe(probe(t, 2.0, status=503, fault=Fault.OVERLOAD, text="overloaded") if shed else probe(t, 800.0))
    signals = judge.signals(ROUTE)
    assert signals.rest_p50_ms == 800.0
    assert signals.error_share == 0.5
    assert signals.errors == (("503 overloaded", 5),)


def test_errors_are_counted_by_what_they_say_most_frequent_first() -> None:
    judge = Judge([ROUTE])
    for t, text in enumerate(["busy", "x" * 500, "busy", "", "busy", "x" * 500]):
        judge.observe(probe(t, 5.0, status=500, fault=Fault.UNKNOWN, text=text))
    errors = judge.signals(ROUTE).errors
    assert errors[0] == ("500 busy", 3)
    assert errors[1][1] == 2 and len(errors[1][0]) == 80
    assert errors[2] == ("500 unknown", 1)


def test_the_window_is_thirty_seconds() -> None:
    judge = Judge([ROUTE])
    for t in range(10):
        judge.observe(probe(t, 900.0))
    for t in range(10, 45):
        judge.observe(probe(t, 20.0))
    signals = judge.signals(ROUTE)
    assert signals.rest_p99_ms == 20.0


def test_garbage_numbers_change_no_figure() -> None:
    judge = Judge([ROUTE])
    for t in range(12):
        judge.observe(probe(t, 20.0))
        judge.observe(feed(t + 0.1, age_p50_ms=10.0, age_max_ms=12.0))
    before = judge.signals(ROUTE)
    for bad in (math.nan, math.inf, -math.inf):
        judge.observe(probe(12, bad))
        judge.observe(feed(12.1, age_p50_ms=bad, age_max_ms=bad, engine_lag_ms=bad, silence_ms=bad))
        judge.observe(
            BookSample(
                route=ROUTE,
                symbol="BTC/USDT",
                t_ns=START_NS + ns(12.1),
                mid=bad,
                spread_bps=bad,
                depth_bid=bad,
                depth_ask=-1.0,
            )
        )
        judge.observe(
            LinkSample(route=ROUTE, t_ns=START_NS + ns(12.1), label="public", connected=True, ws_ms=bad, tcp_rtt_ms=bad)
        )
    judge.verdicts(START_NS + ns(13))
    after = judge.signals(ROUTE)
    assert after.rest_p50_ms == before.rest_p50_ms
    assert after.feed_age_p50_ms == before.feed_age_p50_ms == 10.0
    assert after.feed_age_p99_ms == 12.0
    assert after.tcp_ms is None and after.ws_p50_ms is None and after.engine_lag_ms is None
    assert after.symbols["BTC/USDT"].depth_bid is None and after.symbols["BTC/USDT"].spread_bps is None


def test_the_99th_percentile_of_ages_is_taken_over_bursts() -> None:
    judge = Judge([ROUTE])
    for t in range(30):
        # one burst in a hundred is late: its interval's maximum, and no other
        judge.observe(feed(t, bursts=100, age_p50_ms=10.0, age_max_ms=500.0 if t < 10 else 30.0))
    assert judge.signals(ROUTE).feed_age_p99_ms == 30.0
    late = Judge([ROUTE])
    for t in range(30):
        late.observe(feed(t, bursts=10, age_p50_ms=10.0, age_max_ms=500.0 if t < 10 else 30.0))
    assert late.signals(ROUTE).feed_age_p99_ms == 500.0


def test_websocket_figures() -> None:
    judge = Judge([ROUTE])
    for t in range(10):
        judge.observe(
            LinkSample(
                route=ROUTE,
                t_ns=START_NS + ns(t),
                label="public",
                connected=True,
                ws_ms=20.0 + t,
                tcp_rtt_ms=9.0,
            )
        )
    signals = judge.signals(ROUTE)
    assert signals.ws_p50_ms == 24.0 and signals.ws_p99_ms == 29.0
    assert signals.tcp_ms == 9.0
