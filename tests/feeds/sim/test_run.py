"""``python -m feeds.sim`` as other programs start it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from feeds.sim.run import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "clam"], "'calm'"),
        (["--venues", "binanse"], "'binance'"),
        (["--speed", "0"], "--speed"),
        (["--speed", "fast"], "--speed"),
        (["--port-base", "80"], "--port-base"),
        (["--what"], "--what"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_2(
    arguments: Sequence[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "feeds.sim", "--venues", "binance", "--with-parent"]
    made = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield made
    finally:
        made.kill()
        made.wait()
        for stream in (made.stdin, made.stdout, made.stderr):
            assert stream is not None
            stream.close()


def ready(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    line: dict[str, object] = json.loads(process.stdout.readline())
    return line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_one_ready_line_and_ends_cleanly_when_asked(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert ready(process)["ready"] is True
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_it_ends_with_its_parent(process: subprocess.Popen[str]) -> None:
    assert ready(process)["scenario"] == "calm"
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(timeout=20) == 0
