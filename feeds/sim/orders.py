"""A collector's ear for the simulator that it was started on: it stands still in its own loop when told to.

This is how the ``own-loop`` scenario makes us slow. Never used outside a simulation.
"""

from __future__ import annotations

import json
import time

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

LONGEST_STALL_MS = 10_000.0
MAX_ORDER_BYTES = 64 * 1024


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
