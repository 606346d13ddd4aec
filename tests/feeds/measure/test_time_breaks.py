"""Our clock was set, or we slept: noticed by comparing the machine's clocks."""

from __future__ import annotations

import pytest

from feeds.books.route_books import RouteBooks
from feeds.clock import MS, SECOND
from feeds.collector.own_machine import OwnMachine, break_words
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.feed_samples import FeedSampler
from feeds.measure.time_breaks import TimeBreak, TimeBreaks, suspended_clock
from tests.feeds.loopback import FakeClock


class Machine(FakeClock):
    """A clock that can be set, and a machine that can sleep."""

    suspended_ns = 0

    def suspended(self) -> int:
        return self.suspended_ns

    def set_by(self, seconds: float) -> None:
        self.wall_ns += int(seconds * SECOND)

    def suspend(self, seconds: float) -> None:
        """The monotonic clock stands still."""
        self.wall_ns += int(seconds * SECOND)
        self.suspended_ns += int(seconds * SECOND)


@pytest.mark.parametrize("step_s", [30.0, -30.0, 3_600.0, -3_600.0, 0.25])
def test_a_clock_that_was_set_is_told_once(step_s: float) -> None:
    machine = Machine()
    breaks = TimeBreaks(machine, machine.suspended)
    machine.advance(1)
    assert breaks.look() is None
    machine.set_by(step_s)
    found = breaks.look()
    assert found == TimeBreak(step_ns=int(step_s * SECOND)) and found.serious
    assert breaks.look() is None


def test_a_sleep_is_no_step_whether_the_monotonic_clock_ran_on_or_not() -> None:
    machine = Machine()
    breaks = TimeBreaks(machine, machine.suspended)
    machine.suspend(300)
    assert breaks.look() == TimeBreak(slept_ns=300 * SECOND)
    machine.advance(300)  # stopped by a signal, or a system whose monotonic clock runs on
    assert breaks.look() == TimeBreak(slept_ns=300 * SECOND)
    machine.suspend(300)
    machine.set_by(-30)
    assert breaks.look() == TimeBreak(step_ns=-30 * SECOND, slept_ns=300 * SECOND)
    assert breaks.look() is None
    assert breaks.stood_ns == 600 * SECOND, "in the first and the last of them it stood still"


def test_a_slow_correction_adds_up_and_is_not_serious() -> None:
    machine = Machine()
    breaks = TimeBreaks(machine)
    steps = []
    for _ in range(10):
        machine.advance(1)
        machine.wall_ns += MS // 2
        if (found := breaks.look()) is not None:
            assert not found.serious
            steps.append(found.step_ns)
    assert sum(steps) == 5 * MS and len(steps) == 5


def test_this_machine_has_not_slept_while_this_was_read() -> None:
    clock = suspended_clock()
    assert clock is None or abs(clock() - clock()) < SECOND


def known(offset: OffsetEstimator, machine: Machine) -> None:
    offset.add(
        sent_ns=machine.wall_ns - 10 * MS,
        rtt_ns=10 * MS,
        server_ns=machine.wall_ns,
        now_mono_ns=machine.mono_ns,
        sent_mono_ns=machine.mono_ns - 10 * MS,
    )


def test_an_exchange_across_a_step_is_refused_and_so_is_what_was_known() -> None:
    machine, offset = Machine(), OffsetEstimator()
    own = OwnMachine(machine, {"okx.spot": offset}, machine.suspended)
    known(offset, machine)
    assert offset.offset_ms == pytest.approx(5.0, abs=1.0)
    sent_ns, sent_mono_ns = machine.wall_ns, machine.mono_ns
    machine.set_by(3_600)
    machine.advance(0.1)
    found = own.look()
    assert found is not None and found.clock_step_ms == 3_600_000.0
    assert break_words(found) == "our clock was set forward by 3\u2009600 s: ages are measured anew"
    assert offset.offset_ms is None, "with the clock of before"
    exchange = {"sent_ns": sent_ns, "rtt_ns": 100 * MS, "server_ns": sent_ns + 50 * MS}
    assert offset.add(**exchange, now_mono_ns=machine.mono_ns, sent_mono_ns=sent_mono_ns) is None
    assert offset.add(**exchange, now_mono_ns=machine.mono_ns) is None, "nor where it is only known about when"
    machine.advance(1)
    known(offset, machine)
    assert offset.offset_ms == pytest.approx(5.0, abs=1.0)


def test_after_a_suspend_offsets_are_not_moved_by_the_sleep() -> None:
    """They were: by five minutes, and ages with them."""
    machine, offset = Machine(), OffsetEstimator()
    own = OwnMachine(machine, {"okx.spot": offset}, machine.suspended)
    known(offset, machine)
    machine.suspend(300)
    found = own.look()
    assert found is not None and (found.slept_ms, found.clock_step_ms) == (300_000.0, 0.0)
    assert break_words(found) == "we slept for 5 min: nothing was measured"
    assert offset.offset_ms is None
    machine.advance(1)
    known(offset, machine)
    assert offset.offset_ms == pytest.approx(5.0, abs=1.0)


class Books:
    """As much of a route's books as a sampler asks for."""

    def __init__(self) -> None:
        self.ages_ns: list[int] = []
        self.book_updates = self.trades = 0
        self.bursts = self

    def take(self) -> tuple[int, list[int], list[int]]:
        taken, self.ages_ns = self.ages_ns, []
        return len(taken), taken, []


@pytest.mark.parametrize("step_s", [30.0, -30.0, 3_600.0, -3_600.0])
def test_ages_across_a_step_are_not_kept(step_s: float) -> None:
    machine, offset, books = Machine(), OffsetEstimator(), Books()
    sampler = FeedSampler("okx.spot", books, offset)  # type: ignore[arg-type]  # all that it asks of RouteBooks

    def sample() -> float | None:
        known(offset, machine)
        books.ages_ns.append(20 * MS)
        machine.advance(1)
        return sampler.sample(machine.wall_ns, machine.mono_ns, 1_000.0, 1).age_p50_ms

    assert sample() == pytest.approx(25.0, abs=1.0)
    machine.set_by(step_s)
    assert sample() is None
    assert sample() == pytest.approx(25.0, abs=1.0)


def test_real_books_fit_the_stand_in() -> None:
    assert {"book_updates", "trades", "bursts"} <= set(RouteBooks.__init__.__code__.co_names)
