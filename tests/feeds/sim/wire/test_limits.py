"""How often a client may do something."""

from __future__ import annotations

from feeds.sim.wire.limits import FixedLimit, SlidingLimit

S = 1_000_000_000


def test_a_sliding_limit_counts_back_from_every_moment() -> None:
    limit = SlidingLimit(2, S)
    assert [limit.allows(now_ns) for now_ns in (0, S // 2, S - 1)] == [True, True, False]
    assert limit.allows(S)  # the first is a whole window old
    assert not limit.allows(S + 1)


def test_refused_ones_count_only_where_the_venue_counts_them() -> None:
    lenient, harsh = SlidingLimit(1, S), SlidingLimit(1, S, count_refused=True)
    for limit in (lenient, harsh):
        assert [limit.allows(now_ns) for now_ns in (0, S // 2)] == [True, False]
    assert lenient.allows(S)
    assert not harsh.allows(S)


def test_a_fixed_limit_begins_again_with_each_window_of_the_clock() -> None:
    limit = FixedLimit(1, S)
    assert [limit.allows(now_ns) for now_ns in (S - 2, S - 1, S)] == [True, False, True]
