"""Commands on terminals and pipes that cannot say every character: no error, no misaligned table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

CONFIG = """
watchlist = "mine"
[watchlists.mine]
symbols = ["BTC/USDT", "币安人生/USDT"]
routes = ["binance.spot", "okx.spot"]
[watchlists.plain]
symbols = ["BTC/USDT"]
routes = ["okx.spot"]
"""


def said(arguments: list[str], folder: Path, encoding: str, **more: str) -> tuple[int, str, str]:
    config = folder / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tui.commands.main", *arguments, "--config", str(config)],
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "XDG_CACHE_HOME": str(folder), "PYTHONIOENCODING": encoding, **more},
    )
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp1252"])
@pytest.mark.parametrize("arguments", [["venues"], ["watch", "list"], ["watch", "show"]], ids=" ".join)
def test_tables_are_as_wide_as_they_are_in_full(arguments: list[str], encoding: str, tmp_path: Path) -> None:
    code, full, _ = said(arguments, tmp_path, "utf-8")
    assert code == 0
    code, made, errors = said(arguments, tmp_path, encoding)
    assert (code, errors) == (0, "")
    assert [cell_len(line) for line in made.splitlines()] == [cell_len(line) for line in full.splitlines()]


@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
def test_a_sentence_about_what_cannot_be_said_is_one_sentence_all_the_same(encoding: str, tmp_path: Path) -> None:
    code, out, errors = said(["watch", "show", "没有—"], tmp_path, encoding)
    assert (code, out) == (2, "")
    assert len(errors.splitlines()) == 1 and "Traceback" not in errors and "\\u" not in errors


def test_a_plain_c_locale_gets_plain_ascii(tmp_path: Path) -> None:
    code, out, _ = said(["watch", "show"], tmp_path, "utf-8", PYTHONIOENCODING="", LANG="C", LC_ALL="C")
    assert code == 0 and out.isascii() and "????????/USDT" in out
