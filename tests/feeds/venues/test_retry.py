from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.venues.retry import RetrySchedule

S = 1_000_000_000


def test_nothing_is_due_before_its_time_and_everything_once() -> None:
    retries = RetrySchedule(wait_s=30, attempts=2)
    assert retries.schedule("a", 0)
    assert retries.schedule("b", 10 * S)
    assert (retries.due_ns, retries.take_due(29 * S)) == (30 * S, [])
    assert retries.take_due(35 * S) == ["a"]
    assert retries.due_ns == 40 * S
    assert retries.take_due(40 * S) == ["b"]
    assert retries.take_due(1_000 * S) == []


def test_attempts_are_counted_until_it_is_accepted() -> None:
    retries = RetrySchedule(wait_s=30, attempts=2)
    assert [retries.schedule("a", 0), retries.schedule("a", 0), retries.schedule("a", 0)] == [True, True, False]
    retries.accepted("a")
    assert retries.take_due(1_000 * S) == []
    assert retries.schedule("a", 0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["schedule", "accept", "take"]), st.integers(0, 20))))
def test_due_is_never_later_than_what_waits(steps: list[tuple[str, str, int]]) -> None:
    retries, now_ns, waiting = RetrySchedule(wait_s=5, attempts=3), 0, dict[str, int]()
    for key, step, seconds in steps:
        now_ns += seconds * S
        if step == "schedule" and retries.schedule(key, now_ns):
            waiting[key] = now_ns + 5 * S
        elif step == "accept":
            retries.accepted(key)
            waiting.pop(key, None)
        elif step == "take":
            due = {k for k, at_ns in waiting.items() if at_ns <= now_ns}
            assert set(retries.take_due(now_ns)) == due
            waiting = {k: at_ns for k, at_ns in waiting.items() if k not in due}
        assert not waiting or retries.due_ns <= min(waiting.values())
