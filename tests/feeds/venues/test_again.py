from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.venues.again import AskAgain

S = 1_000_000_000


def test_nothing_is_due_before_its_time_and_everything_once() -> None:
    again = AskAgain(wait_s=30, attempts=2)
    assert again.put("a", 0)
    assert again.put("b", 10 * S)
    assert (again.due_ns, again.take(29 * S)) == (30 * S, [])
    assert again.take(35 * S) == ["a"]
    assert again.due_ns == 40 * S
    assert again.take(40 * S) == ["b"]
    assert again.take(1_000 * S) == []


def test_attempts_are_counted_until_it_is_accepted() -> None:
    again = AskAgain(wait_s=30, attempts=2)
    assert [again.put("a", 0), again.put("a", 0), again.put("a", 0)] == [True, True, False]
    again.settled("a")
    assert again.take(1_000 * S) == []
    assert again.put("a", 0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "settled", "take"]), st.integers(0, 20))))
def test_due_is_never_later_than_what_waits(steps: list[tuple[str, str, int]]) -> None:
    again, now_ns, waiting = AskAgain(wait_s=5, attempts=3), 0, dict[str, int]()
    for key, step, seconds in steps:
        now_ns += seconds * S
        if step == "put" and again.put(key, now_ns):
            waiting[key] = now_ns + 5 * S
        elif step == "settled":
            again.settled(key)
            waiting.pop(key, None)
        elif step == "take":
            due = {k for k, at_ns in waiting.items() if at_ns <= now_ns}
            assert set(again.take(now_ns)) == due
            waiting = {k: at_ns for k, at_ns in waiting.items() if k not in due}
        assert not waiting or again.due_ns <= min(waiting.values())
