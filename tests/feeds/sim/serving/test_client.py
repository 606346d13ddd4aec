"""What is sent to one client: order, delays, an unreachable network, slow clients, closing."""

from __future__ import annotations

import asyncio

import pytest

from feeds.sim.serving import client as sending
from feeds.sim.serving.client import Client
from feeds.sim.serving.frames import PING, TEXT, close_frame, frame
from feeds.sim.twin import Close
from tests.feeds.sim.patience import until
from tests.feeds.sim.serving.fake_transport import FakeTransport


def client(wire: FakeTransport) -> Client:
    return Client("binance.spot", "spot", None, wire)  # type: ignore[arg-type]  # no session is asked here


async def test_answers_leave_in_order_and_data_waits_behind_them() -> None:
    wire = FakeTransport()
    out = client(wire)
    out.send(["ack"], delay_s=0.01)
    out.send_bytes(frame(TEXT, b"data"))
    assert wire.sent == []
    await until(lambda: len(wire.sent) == 2)
    assert wire.sent == [frame(TEXT, b"ack"), frame(TEXT, b"data")]
    out.send_bytes(b"now")
    assert wire.sent[-1] == b"now"


async def test_nothing_leaves_while_held_and_all_of_it_after() -> None:
    wire = FakeTransport()
    out = client(wire)
    out.hold(True)
    out.send(["one"])
    out.send_bytes(b"two")
    out.send_control(frame(PING, b"three"), 0.0)
    await asyncio.sleep(0)
    assert wire.sent == []
    out.hold(False)
    assert wire.sent == [frame(TEXT, b"one"), b"two", frame(PING, b"three")]


async def test_a_slow_client_is_cut() -> None:
    wire = FakeTransport()
    out = client(wire)
    wire.waiting = sending.BUFFER_LIMIT + 1
    out.send_bytes(b"more")
    assert wire.aborted
    held = FakeTransport()
    out = client(held)
    out.hold(True)
    for _ in range(5):
        out.send_bytes(b"x" * (1 << 20))
    assert held.aborted


async def test_a_close_is_the_last_frame_and_1006_drops_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "CLOSE_WAIT_S", 0.0)
    wire = FakeTransport()
    out = client(wire)
    out.send(["bye", Close(1001, "restart"), "never"])
    await until(lambda: wire.aborted)
    assert wire.sent == [frame(TEXT, b"bye"), close_frame(1001, "restart")]
    dropped = FakeTransport()
    out = client(dropped)
    out.send([Close(1006)])
    await until(lambda: dropped.aborted)
    assert dropped.sent == []
