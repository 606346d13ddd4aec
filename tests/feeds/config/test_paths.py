"""Where files live, and that one is never seen half written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from feeds.config import paths


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
