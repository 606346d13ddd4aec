"""The simulator as a client meets it: on loopback, port 0, with faults put in through the control endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from feeds.sim.registry import TWINS
from feeds.sim.scenario import Scenario, load
from feeds.sim.simulation import Simulation
from tests.feeds.sim.patience import until

Start = Callable[..., Awaitable[Simulation]]
LIMIT_S = 8.0
"""Nothing here waits for time to pass; this only ends a test that would hang."""


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    running: list[Simulation] = []

    async def begin(scenario: Scenario | None = None, **options: Any) -> Simulation:
        simulation = Simulation(scenario or load("calm"), options.pop("venues", ("binance",)), **options)
        simulation.start()
        running.append(simulation)
        return simulation

    yield begin
    for simulation in running:
        failures = simulation.failures
        await simulation.close()
        assert failures == 0


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S)) as session:
        yield session


def base(simulation: Simulation, route: str, kind: str = "rest") -> str:
    found: str = simulation.ready()["endpoints"][route][kind]
    return found


async def put(http: aiohttp.ClientSession, simulation: Simulation, path: str, **body: Any) -> int:
    body = {"assumed": True, **({"from_s": 0, "to_s": 60} if path == "phase" else {"at_s": 0}), **body}
    url = f"{simulation.control.url}/{path}"
    async with http.post(url, data=json.dumps(body), headers=simulation.control.credentials) as answer:
        return answer.status


async def subscribe(http: aiohttp.ClientSession, simulation: Simulation, *streams: str) -> Any:
    socket = await http.ws_connect(base(simulation, "binance.linear", "ws") + "/public/stream", max_msg_size=0)
    await socket.send_json({"method": "SUBSCRIBE", "params": streams, "id": 1})
    return socket


async def data(socket: Any) -> Any:
    """The next stream event."""
    while True:
        message = await socket.receive(LIMIT_S)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        body = json.loads(message.data)
        if "stream" in body:
            return body["data"]


async def test_the_ready_line_names_every_route_witness_and_control(start: Start) -> None:
    ready = (await start(venues=())).ready()
    assert set(ready["venues"]) == set(TWINS)
    assert set(ready["endpoints"]) == {f"{venue}.{product}" for venue in TWINS for product in ready["venues"][venue]}
    assert ready["venues"]["binance"]["linear"]["ws"].endswith("/public/stream")
    assert len(ready["witness"]) == 2
    assert json.loads(json.dumps(ready)) == ready


async def test_every_port_of_a_venue_serves_all_of_its_paths(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    for route in ("binance.spot", "binance.linear"):
        for path in ("/api/v3/time", "/fapi/v1/time", "/sapi/v1/system/status"):
            async with http.get(base(simulation, route) + path) as answer:
                assert answer.status == 200
                assert "Date" in answer.headers
        async with http.get(base(simulation, route) + "/nothing") as answer:
            assert answer.status == 404
        async with http.post(base(simulation, route) + "/api/v3/time", data=b"x" * 100_000) as answer:
            assert answer.status == 413
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await http.ws_connect(base(simulation, "binance.spot", "ws") + "/nothing")


async def test_books_built_from_snapshot_and_diffs_stay_whole(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    socket = await subscribe(http, simulation, "btcusdt@depth@100ms")
    events = [await data(socket)]
    url = base(simulation, "binance.linear") + "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
    async with http.get(url) as answer:
        snapshot = await answer.json()
    while len(events) < 12:
        events.append(await data(socket))
    fresh = [event for event in events if event["u"] >= snapshot["lastUpdateId"]]
    assert fresh[0]["U"] <= snapshot["lastUpdateId"] <= fresh[0]["u"]
    for before, after in pairwise(fresh):
        assert after["pu"] == before["u"]
    await socket.close()


async def test_a_late_clients_snapshot_fits_the_changes_that_follow_it(
    start: Start, http: aiohttp.ClientSession
) -> None:
    simulation = await start(venues=("okx",))
    arg = {"channel": "books", "instId": "BTC-USDT-SWAP"}
    for _ in range(2):
        socket = await http.ws_connect(base(simulation, "okx.linear", "ws") + "/ws/v5/public", max_msg_size=0)
        await socket.send_json({"op": "subscribe", "args": [arg]})
        pushed: list[Any] = []
        while len(pushed) < 4:
            body = await socket.receive_json(timeout=LIMIT_S)
            pushed += [{"action": body["action"], **row} for row in body.get("data", ())]
        assert [row["action"] for row in pushed] == ["snapshot", "update", "update", "update"]
        assert all(after["prevSeqId"] == before["seqId"] for before, after in pairwise(pushed))
    await socket.close()


async def test_pings_are_answered_with_their_payload(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    socket = await http.ws_connect(base(simulation, "binance.spot", "ws") + "/ws", autoping=False)
    await socket.ping(b"token")
    message = await socket.receive(LIMIT_S)
    assert (message.type, bytes(message.data)) == (aiohttp.WSMsgType.PONG, b"token")
    await socket.close()


async def test_errors_are_the_venues_own(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    errors = [{"share": 1.0, "status": 451, "kind": "geo", "on": "both"}]
    assert await put(http, simulation, "phase", routes=["binance.linear"], errors=errors) == 200
    async with http.get(base(simulation, "binance.linear") + "/fapi/v1/time") as answer:
        assert answer.status == 451
        assert "restricted location" in (await answer.json())["msg"]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(base(simulation, "binance.linear", "ws") + "/public/ws")
    assert refused.value.status == 451
    async with http.get(base(simulation, "binance.spot") + "/api/v3/time") as answer:
        assert answer.status == 200


async def test_connections_are_refused(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    await put(http, simulation, "phase", routes=["binance.spot"], refuse_share=1.0)
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.get(base(simulation, "binance.spot") + "/api/v3/time")


async def test_a_silent_channel_is_acknowledged_and_the_others_flow(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    await put(http, simulation, "phase", routes=["binance.linear"], silent=["bbo"])
    socket = await subscribe(http, simulation, "btcusdt@bookTicker", "btcusdt@depth@100ms")
    assert {(await data(socket))["e"] for _ in range(6)} == {"depthUpdate"}
    await socket.close()


async def test_a_gap_is_seen_and_heals(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    socket = await subscribe(http, simulation, "btcusdt@depth@100ms")
    before = await data(socket)
    await put(http, simulation, "event", kind="gap", symbols=["BTC/*"])
    gaps = 0
    for _ in range(6):
        after = await data(socket)
        gaps += after["pu"] != before["u"]
        before = after
    assert gaps == 1
    await socket.close()


@pytest.mark.parametrize(("event", "code"), [({"planned": True}, 1001), ({"code": 1008}, 1008), ({"code": 1006}, 1006)])
async def test_connections_are_cut_as_the_scenario_says(
    start: Start, http: aiohttp.ClientSession, event: dict[str, Any], code: int
) -> None:
    simulation = await start()
    socket = await subscribe(http, simulation, "btcusdt@depth@100ms")
    await data(socket)
    await put(http, simulation, "event", kind="close", **event)
    async with asyncio.timeout(LIMIT_S):
        while not socket.closed:
            await socket.receive()
    assert socket.close_code == code
    again = await subscribe(http, simulation, "btcusdt@depth@100ms")
    assert (await data(again))["e"] == "depthUpdate"
    await again.close()


async def test_garbage_and_oversize_frames_arrive(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    socket = await subscribe(http, simulation, "btcusdt@nothing")
    for _ in range(4):
        await put(http, simulation, "event", kind="garbage", bytes=40)
    await put(http, simulation, "event", kind="oversize", bytes=70_000)
    garbled = 0
    while True:
        message = await socket.receive(LIMIT_S)
        if len(message.data) == 70_000:
            break
        try:
            json.loads(message.data)
        except ValueError:
            garbled += 1
    assert garbled == 4
    await socket.close()


async def test_on_a_cut_road_nothing_moves_and_then_everything_comes(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    socket = await subscribe(http, simulation, "btcusdt@depth@100ms")
    await data(socket)
    # 3 s: as long as a cut needs to be noticed on a loaded machine
    await put(http, simulation, "phase", to_s=3, blackhole=True, witness_down=True)
    door = simulation.venues["binance"].servers["linear"]
    await until(lambda: not door.reachable)
    call = asyncio.create_task(http.get(base(simulation, "binance.linear") + "/fapi/v1/ping"))
    host, _, number = simulation.ready()["witness"][0].partition(":")
    with pytest.raises((TimeoutError, OSError)):
        async with asyncio.timeout(0.1):
            await asyncio.open_connection(host, int(number))
    assert not call.done()
    first = await data(socket)
    second = await data(socket)
    assert second["pu"] == first["u"]
    async with await call as answer:
        assert answer.status == 200
    _, writer = await asyncio.open_connection(host, int(number))
    writer.close()
    await socket.close()


async def test_orders_reach_a_collector_and_bad_ones_are_refused(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    orders = await http.ws_connect(simulation.control.url + "/orders", headers=simulation.control.credentials)
    hello = await orders.receive_json(timeout=LIMIT_S)
    assert (hello["order"], hello["scenario"], hello["speed"]) == ("hello", "calm", 1.0)
    assert await put(http, simulation, "event", kind="stall", stall_ms=350) == 200
    order = await orders.receive_json(timeout=LIMIT_S)
    assert (order["order"], order["stall_ms"]) == ("stall", 350)
    assert await put(http, simulation, "event", kind="stall", stall_ms=-1) == 400
    assert await put(http, simulation, "event", kind="nap") == 400
    assert await put(http, simulation, "phase", routes=["nowhere"]) == 400
    await orders.close()


async def test_the_state_tells_scenario_and_truth(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start(load("engine-stop"), venues=("bybit", "okx"), speed=1000.0)
    await until(lambda: simulation.clock.scenario_s() > 60)
    state = simulation.control.state()
    assert state["scenario"] == "engine-stop"
    named = simulation.control.credentials
    async with http.get(simulation.control.url + "/state", headers=named) as answer:
        assert set(await answer.json()) == set(state)
    async with http.get(simulation.control.url + "/truth", headers=named) as answer:
        truth = await answer.json()
        assert truth["speed"] == 1000.0
        assert len(truth["truth"]) == len(load("engine-stop").truth)
    async with http.get(simulation.control.url + "/other", headers=named) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": ""}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Bearer \u00e9"}, 401),
        ({"host": "evil.example"}, 403),
        ({"host": "evil.example:80", "authorization": "TOKEN"}, 403),
        ({"origin": "http://evil.example", "authorization": "TOKEN"}, 403),
        ({"origin": "null", "authorization": "TOKEN"}, 403),
        ({"host": "localhost", "authorization": "TOKEN"}, 403),
        ({"authorization": "TOKEN"}, 200),
    ],
)
async def test_the_control_port_obeys_only_who_has_read_the_ready_line(
    start: Start, http: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    simulation = await start()
    control = simulation.control
    token = simulation.ready()["control_token"]
    assert control.credentials == {"authorization": f"Bearer {token}"} and len(token) >= 32
    given = {name: value.replace("TOKEN", f"Bearer {token}") for name, value in headers.items()}
    body = json.dumps({"assumed": True, "at_s": 0, "kind": "stall", "stall_ms": 1})
    async with http.post(control.url + "/event", data=body, headers=given) as answer:
        assert answer.status == status
    async with http.get(control.url + "/state", headers=given) as answer:
        assert answer.status == status
        assert "access-control-allow-origin" not in answer.headers
    if status != 200:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(control.url + "/orders", headers=given)


async def test_an_order_that_is_nested_without_end_is_refused(start: Start, http: aiohttp.ClientSession) -> None:
    simulation = await start()
    url, body = simulation.control.url + "/phase", b'{"x":' + b"[" * 60_000
    async with http.post(url, data=body, headers=simulation.control.credentials) as answer:
        assert answer.status == 400


async def test_ports_follow_the_port_base_and_a_taken_one_is_an_error(start: Start) -> None:
    probe = await start()
    free = probe.witnesses[-1].number
    with pytest.raises(OSError):
        Simulation(load("calm"), ("binance",), port_base=free)


async def test_a_twin_that_fails_costs_one_connection_and_is_counted(
    start: Start, http: aiohttp.ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    simulation = await start()
    venue = simulation.venues["binance"]
    socket = await subscribe(http, simulation, "btcusdt@depth@100ms")
    await data(socket)

    def broken(raw: bytes, now_ns: int) -> Any:
        raise RuntimeError("a bug in the twin")

    venue.clients[0].session.receive = broken  # type: ignore[method-assign]  # the bug under test
    await socket.send_str("anything")
    async with asyncio.timeout(LIMIT_S):
        while not socket.closed:
            await socket.receive()
    assert simulation.failures == 1
    assert "a bug in the twin" in capsys.readouterr().err
    venue.failures = 0
