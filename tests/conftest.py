"""How the tests are spread over processes: the long files first, one process more than cores, since many tests wait."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HOSTILE = Path(__file__).parent / "hostile"

LONG = (
    "tests/feeds/foreign/test_every_venue.py",
    "tests/feeds/collector/test_end_to_end.py",
    "tests/feeds/matrix/",
    "tests/feeds/ccxt_pro/",
    "tests/feeds/foreign/",
    "tests/feeds/judge/",
)
"""Begun last, each of these would keep one process busy while the others have nothing left to do."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Of ``-n auto``."""
    return (os.cpu_count() or 1) + 1


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """``tests/hostile`` needs root and minutes: it runs only when it is named (``make hostile``)."""
    named = any("hostile" in argument for argument in config.args)
    return True if collection_path == HOSTILE and not named else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)  # stable: the order within a file stays


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, prefix in enumerate(LONG) if item.nodeid.startswith(prefix)), len(LONG))
