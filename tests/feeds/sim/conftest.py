"""The fixed market of the twins' tests. Every test file defines its own ``twin`` fixture."""

from __future__ import annotations

import pytest

from feeds.sim.twin import Twin
from tests.feeds.sim.fixed_world import FixedWorld


@pytest.fixture
def world(twin: Twin) -> FixedWorld:
    return FixedWorld(twin)
