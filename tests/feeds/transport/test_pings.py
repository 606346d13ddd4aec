import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.clock import MS, SECOND
from feeds.transport.pings import Pings


def test_an_answer_gives_the_round_trip_once() -> None:
    pings = Pings()
    assert pings.ok is None
    token = pings.send(0)
    assert pings.answer(token, 25 * MS) == pytest.approx(25.0)
    assert pings.ok is True
    assert pings.answer(token, 30 * MS) is None, "a second pong answers nothing"
    assert pings.answer(99, 30 * MS) is None, "nor does one to a ping never sent"


def test_without_an_echo_the_oldest_is_meant() -> None:
    pings = Pings()
    pings.send(0)
    pings.send(5 * MS)
    assert pings.answer(None, 10 * MS) == pytest.approx(10.0)
    assert pings.answer(None, 10 * MS) == pytest.approx(5.0)
    assert pings.answer(None, 10 * MS) is None


def test_a_lost_pong_counts_and_its_late_arrival_is_no_sample() -> None:
    pings = Pings(timeout_s=1.0)
    token = pings.send(0)
    pings.expire(SECOND)
    assert pings.lost == 0
    assert pings.answer(token, SECOND + 1) is None
    assert pings.lost == 1 and pings.ok is False


def test_answering_only_the_newest_is_legal() -> None:
    pings = Pings(timeout_s=1.0)
    pings.send(0)
    newest = pings.send(100 * MS)
    assert pings.answer(newest, 150 * MS) == pytest.approx(50.0)
    pings.expire(5 * SECOND)
    assert pings.lost == 0


@given(st.lists(st.sampled_from(["send", "answer", "oldest", "wait"]), max_size=200))
def test_outstanding_pings_are_bounded_and_round_trips_never_negative(steps: list[str]) -> None:
    pings, now, token = Pings(timeout_s=1.0, max_outstanding=4), 0, 0
    for step in steps:
        now += 50 * MS
        match step:
            case "send":
                token = pings.send(now)
            case "wait":
                now += SECOND
            case _:
                rtt_ms = pings.answer(token if step == "answer" else None, now)
                assert rtt_ms is None or 0 <= rtt_ms <= 1000
        assert len(pings._sent) <= 4
