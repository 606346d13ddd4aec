"""What nobody has thought of ends in one sentence that says where the details are, not in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.config import paths
from tui.commands import main as command


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    from tui.commands import venues

    def run(options: object) -> int:
        raise error

    monkeypatch.setattr(venues, "run", run)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad\x1b[2J\u202e thing\nof two lines"),
        RecursionError("too deep"),
        ExceptionGroup("several", [OSError("a"), TypeError("b")]),
        AssertionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_unexpected_error_is_one_sentence_and_a_file(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "state_dir", lambda: tmp_path / "state")
    broken(monkeypatch, error)
    assert command.main(["venues"]) == 1
    out, said = capsys.readouterr()
    [file] = (tmp_path / "state").iterdir()
    assert out == "" and len(said.splitlines()) == 1
    assert said.startswith("detour: ") and type(error).__name__ in said and str(file) in said and "--debug" in said
    assert "\x1b" not in said and "\u202e" not in said and "Traceback" not in said
    written = file.read_text(encoding="utf-8")
    assert "Traceback" in written and type(error).__name__ in written and "detour venues" in written


def test_with_debug_the_traceback_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, TypeError("ours"))
    with pytest.raises(TypeError, match="ours"):
        command.main(["venues", "--debug"])
    with pytest.raises(TypeError, match="ours"):
        command.main(["--debug", "venues"])


def test_where_nothing_can_be_written_the_sentence_comes_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(paths, "state_dir", lambda: tmp_path / "file" / "state")
    broken(monkeypatch, TypeError("ours"))
    assert command.main(["venues"]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and "--debug" in said and "TypeError" in said


@pytest.mark.parametrize("arguments", [[], ["demo", "--scenario", "calm"], ["attach"]], ids=str)
def test_a_dumb_terminal_is_told_what_to_use_instead(arguments: list[str], tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tui.commands.main", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            env={**os.environ, "TERM": "dumb", "XDG_CONFIG_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        )
    finally:
        os.close(ours)
        os.close(theirs)
    said = done.stderr.decode()
    assert done.returncode == 2
    assert len(said.splitlines()) == 1 and "TERM=dumb" in said and "detour log" in said
