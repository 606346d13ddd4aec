"""Where the user's files live on this system, and how one is written. Asking for a place creates nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

APP = "detour"


def config_file() -> Path:
    """The user's config file; it need not exist."""
    return platformdirs.user_config_path(APP, appauthor=False) / "config.toml"


def cache_dir() -> Path:
    """What can be fetched again: instruments."""
    return platformdirs.user_cache_path(APP, appauthor=False)


def state_dir() -> Path:
    """What the program keeps for itself: the collector's error log."""
    return platformdirs.user_state_path(APP, appauthor=False)


def runtime_dir() -> Path:
    """Sockets of running collectors. Whoever makes it uses mode 0700."""
    if sys.platform == "linux" and not os.environ.get("XDG_RUNTIME_DIR"):
        # platformdirs would use a predictable folder under /tmp, which another user could create first
        return state_dir() / "run"
    return platformdirs.user_runtime_path(APP, appauthor=False)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` so that a reader, or a power cut, sees the old file or the new one, never a part.

    Follows symbolic links, keeps the file's mode, makes missing folders. Raises OSError; then ``path`` is as before.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets folders be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
