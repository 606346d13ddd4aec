"""The command's contract with shells and scripts: quick, one sentence on bad input, exit codes, data on stdout only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tui.commands.main import main
from tui.commands.parser import build_parser

HEAVY = ("textual", "rich", "ccxt", "numpy", "plotext", "aiohttp", "websockets")


def loaded_after(code: str) -> set[str]:
    """Which of the heavy libraries a fresh interpreter has imported after ``code``."""
    script = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    names: list[str] = json.loads(done.stdout.splitlines()[-1].replace("'", '"'))
    return set(names)


def test_help_imports_nothing_heavy() -> None:
    assert loaded_after("from tui.commands.main import main; main(['--help'])") == set()


def test_headless_commands_never_load_a_screen() -> None:
    assert (
        loaded_after("import tui.commands.log, tui.commands.advise") & {"textual", "rich", "ccxt", "plotext"} == set()
    )


def test_the_screens_process_never_loads_ccxt_or_a_venue() -> None:
    script = (
        "import sys, tui.commands.live, tui.commands.attach, tui.app\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('ccxt', 'aiohttp') or m.startswith('feeds.venues.')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["log", "--for", "soon"], "'soon' is not a duration"),
        (["log", "--for", "0s"], "is not a duration"),
        (["advise", "BTC/USDT", "hold", "5"], "invalid choice: 'hold'"),
        (["advise", "BTC/USDT", "buy", "-5"], "is not a positive number"),
        (["advise", "BTCUSDT", "buy", "5"], "did you mean BTC/USDT?"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["log", "--config", "no/such/file.toml"], "no/such/file.toml"),
        (["log", "--watchlist", "nobody", "--for", "1s"], "there is no watchlist 'nobody'"),
        (["demo", "--scenario", "colm"], "calm"),
        (["log", "--sim", "colm", "--for", "1s"], "calm"),
        (["log", "--out", "no/such/folder/log", "--for", "1s"], "no/such/folder/log"),
        (["sim", "--venues", "binanse"], "did you mean 'binance'?"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "tui.commands.main", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_the_live_screen_without_a_terminal_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--scenario", "calm"]) == 2
    assert "detour log" in capsys.readouterr().err


def test_options_work_before_and_after_the_command() -> None:
    parser = build_parser()
    for arguments in (["--watchlist", "a", "log"], ["log", "--watchlist", "a"]):
        assert parser.parse_args(arguments).watchlist == "a"
    assert parser.parse_args(["log", "--sim"]).sim == "calm"
    assert parser.parse_args(["--sim", "1011"]).sim == "1011"
