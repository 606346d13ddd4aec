"""The market that the twins' tests stand on: every file brings its own ``twin``."""

from __future__ import annotations

import pytest

from feeds.sim.twin import Twin
from tests.feeds.sim.fixed_world import FixedWorld


@pytest.fixture
def world(twin: Twin) -> FixedWorld:
    return FixedWorld(twin)
