import asyncio
from collections.abc import Mapping, Sequence

import pytest

from feeds.clock import SECOND
from feeds.model import Channel, Event
from feeds.transport.connection import Connection, StreamTiming
from feeds.transport.stream_stats import StreamStats
from feeds.venues.base import Payload, ProductFacts, RateLimit, Subscription
from tests.feeds.loopback import FakeClock, FakeSession, facts


class FakeTransport:
    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def get_extra_info(self, name: str) -> None:
        return None


class FakeSocket:
    """Keeps what is sent, with the time."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock, self.transport, self.muted = clock, FakeTransport(), False
        self.sent: list[tuple[float, Payload]] = []
        self.pings: list[tuple[float, bytes]] = []

    def mute(self) -> None:
        self.muted = True

    def send_now(self, payload: Payload) -> bool:
        self.sent.append((self._clock.mono_ns / 1e9, payload))
        return True

    def ping_now(self, payload: bytes) -> bool:
        self.pings.append((self._clock.mono_ns / 1e9, payload))
        return True


class Rig:
    """A connection with a clock moved by hand; nothing of it waits."""

    def __init__(
        self, spot: ProductFacts, subscriptions: Sequence[Subscription] = (), timing: StreamTiming | None = None
    ) -> None:
        self.clock = FakeClock(mono_ns=0)
        self.stats, self.socket = StreamStats(), FakeSocket(self.clock)
        self.told: list[tuple[Sequence[Event], int, int]] = []
        self.connection = Connection(
            FakeSession(),
            spot,
            subscriptions or (Subscription(Channel.TRADES, "A"),),
            self.clock,
            timing or StreamTiming(),
            self.stats,
            lambda *told: self.told.append(told),
        )
        self.connection.opened(self.socket)  # type: ignore[arg-type] # a fake with the methods that are used

    def hear(self, *messages: bytes) -> None:
        self.connection.burst_begins()
        for raw in messages:
            self.connection.message(raw, False)
        self.connection.burst_ends(sum(map(len, messages)))

    def run(self, seconds: float, hear: Mapping[float, bytes] | None = None) -> None:
        """Tick as a timer would: whenever the connection wants it."""
        end_ns = self.clock.mono_ns + int(seconds * SECOND)
        while self.clock.mono_ns < end_ns:
            due_ns = min(self.connection.tick(self.clock.mono_ns), end_ns)
            self.clock.advance(max(1_000, due_ns - self.clock.mono_ns) / SECOND)


async def test_own_lag_is_ours_and_per_burst() -> None:
    rig = Rig(facts())

    def slow(events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        rig.told.append((events, wall_ns, mono_ns))
        rig.clock.advance(0.010)

    rig.connection.emit = slow
    rig.hear(b"trade A 1", b"trade A 2", b"trade A 3")
    assert rig.stats.take_own_lag_ns() == [30_000_000]
    first, second, third = (times for _, *times in rig.told)
    assert first == second == third, "one burst became readable at one moment"


async def test_times_within_a_burst_ignore_a_step_of_the_wall_clock() -> None:
    rig = Rig(facts())
    rig.connection.burst_begins()
    rig.connection.message(b"trade A 1", False)
    rig.clock.wall_ns += 3600 * SECOND
    rig.connection.message(b"trade A 2", False)
    rig.connection.burst_ends(2)
    assert rig.told[0][1:] == rig.told[1][1:]


async def test_pings_go_out_at_their_interval_with_distinct_tokens() -> None:
    rig = Rig(facts(ws_ping_s=10.0, app_ping_s=20.0, idle_cut_s=1000.0))
    rig.run(61)
    assert [round(t) for t, _ in rig.socket.pings] == [1, 11, 21, 31, 41, 51, 61][: len(rig.socket.pings)]
    assert len({p for _, p in rig.socket.pings}) == len(rig.socket.pings) >= 6
    assert [p for t, p in rig.socket.sent] == ["subscribe", "ping 1", "ping 2", "ping 3"]


async def test_a_ping_that_comes_back_after_the_timeout_is_lost() -> None:
    rig = Rig(facts(ws_ping_s=10.0, idle_cut_s=1000.0), timing=StreamTiming(pong_timeout_s=5.0))
    rig.run(2)
    assert rig.connection.keepalive_ok is None
    rig.run(6)
    assert rig.stats.pongs_lost == 1 and rig.connection.keepalive_ok is False
    rig.connection.burst_begins()
    rig.connection.pong(rig.socket.pings[0][1])
    rig.connection.burst_ends(10)
    assert not rig.stats.ws_ms
    rig.run(4)
    rig.clock.advance(0.030)
    rig.connection.burst_begins()
    rig.connection.pong(b"short")
    rig.connection.pong(rig.socket.pings[1][1])
    rig.connection.burst_ends(10)
    assert len(rig.stats.ws_ms) == 1 and rig.connection.keepalive_ok is True


async def test_a_pong_that_tells_the_venues_time_compares_clocks() -> None:
    rig = Rig(facts(app_ping_s=20.0, idle_cut_s=1000.0))
    rig.run(10.5)
    rig.clock.advance(0.030)
    waited_s = rig.clock.mono_ns / SECOND - next(t for t, payload in rig.socket.sent if payload == "ping 1")
    rig.hear(b"pong 1 1790000000000000000")
    [(sent_ns, rtt_ns, server_ns)] = rig.stats.take_clocks()
    assert server_ns == 1_790_000_000_000_000_000
    assert rtt_ns == pytest.approx(waited_s * SECOND)
    assert sent_ns == rig.clock.time_ns() - rtt_ns
    rig.hear(b"pong 1 1790000000000000000")  # once more: it answers nothing that we wait for
    assert rig.stats.take_clocks() == []


@pytest.mark.parametrize(("idle_cut_s", "dead_after_s"), [(20.0, 20.0), (None, 60.0)])
async def test_idle_is_counted_from_the_last_byte(idle_cut_s: float | None, dead_after_s: float) -> None:
    rig = Rig(facts(idle_cut_s=idle_cut_s))
    rig.run(dead_after_s - 2)
    rig.hear(b"trade A 1")
    rig.run(dead_after_s - 2)
    assert not rig.socket.transport.aborted
    rig.run(4)
    assert rig.socket.transport.aborted and f"{dead_after_s:g} s" in rig.connection.dead_text


async def test_sending_keeps_to_the_limit_and_pings_count_where_windows_are_short() -> None:
    rig = Rig(facts(sends=RateLimit(3, 1.0), ws_ping_s=1.0, idle_cut_s=1000.0))
    for symbol in "ABCDEFGH":
        rig.connection.resubscribe(Channel.BOOK, symbol)
    rig.run(10)
    times = sorted(t for t, _ in rig.socket.sent + rig.socket.pings)
    for at_s in times:
        # A ping is never held back, hence the one more.
        assert sum(1 for t in times if at_s <= t < at_s + 0.999) <= 4
    assert len(rig.socket.sent) == 9


async def test_the_outbox_is_bounded() -> None:
    rig = Rig(facts(sends=RateLimit(1, 1000.0)))
    for _ in range(5000):
        rig.connection.resubscribe(Channel.BOOK, "A")
    assert len(rig.connection._outbox) <= 1024


@pytest.mark.parametrize("within", ["600", "0", "-5", "nan", "inf", "1e300"])
async def test_an_announced_end_makes_it_time_for_a_successor(within: str) -> None:
    rig = Rig(facts(idle_cut_s=1e9))
    rig.run(60)
    rig.hear(f"leave {within}".encode())
    assert rig.connection.by_appointment
    rig.run(2.1)
    assert rig.connection.cut.done(), "soon, whatever the notice says"


@pytest.mark.parametrize("within", ["600", "0", "-5", "nan", "inf", "1e300"])
async def test_a_notice_repeated_to_a_newcomer_does_not_drive_it_away_at_once(within: str) -> None:
    rig = Rig(facts(idle_cut_s=1e9))
    rig.hear(f"leave {within}".encode())
    assert rig.connection.cut_ns is not None
    left_s = (rig.connection.cut_ns - rig.clock.mono_ns) / SECOND
    allowed_s = min(float(within) if float(within) > 0 else 0.0, 86_400)
    assert max(0.1 * allowed_s, 5) <= left_s <= max(0.5 * allowed_s, 10)


async def test_a_bug_in_the_timer_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(facts())

    def broken(now_ns: int) -> int:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(rig.connection, "tick", broken)
    rig.connection._tick()
    assert rig.stats.handler_errors == 1 and rig.connection._timer is not None
    rig.connection.ended()


async def test_a_retired_connection_says_nothing_more() -> None:
    rig = Rig(facts())
    rig.connection.mute()
    rig.hear(b"trade A 1")
    assert rig.told == [] and rig.stats.messages == 0 and rig.socket.muted
    assert rig.connection._timer is None


async def test_an_end_is_told_once() -> None:
    rig = Rig(facts())
    rig.connection.ended()
    rig.connection.ended()
    assert rig.connection.lost.done()
    await asyncio.sleep(0)
    rig.connection._tick()
    assert rig.connection._timer is None, "no timer outlives its connection"
