"""Every venue has the same files, so who knows one venue finds the way in all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds.venues import registry
from feeds.venues.registry import VENUES

FOLDERS = sorted(path.parent for path in Path(registry.__file__).parent.glob("*/__init__.py"))
PARTS = ("venue", "session", "wire", "rule")
"""Names of files, alone or after the name of a protocol (``futures_session``)."""


def test_every_folder_is_a_venue_of_the_registry() -> None:
    assert {folder.name for folder in FOLDERS} == set(VENUES)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_venue_is_facts_sessions_and_rows(folder: Path) -> None:
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {name.rpartition("_")[2] for name in names} <= set(PARTS)
    assert "venue" in names
    assert any(name.endswith("session") for name in names)
    assert any(name.endswith("wire") for name in names)
    assert len((folder / "__init__.py").read_text().splitlines()) == 1
