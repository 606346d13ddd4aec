"""Whole commands on a bad road: names that never resolve, certificates and proxies that cannot be read."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HANGING = """
import socket, sys, time
real = socket.getaddrinfo
def hang(host, *more, flags=0, **named):
    if not flags & socket.AI_NUMERICHOST:
        time.sleep(60)
    return real(host, *more, flags=flags, **named)
socket.getaddrinfo = hang
if sys.argv[1] == "asyncio":
    sys.modules["uvloop"] = None
from tui.commands.main import main
sys.exit(main(sys.argv[2:]))
"""
CONFIG = """
[watchlists.default]
symbols = ["BTC/USDT"]
routes = ["okx.spot", "bybit.spot"]
[endpoints.okx.spot]
rest = "https://dead.invalid"
ws = "wss://dead.invalid"
[endpoints.bybit.spot]
rest = "https://gone.invalid"
ws = "wss://gone.invalid"
[witness]
targets = ["127.0.0.1:{port}"]
"""


def home(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
    own = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CACHE", "CONFIG", "STATE")}
    return {**kept, **own, **more}


@pytest.fixture
def witness() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    server.accept()[0].close()
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_command_ends_within_two_seconds_of_being_told_while_lookups_hang(
    tmp_path: Path, witness: int, loop: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(port=witness))
    command = [sys.executable, "-c", HANGING, loop, "log", "--config", str(config), "--out", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=home(tmp_path), text=True) as running:
        assert running.stdout is not None
        try:
            told = [json.loads(running.stdout.readline()) for _ in range(2)]
            while not any(row["kind"] == "self" and row["witness"] == "up" for row in told):
                told.append(json.loads(running.stdout.readline()))
                assert len(told) < 100
            began = time.monotonic()
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=20)
            assert time.monotonic() - began < 2
        finally:
            running.kill()
    states = {row["state"] for row in told if row["kind"] == "route"}
    assert states <= {"unknown", "ok"}, "nobody is accused while nothing is known"


@pytest.mark.parametrize("command", [["log", "--for", "1s", "--out", "-"], []])
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SSL_CERT_FILE", "/no/such/ca.pem", "detour: SSL_CERT_FILE is '/no/such/ca.pem', and there is no such file"),
        ("HTTPS_PROXY", "ftp://me:secret@h:1", "detour: HTTPS_PROXY: a ftp:// proxy cannot be used (allowed: "),
    ],
)
def test_a_road_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, command: list[str], variable: str, value: str, said: str
) -> None:
    arguments = [sys.executable, "-m", "tui.commands.main", *command]
    environment = home(tmp_path, **{variable: value})
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1
    assert "secret" not in done.stderr
