"""The event log holds each event once, as text that is safe for a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.clock import SystemClock
from feeds.collector.event_log import MAX_TEXT, EventLog
from feeds.frame import EVENTS_KEPT
from feeds.model import Cause, Evidence, Reason, State, Verdict
from tests.feeds.loopback import FakeClock
from tests.feeds.spite import SPITE, faults_of

S = 1_000_000_000
REFUSED = "public socket refused: HTTP 403 (an HTML page); dialling again"


def verdict(state: State, cause: Cause | None = None, text: str = "") -> Verdict:
    reason = Reason(signal="x", evidence=Evidence.REST, value=1.0, since_ns=0, points=5, text=text)
    return Verdict(route="a.spot", state=state, cause=cause, score=0, since_ns=0, reasons=(reason,))


@given(text=st.one_of(st.text(), st.lists(st.sampled_from(SPITE)).map("".join)))
def test_text_from_the_network_cannot_steer_a_terminal(text: str) -> None:
    events = EventLog(FakeClock())
    events.log("status", "a.spot", text)
    assert faults_of(events.rows()[0].text, MAX_TEXT) == []


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


class Log:
    """An event log and its clock, moved by hand: what was said, and when, in seconds."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.events = EventLog(self.clock)
        self._start_ns = self.clock.mono_ns

    @property
    def now_s(self) -> int:
        return (self.clock.mono_ns - self._start_ns) // S

    def until(self, end_s: int, every_s: int = 0, code: str = "reconnect", text: str = REFUSED) -> None:
        """Each second a frame reads the rows; every ``every_s`` seconds the same event happens."""
        while self.now_s < end_s:
            if every_s and self.now_s % every_s == 0:
                self.events.log(code, "binance.linear", text)
            self.events.rows()
            self.clock.advance(1)

    def said(self) -> list[str]:
        return [row.text for row in self.events.rows()]


def test_a_socket_that_is_refused_for_ever_is_said_at_once_then_counted_with_growing_pauses() -> None:
    log = Log()
    log.until(3600, every_s=5)
    assert log.said() == [
        REFUSED,
        f"again, 2 times in 10 s: {REFUSED}",
        f"again, 12 times in 1 min: {REFUSED}",
        f"again, 120 times in 10 min: {REFUSED}",
        f"again, 360 times in 30 min: {REFUSED}",
    ]
    assert [row.seq for row in log.events.rows()] == [0, 1, 2, 3, 4]


def test_what_was_counted_is_said_also_when_it_does_not_happen_again() -> None:
    log = Log()
    log.until(4, every_s=1)
    log.until(30)
    assert log.said() == [REFUSED, f"again, 3 times in 10 s: {REFUSED}"]


def test_after_a_quiet_time_it_is_news_again() -> None:
    log = Log()
    log.until(100, every_s=5)
    log.until(100 + 700)
    told = len(log.said())
    log.events.log("reconnect", "binance.linear", REFUSED)
    assert log.said()[told:] == [REFUSED]


def test_numbers_that_are_different_each_time_are_no_other_event_but_another_status_is() -> None:
    log = Log()
    for wait_s, status in ((1, 403), (2.5, 403), (4, 403), (4, 429)):
        log.events.log("reconnect", "a.spot", f"public socket refused: HTTP {status}; dialling again in {wait_s} s")
    log.events.log("gap", "a.spot", "BTC/USDT: expected 7100021, got 7100025")
    log.events.log("gap", "a.spot", "BTC/USDT: expected 7100044, got 7100051")
    log.events.log("gap", "a.spot", "ETH/USDT: expected 7100044, got 7100051")
    assert log.said() == [
        "public socket refused: HTTP 403; dialling again in 1 s",
        "public socket refused: HTTP 429; dialling again in 4 s",
        "BTC/USDT: expected 7100021, got 7100025",
        "ETH/USDT: expected 7100044, got 7100051",
    ]


def test_changes_of_state_are_each_said() -> None:
    """A route that flaps every 20 seconds does so in the log too."""
    log = Log()
    log.until(200, every_s=20, code="state", text="ok -> suspect, feed: silent for 8 s")
    assert log.said() == ["ok -> suspect, feed: silent for 8 s"] * 10


def test_the_pauses_are_not_on_the_wall_clock() -> None:
    log = Log()
    log.until(8, every_s=4)
    log.clock.wall_ns -= 3600 * S
    log.until(12, every_s=4)
    assert len(log.said()) == 2


def test_endless_different_events_cost_bounded_memory() -> None:
    log = Log()
    for n in range(20 * EVENTS_KEPT):
        log.events.log("refused", "a.spot", f"word{n}x")
    assert len(log.events.rows()) == EVENTS_KEPT
    assert len(log.events._repeats) <= 4 * EVENTS_KEPT
