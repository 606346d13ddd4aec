"""uvloop makes it faster; where it is not installed everything runs all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_simulator_and_collector_run_on_the_standard_loop(tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("raise ImportError('not installed')\n")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}",
        "XDG_CACHE_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
    }
    config = tmp_path / "config.toml"
    config.write_text('watchlist = "one"\n[watchlists.one]\nsymbols = ["BTC/USDT"]\nroutes = ["okx.spot"]\n')
    command = ["log", "--sim", "calm", "--for", "2s", "--config", str(config)]
    done = subprocess.run(
        [sys.executable, "-m", "tui.commands.main", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "route" in {json.loads(line)["kind"] for line in done.stdout.splitlines()}
