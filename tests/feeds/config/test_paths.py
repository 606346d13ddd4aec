"""Where files live, and that one is never seen half written."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from feeds.config import paths
from feeds.config.checks import ConfigError
from feeds.config.known import everything_known
from feeds.config.load import read_text
from feeds.config.save import put_watchlist


@pytest.mark.skipif(sys.platform != "linux", reason="XDG variables are read on Linux only")
def test_asking_for_a_place_creates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert paths.config_file() == tmp_path / "detour" / "config.toml"
    assert paths.cache_dir() == tmp_path / "detour"
    # without a runtime folder of the user's own nothing is put where another user could have been first
    assert paths.runtime_dir() == tmp_path / "detour" / "run"
    assert list(tmp_path.iterdir()) == []


def test_writing_replaces_makes_folders_and_keeps_the_mode(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b.toml"
    paths.write_atomically(file, b"one")
    file.chmod(0o600)
    paths.write_atomically(file, b"two")
    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_bytes(b"one")
    (tmp_path / "link.toml").symlink_to(tmp_path / "real.toml")
    paths.write_atomically(tmp_path / "link.toml", b"two")
    assert (tmp_path / "link.toml").is_symlink()
    assert (tmp_path / "real.toml").read_bytes() == b"two"


def test_a_failure_while_writing_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"one")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        paths.write_atomically(file, b"two")
    assert file.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(sys.platform != "linux", reason="XDG variables are read on Linux only")
def test_without_a_home_there_is_a_private_place_for_all_but_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pwd

    def nobody(_: object) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert read_text(paths.config_file()) == ""
    with pytest.raises(ConfigError, match="--config FILE"):
        put_watchlist(paths.config_file(), "mine", {"symbols": ["BTC/USDT"]}, everything_known())
    ours = tmp_path / f"detour-{os.getuid()}"
    assert paths.cache_dir() == paths.state_dir() == ours
    assert paths.runtime_dirs() == (ours / "run", ours)
    assert ours.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX modes")
@pytest.mark.parametrize("trap", ["open to others", "a link", "a file"])
def test_a_temporary_folder_that_somebody_else_made_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ours = tmp_path / f"detour-{os.getuid()}"
    if trap == "open to others":
        ours.mkdir()
        ours.chmod(0o777)
    elif trap == "a link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        ours.symlink_to(tmp_path / "theirs")
    else:
        ours.write_text("")
    paths._own_temporary_dir.cache_clear()
    used = paths.temporary_dir()
    assert used != ours and used.parent == tmp_path and used.stat().st_mode & 0o777 == 0o700
    assert paths.temporary_dir() == used
    paths._own_temporary_dir.cache_clear()


def test_with_no_temporary_folder_either_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(Path(os.devnull) / "nowhere"))
    assert paths.temporary_dir() == paths.NOWHERE
    with pytest.raises(OSError):
        (paths.NOWHERE / "x").mkdir(parents=True)
