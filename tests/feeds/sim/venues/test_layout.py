"""One venue, one shape: every twin's folder has the same three files."""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds.sim import venues
from feeds.sim.registry import TWINS

FOLDER = Path(venues.__file__).parent


def test_every_folder_is_a_registered_twin() -> None:
    assert {path.name for path in FOLDER.iterdir() if (path / "__init__.py").exists()} == set(TWINS)


@pytest.mark.parametrize("venue", TWINS)
def test_every_twin_has_the_same_three_files(venue: str) -> None:
    assert {"twin.py", "streams.py", "rest.py"} <= {path.name for path in (FOLDER / venue).iterdir()}
    assert TWINS[venue].__module__ == f"feeds.sim.venues.{venue}.twin"
