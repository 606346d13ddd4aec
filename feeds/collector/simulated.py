"""Measuring on the simulator: it runs as a child process, known by its command line and its control socket only.

Nothing of ``feeds.sim`` is imported: what measures real venues owes nothing to a staged one.
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
        label=f"sim-{_fingerprint()}",
    )


def _fingerprint() -> str:
    """Of the simulator's source: what it lists changes with nothing else."""
    digest = hashlib.sha256()
    for source in sorted((Path(__file__).parents[1] / "sim").rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


async def obey(control: str) -> None:
    """Until the simulator hangs up. ``control`` is the URL of its ready line."""
    url = control.replace("http://", "ws://", 1) + "/orders"
    try:
        async with connect(url, max_size=MAX_ORDER_BYTES, compression=None) as socket:
            async for text in socket:
                stall(text)
    except (OSError, WebSocketException):
        return  # the simulator's end ends the collector by other means


def stall(text: str | bytes) -> None:
    order = json.loads(text)
    if order.get("order") == "stall":
        # blocking on purpose: this is the stall
        time.sleep(min(float(order["stall_ms"]), LONGEST_STALL_MS) / 1000.0)
