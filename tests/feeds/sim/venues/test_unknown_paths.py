"""Paths that no venue has: the server answers them as the venue would, with its own 404 or a refused handshake."""

from __future__ import annotations

import pytest

from feeds.sim.registry import TWINS
from tests.feeds.sim.fixed_world import FixedWorld, request

SOCKETS = ("/nowhere", "/public", "/wss", "/v5/public/option", "/ws/v5/nowhere", "/v1/ws/public")
PATHS = ("/", "/nowhere", "/api/v9/nowhere", "/api/v5/nowhere", "/v5/nowhere", "/api/v3/account", "/api/v1/orders")


@pytest.mark.parametrize("venue", TWINS)
def test_unknown_paths_are_nobodys(venue: str) -> None:
    twin = TWINS[venue]()
    world = FixedWorld(twin)
    sockets = [path for path in SOCKETS if (venue, path[:4]) != ("binance", "/ws/")]  # there it names a stream
    for product in twin.facts:
        assert [path for path in sockets if twin.open(product, path, {}, world) is not None] == []
    assert [path for path in PATHS if twin.rest(request(path), world) is not None] == []
