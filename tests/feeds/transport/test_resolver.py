"""Names to addresses: once for all, kept for a while, and never waited for longer than the caller wants to."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from feeds.transport import resolver
from feeds.transport.resolver import Address, ResolveError, Resolver

PORT = 443


def answer(ip: str) -> list[Address]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0))]


class Names:
    """A lookup under test: what it answers, how often it was asked, and whether it hangs."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, list[Address] | OSError] = {}
        self.hang = threading.Event()
        self.hang.set()  # set: answers at once

    def __call__(self, host: str) -> list[Address]:
        self.asked.append(host)
        self.hang.wait(60)
        found = self.answers.get(host, answer("192.0.2.1"))
        if isinstance(found, OSError):
            raise found
        return found


@pytest.fixture
def names() -> Iterator[Names]:
    names = Names()
    yield names
    names.hang.set()


class Now:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


async def test_those_who_ask_at_the_same_time_share_one_lookup_and_its_answer_is_kept(names: Names) -> None:
    now = Now()
    found = Resolver(names, now_s=now)
    both = await asyncio.gather(found.resolve("a.example", 443), found.resolve("a.example", 8443))
    assert [r.addresses[0][4] for r in both] == [("192.0.2.1", 443), ("192.0.2.1", 8443)]
    now.s += resolver.LIFE_S - 1
    await found.resolve("a.example", PORT)
    assert names.asked == ["a.example"]
    now.s += 2
    await found.resolve("a.example", PORT)
    assert names.asked == ["a.example"] * 2


async def test_a_fresh_lookup_is_measured_anew(names: Names) -> None:
    found = Resolver(names)
    await found.resolve("a.example", PORT)
    names.answers["a.example"] = answer("192.0.2.2")
    assert (await found.resolve("a.example", PORT, fresh=True)).addresses[0][4] == ("192.0.2.2", PORT)
    assert len(names.asked) == 2


async def test_an_address_needs_no_lookup(names: Names) -> None:
    found = Resolver(names)
    assert (await found.resolve("127.0.0.1", PORT, fresh=True)).addresses[0][4] == ("127.0.0.1", PORT)
    if socket.has_ipv6:
        assert (await found.resolve("::1", PORT)).addresses[0][4][:2] == ("::1", PORT)
    assert names.asked == []


async def test_a_failure_is_kept_for_a_few_seconds_only(names: Names) -> None:
    now = Now()
    found = Resolver(names, now_s=now)
    names.answers["a.example"] = socket.gaierror(socket.EAI_AGAIN, "temporary failure")
    for _ in range(2):
        with pytest.raises(ResolveError, match=r"a\.example does not resolve here: temporary failure"):
            await found.resolve("a.example", PORT)
    assert len(names.asked) == 1 and found.trouble("a.example") == "temporary failure"
    del names.answers["a.example"]
    now.s += resolver.FAILED_LIFE_S + 0.1
    assert not (await found.resolve("a.example", PORT)).old
    assert found.trouble("a.example") == ""


async def test_while_lookups_fail_the_last_good_addresses_are_used_and_it_is_said(names: Names) -> None:
    now = Now()
    found = Resolver(names, now_s=now)
    await found.resolve("a.example", PORT)
    names.answers["a.example"] = socket.gaierror(socket.EAI_AGAIN, "temporary failure")
    now.s += 100 * resolver.LIFE_S
    kept = await found.resolve("a.example", PORT)
    assert kept.old and kept.addresses[0][4] == ("192.0.2.1", PORT)
    assert found.trouble("a.example") == "temporary failure"
    with pytest.raises(ResolveError):  # a measurement of the lookup is no place for old addresses
        await found.resolve("a.example", PORT, fresh=True)


async def test_while_a_lookup_hangs_the_last_good_addresses_are_used(names: Names) -> None:
    now = Now()
    found = Resolver(names, now_s=now, slow_s=0.05)
    await found.resolve("a.example", PORT)
    names.hang.clear()
    now.s += 2 * resolver.LIFE_S
    kept = await asyncio.wait_for(found.resolve("a.example", PORT), 2)
    assert kept.old and found.trouble("a.example") == "the lookup takes too long"


async def test_a_caller_that_gives_up_is_free_at_once_and_the_others_still_get_the_answer(names: Names) -> None:
    found = Resolver(names)
    names.hang.clear()
    patient = asyncio.create_task(found.resolve("a.example", PORT))
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await found.resolve("a.example", PORT)
    assert time.monotonic() - began < 1
    names.hang.set()
    assert (await asyncio.wait_for(patient, 5)).addresses and len(names.asked) == 1


async def test_dead_names_take_nothing_from_others_and_threads_are_bounded(names: Names) -> None:
    def lookup(host: str) -> list[Address]:
        return names(host) if host.startswith("dead") else answer("192.0.2.9")

    found = Resolver(lookup, threads=4)
    names.hang.clear()
    before = threading.active_count()
    dead = [asyncio.create_task(found.resolve(f"dead{n}.example", PORT)) for n in range(3)]
    await asyncio.sleep(0.05)
    good = await asyncio.wait_for(asyncio.gather(*(found.resolve(f"good{n}.example", PORT) for n in range(20))), 5)
    assert len(good) == 20
    more = [asyncio.create_task(found.resolve(f"dead{n}.example", PORT)) for n in range(3, 10)]
    await asyncio.sleep(0.05)
    assert threading.active_count() - before <= 4
    names.hang.set()
    await asyncio.wait_for(asyncio.gather(*dead, *more), 5)


@pytest.mark.parametrize("name", ["x" * 300, "a" * 70 + ".example", "nul\0.example", "\udcff", ""])
async def test_what_is_no_name_is_an_error_like_any_other(name: str) -> None:
    with pytest.raises(OSError):
        await asyncio.wait_for(Resolver().resolve(name, PORT), 10)


async def test_names_are_kept_in_bounded_number(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MOST_NAMES", 10)
    found = Resolver(names)
    for n in range(50):
        await found.resolve(f"n{n}.example", PORT)
    assert len(found._names) <= 10


def test_the_loop_ends_at_once_while_lookups_hang(names: Names) -> None:
    """Of the old road: closing the loop waited for every ``getaddrinfo`` in its queue."""
    names.hang.clear()
    found = Resolver(names)

    async def ask() -> None:
        await asyncio.wait(
            [asyncio.create_task(found.resolve(f"dead{n}.example", PORT)) for n in range(10)], timeout=0.05
        )

    import uvloop

    for factory in (None, uvloop.new_event_loop):
        began = time.monotonic()
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(ask())
        assert time.monotonic() - began < 2
