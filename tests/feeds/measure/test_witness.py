import asyncio
import socket

import pytest

from feeds.clock import SystemClock
from feeds.measure.witness import DEFAULT_TARGETS, Target, Witness, parse_target
from feeds.samples import WitnessSample
from tests.feeds.loopback import Samples, serving


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    heard.append(await reader.read())


heard: list[bytes] = []


async def watched(targets: list[Target], count: int, timeout_s: float = 0.2) -> list[WitnessSample]:
    samples: Samples[WitnessSample] = Samples()
    witness = Witness(samples.append, SystemClock(), targets=targets, every_s=0.05, timeout_s=timeout_s)
    task = asyncio.create_task(witness.run())
    await samples.until(count)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return samples


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


async def test_a_handshake_is_timed_and_nothing_is_sent() -> None:
    heard.clear()
    async with serving(silent) as served:
        samples = await watched([Target("127.0.0.1", (served.port,))], 3)
    assert all(s.ok and s.ms is not None and 0 < s.ms < 1000 for s in samples)
    assert samples[0].target == f"127.0.0.1:{served.port}"
    assert heard and set(heard) == {b""}


async def test_a_refusal_is_no_witness() -> None:
    samples = await watched([Target("127.0.0.1", (closed_port(),))], 2)
    assert all(not s.ok and s.ms is None for s in samples)


async def test_the_second_port_is_tried_within_the_same_sample_and_remembered() -> None:
    async with serving(silent) as served:
        samples = await watched([Target("127.0.0.1", (closed_port(), served.port))], 3)
        assert all(s.ok for s in samples)


async def test_a_silent_first_port_leaves_time_for_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    async def handshake(self: Witness, host: str, port: int) -> int:
        tried.append(port)
        await asyncio.sleep(60 if port == 443 else 0.005)
        return 5_000_000

    monkeypatch.setattr(Witness, "_handshake", handshake)
    samples = await watched([Target("10.0.0.1")], 2, timeout_s=0.1)
    assert [s.ms for s in samples] == [5.0, 5.0]
    assert tried == [443, 53, 53], "the port that answered goes first from then on"


async def test_targets_do_not_wait_for_each_other() -> None:
    async with serving(silent) as served:
        both = [Target("127.0.0.1", (closed_port(),)), Target("127.0.0.1", (served.port,))]
        samples = await watched(both, 6)
    assert {s.ok for s in samples} == {True, False}


def test_the_default_targets_are_two_operators() -> None:
    assert [str(t) for t in DEFAULT_TARGETS] == ["1.1.1.1:443", "8.8.8.8:443"]
    assert all(t.ports == (443, 53) for t in DEFAULT_TARGETS)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("1.1.1.1", Target("1.1.1.1")),
        ("1.1.1.1:853", Target("1.1.1.1", (853,))),
        ("[2606:4700::1111]:443", Target("2606:4700::1111", (443,))),
        ("2606:4700::1111", Target("2606:4700::1111")),
        (" host.example ", Target("host.example")),
    ],
)
def test_targets_are_read(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["", ":443", "host:0", "host:70000", "host:x", "a b:1", "[::1"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_target(text)


def test_a_v6_target_is_shown_with_brackets() -> None:
    assert str(Target("::1", (53,))) == "[::1]:53"
