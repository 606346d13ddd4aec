"""Where the user's files live on this system, and how one is written. Asking for a place creates nothing."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs

APP = "detour"
NOWHERE = Path(os.devnull) / "no-home-folder"
"""Nothing can be made there: whoever tries gets an OSError."""


def config_file() -> Path:
    """The user's config file; it need not exist. Without a home folder it is nowhere."""
    return _under(platformdirs.user_config_path, NOWHERE) / "config.toml"


def cache_dir() -> Path:
    """What can be fetched again: instruments."""
    return _under(platformdirs.user_cache_path, None)


def state_dir() -> Path:
    """What the program keeps for itself: the collector's error log."""
    return _under(platformdirs.user_state_path, None)


def runtime_dir() -> Path:
    """Sockets of running collectors. Whoever makes it uses mode 0700."""
    if sys.platform == "linux" and not os.environ.get("XDG_RUNTIME_DIR"):
        # platformdirs would use a predictable folder under /tmp, which another user could create first
        return state_dir() / "run"
    return _under(platformdirs.user_runtime_path, None)


def runtime_dirs() -> tuple[Path, ...]:
    """Where sockets of collectors may lie: the usual place, then the one used where that cannot be written."""
    return runtime_dir(), temporary_dir()


def temporary_dir() -> Path:
    """A folder under the system's temporary one that only this user can enter, the same for all our processes.

    Not made for us alone (somebody else was first): another one, for this process. None possible: ``NOWHERE``.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f"{APP}-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
        return folder if _is_private(folder) else _own_temporary_dir()
    except OSError:
        return NOWHERE


@functools.cache
def _own_temporary_dir() -> Path:
    made = Path(tempfile.mkdtemp(prefix=f"{APP}-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _is_private(folder: Path) -> bool:
    """Makes it where there is nothing. Raises OSError where that cannot be done."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o077)


def _under(place: Callable[..., Path], instead: Path | None) -> Path:
    """``place`` of platformdirs; ``instead``, or our temporary folder, for a user without a home folder."""
    try:
        return place(APP, appauthor=False)
    except RuntimeError:  # no HOME, and no entry in the list of users
        return instead if instead is not None else temporary_dir()


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
