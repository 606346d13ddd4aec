import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.transport.backoff import Backoff, retry_after_s
from feeds.transport.rate_limit import ConnectLimits, WindowLimit
from feeds.venues.base import RateLimit


def test_delays_grow_stay_capped_and_are_forgiven() -> None:
    backoff = Backoff(base_s=1.0, cap_s=8.0, rng=random.Random(1))
    delays = [backoff.delay_s() for _ in range(8)]
    for n, delay in enumerate(delays):
        full = min(8.0, 2.0**n)
        assert full / 2 <= delay <= full
    backoff.forgive()
    assert backoff.delay_s() <= 1.0


def test_delays_of_two_streams_differ() -> None:
    a, b = Backoff(rng=random.Random(1)), Backoff(rng=random.Random(2))
    assert a.delay_s() != b.delay_s()


def test_a_thousand_failures_are_survived() -> None:
    backoff = Backoff(cap_s=30.0)
    assert max(backoff.delay_s() for _ in range(2000)) <= 30.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("1e9", 900.0),
        ("86400", 900.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("9" * 100, None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:10:00 GMT", 0.0),
        ("Tue, 99 Nov 2023 22:14:20 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now_s=1_700_000_000) == seconds


@given(
    weights=st.lists(st.floats(0.1, 4.0), max_size=60),
    limit=st.floats(4.0, 10.0),
    window_s=st.floats(0.5, 20.0),
    pause_s=st.floats(0.0, 3.0),
)
def test_no_window_ever_holds_more_than_the_limit(
    weights: list[float], limit: float, window_s: float, pause_s: float
) -> None:
    allowed, now_s = WindowLimit(limit, window_s), 100.0
    taken: list[tuple[float, float]] = []
    for weight in weights:
        now_s += pause_s
        while (wait_s := allowed.wait_s(weight, now_s)) > 0:
            now_s += wait_s
        allowed.take(weight, now_s)
        taken.append((now_s, weight))
        within = sum(w for at_s, w in taken if now_s < at_s + window_s)
        assert within <= limit + 1e-6


def test_what_is_larger_than_the_limit_waits_for_an_empty_window() -> None:
    allowed = WindowLimit(2.0, 10.0)
    assert allowed.wait_s(50.0, 0.0) == 0
    allowed.take(50.0, 0.0)
    assert allowed.wait_s(1.0, 4.0) == pytest.approx(6.0)
    assert allowed.wait_s(1.0, 10.0) == 0
    assert allowed.spent(10.0) == 0


def test_connections_are_counted_by_host_and_only_our_share_is_used() -> None:
    limits = ConnectLimits(share=0.5)
    limit = RateLimit(4, 60.0)
    first = limits.of("wss://a.example:9443/x", limit)
    assert limits.of("wss://user@A.example:9443/y", limit) is first
    assert limits.of("wss://b.example/x", limit) is not first
    for _ in range(2):
        assert first.wait_s(1, 0.0) == 0
        first.take(1, 0.0)
    assert first.wait_s(1, 1.0) == pytest.approx(59.0)
