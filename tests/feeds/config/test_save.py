"""Writing the user's file: whole or not at all, with the one before it kept."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from feeds.config.checks import ConfigError
from feeds.config.known import Known
from feeds.config.load import Config, load_config
from feeds.config.save import backup_of, put_watchlist, remove_watchlist, replace_text, use_watchlist

KNOWN = Known(routes=("binance.spot", "binance.linear", "okx.spot"))
BODY = {"symbols": ["BTC/USDT"], "routes": ["*.spot"], "home": "okx.spot", "notionals": [5000.0], "side": "sell"}
OWN = '# mine\nvantage = "tokyo"\n[fees.okx.spot]\ntaker = 0.0007\n[keys]\nfreeze = "f"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "config.toml"


def again(file: Path) -> Config:
    return load_config(file, KNOWN)


def test_a_watchlist_written_reads_back(file: Path) -> None:
    put_watchlist(file, "alts", BODY, KNOWN)
    found = again(file).chosen("alts")
    assert (found.symbols, found.patterns, found.home, found.notionals, found.side) == (
        ("BTC/USDT",),
        ("*.spot",),
        "okx.spot",
        (5000.0,),
        "sell",
    )
    assert not backup_of(file).exists()


def test_everything_else_in_the_file_stays_and_the_file_before_is_kept(file: Path) -> None:
    replace_text(file, OWN, KNOWN)
    put_watchlist(file, "alts", BODY, KNOWN)
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    assert document.pop("watchlists") == {"alts": BODY}
    assert document == tomllib.loads(OWN)
    assert backup_of(file).read_text(encoding="utf-8") == OWN


def test_use_and_remove(file: Path) -> None:
    put_watchlist(file, "alts", BODY, KNOWN)
    use_watchlist(file, "alts", KNOWN)
    assert again(file).chosen().name == "alts"
    with pytest.raises(ConfigError, match="'alts' is in use"):
        remove_watchlist(file, "alts", KNOWN)
    use_watchlist(file, "default", KNOWN)
    remove_watchlist(file, "alts", KNOWN)
    assert set(again(file).watchlists) == {"default"}
    with pytest.raises(ConfigError, match="has no watchlist 'alts' to remove"):
        remove_watchlist(file, "alts", KNOWN)


def test_a_default_of_ones_own_can_be_removed_even_in_use(file: Path) -> None:
    put_watchlist(file, "default", BODY, KNOWN)
    use_watchlist(file, "default", KNOWN)
    remove_watchlist(file, "default", KNOWN)
    assert again(file).chosen().home == "binance.linear"


@pytest.mark.parametrize("before", [OWN, "vantage = \n", "colour = 1\n"])
def test_what_cannot_be_accepted_leaves_the_file_as_it_was(file: Path, before: str) -> None:
    file.parent.mkdir()
    file.write_text(before, encoding="utf-8")
    with pytest.raises(ConfigError):
        put_watchlist(file, "alts", {**BODY, "home": "nowhere"}, KNOWN)
    with pytest.raises(ConfigError):
        use_watchlist(file, "nothing", KNOWN)
    with pytest.raises(ConfigError):
        replace_text(file, "vantage = 1", KNOWN)
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]
    assert file.read_text(encoding="utf-8") == before


def test_a_typed_text_keeps_its_comments(file: Path) -> None:
    replace_text(file, OWN, KNOWN)
    assert file.read_text(encoding="utf-8") == OWN


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a file where a folder is needed")
    with pytest.raises(ConfigError, match="cannot be"):
        put_watchlist(tmp_path / "deep" / "config.toml", "alts", BODY, KNOWN)
