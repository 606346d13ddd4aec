"""Measuring on the simulator, which runs as a child process and is known by its command line and control socket only.

Nothing of ``feeds.sim`` is imported: the product must not depend on it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from feeds import child_process
from feeds.config.load import Endpoint

LONGEST_STALL_MS = 10_000.0
MAX_ORDER_BYTES = 64 * 1024


class Simulation(Struct, frozen=True, kw_only=True):
    """Where the simulated venues are."""

    scenario: str
    endpoints: Mapping[str, Endpoint]
    witnesses: tuple[str, ...]
    control: str
    """URL of the simulator's control endpoint, and the token that it wants."""
    control_token: str
    label: str
    """Names what the simulator lists, for the instruments' cache."""


class SimulatorError(Exception):
    """The simulator could not be started; the text is its own sentence for the user."""


async def start_simulator(scenario: str, speed: float) -> tuple[child_process.Child, Simulation]:
    """Raises SimulatorError with the simulator's own sentence when the scenario is wrong."""
    arguments = ["--with-parent", "--scenario", scenario, "--speed", str(speed)]
    try:
        child, line = await child_process.start_ready("feeds.sim", arguments)
    except child_process.ChildError as error:
        raise SimulatorError(str(error).removeprefix("detour sim: ")) from error
    ready = json.loads(line)
    return child, Simulation(
        scenario=ready["scenario"],
        endpoints={r: Endpoint(rest=e["rest"], ws=e["ws"]) for r, e in ready["endpoints"].items()},
        witnesses=tuple(ready["witness"]),
        control=ready["control"],
        control_token=ready["control_token"],
        label=f"sim-{_fingerprint()}",
    )


def _fingerprint() -> str:
    """Of the simulator's source, since nothing else changes what it lists."""
    digest = hashlib.sha256()
    for source in sorted((Path(__file__).parents[1] / "sim").rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


async def follow_orders(control: str, token: str) -> None:
    """Carries out the simulator's orders until it closes the socket. Both arguments are of its ready line."""
    url = control.replace("http://", "ws://", 1) + "/orders"
    try:
        named = {"authorization": f"Bearer {token}"}
        async with connect(
            url, max_size=MAX_ORDER_BYTES, compression=None, proxy=None, additional_headers=named
        ) as socket:
            async for text in socket:
                carry_out(text)
    except (OSError, WebSocketException):
        return  # ``feeds.collector.main`` notices the simulator's end


def carry_out(text: str | bytes) -> None:
    order = json.loads(text)
    if order.get("order") == "stall":
        # blocks the event loop on purpose: the scenario stages a fault of our own machine
        time.sleep(min(float(order["stall_ms"]), LONGEST_STALL_MS) / 1000.0)
