"""The walls between the rooms: each contract turns red when somebody imports through it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LINT = Path(sys.executable).with_name("lint-imports")
BREACHES = {
    "layers": ("feeds/books/ladder.py", "import feeds.measure.probes"),
    "independence": ("feeds/advise/pricing.py", "import feeds.judge.judge"),
    "venues": ("feeds/venues/best_levels.py", "import asyncio"),
    "simulator": ("feeds/sim/market/ladder.py", "import feeds.venues.best_levels"),
    "judge": ("feeds/judge/rolling.py", "import time"),
    "screen": ("tui/format.py", "import feeds.judge.figures"),
    "product": ("feeds/collector/simulated.py", "import feeds.sim.scenario"),
    "no-screen": ("feeds/publish/jsonl.py", "import rich"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout that may be broken."""
    copy = tmp_path_factory.mktemp("house")
    for name in ("feeds", "tui"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", copy)
    return copy


def kept(house: Path, contract: str) -> bool:
    command = [str(LINT), "--config", "pyproject.toml", "--contract", contract]
    done = subprocess.run(command, cwd=house, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout or "0 kept, 1 broken" in done.stdout, done.stdout + done.stderr
    return done.returncode == 0


def test_every_contract_has_a_breach(house: Path) -> None:
    text = (house / "pyproject.toml").read_text()
    assert {line.partition('"')[2].rstrip('"') for line in text.splitlines() if line.startswith("id = ")} == set(
        BREACHES
    )


def test_the_screen_is_walled_in_whole() -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    listed = next(set(c["source_modules"]) for c in contracts if c["id"] == "screen")
    found = {f"tui.{path.stem}" for path in (REPOSITORY / "tui").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert listed == {name for name in found if not name.startswith("tui.__")} - {"tui.commands"}


@pytest.mark.parametrize("contract", BREACHES)
def test_a_forbidden_import_turns_it_red(house: Path, contract: str) -> None:
    name, line = BREACHES[contract]
    file = house / name
    before = file.read_text()
    assert kept(house, contract)
    file.write_text(f"{before}\n{line}\n")
    try:
        assert not kept(house, contract)
    finally:
        file.write_text(before)
