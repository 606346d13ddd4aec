import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.clock import MS, SECOND, SystemClock
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.loop_lag import LoopLag
from feeds.quantiles import percentile
from tests.feeds.loopback import FakeClock

NOW = 1_700_000_000 * SECOND


@given(
    offset_ns=st.integers(-10 * SECOND, 10 * SECOND),
    there_ns=st.integers(0, SECOND),
    back_ns=st.integers(0, SECOND),
    resolution_ns=st.sampled_from([1, 1000, MS, SECOND]),
)
def test_the_true_offset_lies_within_the_error_however_lopsided_the_path(
    offset_ns: int, there_ns: int, back_ns: int, resolution_ns: int
) -> None:
    estimator = OffsetEstimator()
    stamped = (NOW + there_ns + offset_ns) // resolution_ns * resolution_ns
    estimator.add(sent_ns=NOW, rtt_ns=there_ns + back_ns, server_ns=stamped, now_mono_ns=0, resolution_ns=resolution_ns)
    assert estimator.offset_ms is not None and estimator.error_ms is not None
    assert abs(estimator.offset_ms - offset_ns / MS) <= estimator.error_ms + 1e-6


def test_nothing_is_known_before_the_first_exchange() -> None:
    estimator = OffsetEstimator()
    assert estimator.offset_ms is None and estimator.error_ms is None
    assert "unknown" in estimator.statement()


def test_the_shortest_round_trip_wins_and_ages_out() -> None:
    estimator = OffsetEstimator(max_age_s=10)
    estimator.add(sent_ns=NOW, rtt_ns=2 * MS, server_ns=NOW + 6 * MS, now_mono_ns=0, resolution_ns=0)
    estimator.add(sent_ns=NOW, rtt_ns=800 * MS, server_ns=NOW + 700 * MS, now_mono_ns=SECOND, resolution_ns=0)
    assert estimator.offset_ms == pytest.approx(5.0)
    assert estimator.error_ms == pytest.approx(1.0)
    estimator.add(sent_ns=NOW, rtt_ns=40 * MS, server_ns=NOW + 30 * MS, now_mono_ns=12 * SECOND, resolution_ns=0)
    assert estimator.offset_ms == pytest.approx(10.0)
    assert "±" in estimator.statement()


def test_the_window_is_bounded() -> None:
    estimator = OffsetEstimator(samples=4)
    estimator.add(sent_ns=NOW, rtt_ns=1, server_ns=NOW + SECOND, now_mono_ns=0, resolution_ns=0)
    for _ in range(4):
        estimator.add(sent_ns=NOW, rtt_ns=MS, server_ns=NOW, now_mono_ns=0, resolution_ns=0)
    assert estimator.offset_ms == pytest.approx(-0.5)


@pytest.mark.parametrize(("rtt_ns", "server_ns"), [(-1, NOW), (MS, 0), (MS, -5)])
def test_impossible_exchanges_are_refused(rtt_ns: int, server_ns: int) -> None:
    estimator = OffsetEstimator()
    assert estimator.add(sent_ns=NOW, rtt_ns=rtt_ns, server_ns=server_ns, now_mono_ns=0) is None
    assert estimator.offset_ms is None


def test_a_step_of_our_clock_moves_what_was_measured() -> None:
    estimator = OffsetEstimator()
    estimator.add(sent_ns=NOW, rtt_ns=0, server_ns=NOW + 3 * SECOND, now_mono_ns=0, resolution_ns=0)
    estimator.stepped(2 * SECOND)
    assert estimator.offset_ms == pytest.approx(1000.0)


def test_a_block_of_the_loop_counts_once_for_every_due_time() -> None:
    clock = FakeClock(mono_ns=0)
    lag = LoopLag(clock, interval_s=0.1, window_s=2.0)
    for n in range(10):
        lag.tick(n * 100 * MS)
    assert lag.read().max_ms == 0
    lag.tick(1950 * MS)  # due at 1000, 1100 ... 1900
    read = lag.read()
    assert read.samples == 20
    assert read.max_ms == pytest.approx(950.0)
    assert read.p50_ms == 0 and read.p99_ms == pytest.approx(950.0)
    lag.tick(2000 * MS)  # back on schedule
    assert lag.read().samples == 20


def test_a_very_long_block_stays_bounded() -> None:
    lag = LoopLag(FakeClock(mono_ns=0), interval_s=0.05, window_s=1.0)
    lag.tick(3600 * SECOND)
    assert lag.read().samples == 20
    assert lag.read().p50_ms == pytest.approx(500, abs=100)


async def test_loop_lag_sees_our_own_block() -> None:
    clock = SystemClock()
    lag = LoopLag(clock, interval_s=0.01)
    assert lag.read().p50_ms is None
    lag.start()
    await asyncio.sleep(0.02)
    until_ns = clock.monotonic_ns() + 60 * MS
    while clock.monotonic_ns() < until_ns:  # the block under test: no await in here
        pass
    await asyncio.sleep(0.02)
    lag.stop()
    read = lag.read()
    assert read.max_ms is not None and read.max_ms >= 45


def test_percentile_is_nearest_rank() -> None:
    assert percentile([], 0.5) is None
    assert percentile([1, 2, 3, 4], 0.5) == 2
    assert percentile([1, 2, 3, 4], 0.99) == 4
    assert percentile([7], 0.0) == 7


def test_a_fine_stamp_beats_a_quicker_exchange_with_a_coarse_one() -> None:
    """One venue's products may tell whole seconds and milliseconds; the estimator is theirs together."""
    estimator = OffsetEstimator()
    estimator.add(sent_ns=NOW, rtt_ns=20 * MS, server_ns=NOW + 12 * MS, now_mono_ns=0, resolution_ns=MS)
    estimator.add(sent_ns=NOW, rtt_ns=2 * MS, server_ns=NOW, now_mono_ns=1, resolution_ns=SECOND)
    assert estimator.offset_ms == pytest.approx(2.5)
    assert estimator.error_ms == pytest.approx(11.0)


def test_ages_are_ours_once_the_offset_is_known_well() -> None:
    estimator = OffsetEstimator()
    assert estimator.ages_ms([40 * MS]) == [], "unknown"
    second = {"server_ns": NOW + 300 * MS, "resolution_ns": SECOND}
    estimator.add(sent_ns=NOW, rtt_ns=20 * MS, now_mono_ns=0, **second)
    assert estimator.ages_ms([40 * MS]) == [], "a clock of whole seconds tells no age"
    estimator.add(sent_ns=NOW, rtt_ns=20 * MS, now_mono_ns=0, server_ns=NOW + 15 * MS, resolution_ns=0)
    assert estimator.ages_ms([40 * MS, 30 * MS]) == [35.0, 45.0], "the venue's clock is 5 ms ahead"
