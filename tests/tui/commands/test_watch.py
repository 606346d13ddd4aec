"""``detour watch`` as a user types it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from feeds.config.known import Known
from feeds.config.load import load_config
from feeds.config.save import backup_of
from feeds.instruments import cache
from tui.commands import watch
from tui.commands.parser import build_parser

ROUTES = ("binance.spot", "binance.linear", "okx.spot", "okx.linear")
Detour = Callable[..., int]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def detour(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Detour:
    """Runs a command on a user's file and cache of its own, with two venues in the registry."""
    monkeypatch.setattr(watch, "known_routes", lambda: ROUTES)
    monkeypatch.setattr(watch, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(watch, "user_file", lambda: file)
    monkeypatch.setattr("feeds.config.load.config_file", lambda: file)
    parser = build_parser()

    def run(*words: str) -> int:
        return watch.run(parser.parse_args(["watch", *words]))

    return run


ADD = ("add", "alts", "--symbols", "SOL/USDT", "SOL/USDT:USDT", "--routes", "okx.*")


def test_without_a_file_there_is_the_default(detour: Detour, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detour("list") == 0
    assert capsys.readouterr().out == "* default  4 symbols on 4 routes  home binance.linear  buy 100000\n"
    assert not file.exists()


def test_add_use_show_remove(detour: Detour, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detour(*ADD, "--home", "okx.linear", "--notional", "5000", "50000", "--side", "sell") == 0
    assert detour("use", "alts") == 0
    assert capsys.readouterr().out == ""
    assert detour("show") == 0
    assert capsys.readouterr().out.splitlines() == [
        "name      alts  (in use)",
        "home      okx.linear",
        "order     sell 5000 50000",
        "pairs     okx.spot    SOL/USDT",
        "          okx.linear  SOL/USDT:USDT",
    ]
    assert detour("list") == 0
    assert [line[:9] for line in capsys.readouterr().out.splitlines()] == ["  default", "* alts   "]
    assert detour("use", "default") == 0
    assert detour("remove", "alts") == 0
    assert load_config(file, Known(routes=ROUTES)).written == ()


def test_home_follows_the_one_in_use(detour: Detour, file: Path) -> None:
    detour("add", "spot", "--symbols", "SOL/USDT")
    detour(*ADD)
    config = load_config(file, Known(routes=ROUTES))
    assert config.chosen("spot").home == "binance.spot"
    assert config.chosen("alts").home is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "x", "--symbols", "SOLUSDT"), '"SOLUSDT" is no symbol; nearest is "SOL/USDT"'),
        (
            ("add", "x", "--symbols", "SOL/USDT", "--routes", "okxx.spot"),
            'unknown route "okxx.spot"; nearest is "okx.spot"',
        ),
        (("add", "x", "--symbols", "SOL/USDT", "--home", "okx"), 'unknown route "okx"; nearest is "okx.'),
        (("add", "x", "--symbols", "SOL/USDT", "--notional", "nan"), "nan is not an amount of quote currency"),
        (("add", "x y", "--symbols", "SOL/USDT"), "'x y' cannot be a watchlist's name"),
        (("add", "mine", "--symbols", "SOL/USDT"), "there is a watchlist 'mine' already; --replace replaces it"),
        (("use", "mein"), "there is no watchlist 'mein'; nearest is \"mine\""),
        (("show", "mein"), "there is no watchlist 'mein'"),
        (("remove", "default"), "has no watchlist 'default' to remove (it has: mine)"),
        (("show", "--config", "nowhere.toml"), "nowhere.toml: there is no such file."),
    ],
)
def test_bad_input_is_one_sentence_exit_2_and_an_untouched_file(
    detour: Detour, file: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    before = '# kept\n[watchlists.mine]\nsymbols = ["BTC/USDT"]\n'
    file.write_text(before, encoding="utf-8")
    assert detour(*words) == 2
    talk = capsys.readouterr()
    assert talk.out == ""
    assert said in talk.err and talk.err.count("\n") == 1
    assert file.read_text(encoding="utf-8") == before
    assert not backup_of(file).exists()


def test_a_broken_file_is_never_rewritten(detour: Detour, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[watchlists.mine]\nsymbls = 3\n", encoding="utf-8")
    for words in (("list",), ("use", "default"), ADD):
        assert detour(*words) == 2
        assert 'line 2, watchlists.mine.symbls: unknown key "symbls"; nearest is "symbols"' in capsys.readouterr().err


def test_replacing_says_so_and_mentions_lost_comments(
    detour: Detour, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text('# mine\n[watchlists.alts]\nsymbols = ["BTC/USDT"]\n', encoding="utf-8")
    assert detour(*ADD, "--replace") == 0
    assert "comments cannot be kept" in capsys.readouterr().err
    assert backup_of(file).read_text(encoding="utf-8").startswith("# mine")
    assert load_config(file, Known(routes=ROUTES)).chosen("alts").symbols == ("SOL/USDT", "SOL/USDT:USDT")


def test_a_symbol_is_checked_against_what_the_cache_says_is_listed(
    detour: Detour, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "listed", lambda cache, label, route: frozenset({"SOL/USDT", "BTC/USDT"}))
    assert detour("add", "x", "--symbols", "SOLL/USDT", "--routes", "okx.spot") == 2
    assert 'lists "SOLL/USDT"; nearest is "SOL/USDT"' in capsys.readouterr().err
    assert detour("add", "x", "--symbols", "SOL/USDT", "--routes", "okx.spot") == 0


def test_the_live_cache_is_what_is_asked(detour: Detour, tmp_path: Path) -> None:
    path = cache.cache_path(tmp_path / "cache", cache.LIVE, "okx.spot")
    path.parent.mkdir(parents=True)
    path.write_text("garbage", encoding="utf-8")
    assert detour("add", "x", "--symbols", "SOLL/USDT", "--routes", "okx.spot") == 0


def editor(tmp_path: Path, code: str) -> str:
    """An editor that runs Python code on the file it is given as ``path``."""
    script = tmp_path / "editor.py"
    script.write_text(f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n{code}\n", encoding="utf-8")
    return f'"{sys.executable}" "{script}"'


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())


@pytest.mark.usefixtures("no_terminal")
def test_edit_starts_from_the_documented_sample_and_keeps_comments(
    detour: Detour, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", editor(tmp_path, "path.write_text(path.read_text().replace('= 4.0', '= 2.0'))"))
    assert detour("edit") == 0
    assert "# Frames a second" in file.read_text(encoding="utf-8")
    assert load_config(file, Known(routes=ROUTES)).frames_per_s == 2.0


@pytest.mark.usefixtures("no_terminal")
def test_edit_refuses_what_does_not_read_and_loses_nothing(
    detour: Detour, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text('vantage = "x"\n', encoding="utf-8")
    monkeypatch.setenv("EDITOR", editor(tmp_path, "path.write_text('\\nvantge = 1\\n')"))
    assert detour("edit") == 2
    err = capsys.readouterr().err
    assert f"{file}, line 2, vantge: unknown key" in err
    assert file.read_text(encoding="utf-8") == 'vantage = "x"\n'
    assert (tmp_path / "config.toml.rejected").read_text(encoding="utf-8") == "\nvantge = 1\n"


@pytest.mark.usefixtures("no_terminal")
@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("pass", 0, "nothing was changed"),
        ("path.write_text(''); sys.exit(3)", 1, "ended with code 3; nothing was changed"),
    ],
)
def test_edit_that_comes_to_nothing_writes_nothing(
    detour: Detour,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: str,
    exit_code: int,
    said: str,
) -> None:
    monkeypatch.setenv("EDITOR", editor(tmp_path, code))
    assert detour("edit") == exit_code
    assert said in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.usefixtures("no_terminal")
def test_an_editor_that_does_not_exist_is_said(
    detour: Detour, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDITOR", "no-such-editor-anywhere")
    assert detour("edit") == 1
    assert "'no-such-editor-anywhere' cannot be started" in capsys.readouterr().err
    assert not file.exists()


def test_neither_textual_nor_ccxt_nor_numpy_is_imported() -> None:
    heavy = "('textual', 'ccxt', 'numpy', 'rich')"
    code = f"import sys, tui.commands.watch; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
