"""The event log holds each event once, as text that is safe for a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.clock import SystemClock
from feeds.collector.event_log import EventLog, clean
from feeds.model import Cause, Evidence, Reason, State, Verdict
from tests.feeds.loopback import FakeClock

S = 1_000_000_000


def verdict(state: State, cause: Cause | None = None, text: str = "") -> Verdict:
    reason = Reason(signal="x", evidence=Evidence.REST, value=1.0, since_ns=0, points=5, text=text)
    return Verdict(route="a.spot", state=state, cause=cause, score=0, since_ns=0, reasons=(reason,))


@given(st.text())
def test_text_from_the_network_cannot_steer_a_terminal(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= 300
    assert "\n" not in cleaned and "\x1b" not in cleaned and "\u202e" not in cleaned and "\x07" not in cleaned


def test_a_change_of_state_is_logged_with_its_grounds_and_level() -> None:
    events = EventLog(SystemClock())
    events.state_change(S, None, verdict(State.UNKNOWN, Cause.WARMING))
    events.state_change(2 * S, verdict(State.OK), verdict(State.SUSPECT, Cause.GATEWAY, "slow"))
    events.state_change(3 * S, verdict(State.SUSPECT, Cause.GATEWAY), verdict(State.DOWN, Cause.ENGINE, "silent"))
    events.state_change(4 * S, verdict(State.DOWN, Cause.ENGINE), verdict(State.DOWN, Cause.ENGINE, "still"))
    events.state_change(5 * S, verdict(State.DOWN, Cause.ENGINE), verdict(State.OK))
    logged = [(r.level, r.text) for r in events.rows()]
    assert logged == [
        ("warning", "ok -> suspect, gateway: slow"),
        ("alarm", "suspect -> down, engine: silent"),
        ("info", "down -> ok: "[:-2]),
    ]


def test_the_same_words_are_not_repeated_at_once_but_are_later() -> None:
    clock = FakeClock(wall_ns=0)
    events = EventLog(clock)
    for wait_s in (0, 1, 8, 2):
        clock.advance(wait_s)
        events.add(clock.time_ns(), "info", "gap", "a.spot", "sequence gap")
    assert [r.t_ns // S for r in events.rows()] == [0, 11]
    assert [r.seq for r in events.rows()] == [0, 1]


def test_a_clock_that_is_set_back_swallows_no_event() -> None:
    clock = FakeClock()
    events = EventLog(clock)
    events.add(clock.time_ns(), "info", "gap", "a.spot", "sequence gap")
    clock.advance(60)
    clock.wall_ns -= 3_600 * S
    events.add(clock.time_ns(), "info", "gap", "a.spot", "sequence gap")
    assert len(events.rows()) == 2
