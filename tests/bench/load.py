"""Can the whole collector keep up with 20 000 messages a second, on the sockets of six routes, without losing one?"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench.home import Home
from tests.bench.market import WHOLE
from tests.bench.process import Child, ChildError
from tests.bench.race import cores

ROUTES = tuple(f"{venue}.{product}" for venue in ("binance", "okx", "bybit") for product in ("spot", "linear"))
RATE = 20_000
SECONDS = 4.0
LEVELS = 10
POLL_S = 0.05
CLIENT = "collector"


class Load(NamedTuple):
    sent: int
    lost: int
    gaps: int
    garbled: int
    rate_s: float
    """As it really was."""
    cpu_share: float
    """Of one core."""
    frames_s: float
    own_lag_ms: float | None
    """Socket readable to handler end: p99 of the worst second and route."""
    loop_lag_ms: float | None
    """p99 of the worst second."""
    rss_mb: float | None


def load(host: Child, seconds: float = SECONDS) -> Load:
    """Raises ChildError."""
    with TemporaryDirectory(prefix="detour-bench-") as folder:
        home = Home(Path(folder))
        places = {route: host.ask({"do": "open", "route": route, "depth": WHOLE, "client": CLIENT}) for route in ROUTES}
        symbols = {route: place["symbol"] for route, place in places.items()}
        path = home.configure(ROUTES, tuple(dict.fromkeys(symbols.values())), places)
        try:
            command = [sys.executable, "-m", "tests.bench.collector_client", cores()[1]]
            with Child(CLIENT, command, home.environment()) as child:
                return _measure(host, child, {"config": str(path), "symbols": symbols}, seconds)
        finally:
            for route in ROUTES:
                host.ask({"do": "close", "route": route})


def _measure(host: Child, child: Child, place: dict[str, object], seconds: float) -> Load:
    for route in ROUTES:
        host.ask({"do": "prime", "route": route, "on": True})
    child.ask({"do": "open", "place": place})
    for route in ROUTES:
        host.ask({"do": "prime", "route": route, "on": False})
    for share in (0.05, 1.0):  # a short one first, for warm caches
        count = int(RATE * seconds * share / len(ROUTES))
        ready = host.ask({"do": "prepare", "routes": ROUTES, "clients": [CLIENT], "levels": LEVELS, "count": count})
        child.ask({"do": "arm", "marks": ready["marks"], "poll_s": POLL_S})
        gone = host.ask({"do": "go", "routes": ROUTES, "client": CLIENT, "rate": RATE})
        answer = child.receive()
        sent = ready["messages"][CLIENT]
    grew, took_s = answer["grew"], answer["end_s"] - gone["start_s"]
    if took_s <= 0:
        raise ChildError("the collector's clock and the server's differ")
    return Load(
        sent=sent,
        lost=int(sent - grew["applied"]),
        gaps=int(grew["gaps"]),
        garbled=int(grew["garbled"]),
        rate_s=sent / gone["took_s"],
        cpu_share=answer["cpu_s"] / took_s,
        frames_s=grew["frames"] / took_s,
        own_lag_ms=answer["own_lag_ms"],
        loop_lag_ms=answer["loop_lag_ms"],
        rss_mb=answer["rss_mb"],
    )
