"""``detour watch edit``: the config file in the user's editor, checked before it counts."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from feeds.config import save
from feeds.config.checks import ConfigError
from feeds.config.known import Known
from feeds.config.load import read_text
from feeds.config.sample import documented_defaults

OK, BAD_INPUT, EDITOR_FAILED = 0, 2, 1


def edit(args: argparse.Namespace, file: Path, known: Known) -> int:
    before = read_text(file)
    with tempfile.TemporaryDirectory(prefix="detour-") as folder:
        copy = Path(folder) / "config.toml"
        copy.write_text(before or documented_defaults(), encoding="utf-8")
        started = copy.read_bytes()
        while True:
            if not _run_editor(copy):
                return EDITOR_FAILED
            if copy.read_bytes() == started:
                print_message("nothing was changed.")
                return OK
            try:
                save.replace_text(file, read_text(copy, required=True), known)
            except ConfigError as error:
                # the sentence names the copy's line, which is the line in the user's editor
                print_message(str(error).replace(str(copy), str(file)))
                if _asks_again():
                    continue
                kept = file.with_name(file.name + ".rejected")
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(copy.read_bytes())
                print_message(f"{file} is as it was; what you wrote is in {kept}.")
                return BAD_INPUT
            print_message(f"{file} written.")
            return OK


def _run_editor(copy: Path) -> bool:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if os.name == "nt" else "vi")
    try:
        code = subprocess.run([*shlex.split(command), str(copy)], check=False).returncode
    except (OSError, ValueError) as error:
        print_message(f"the editor {command!r} cannot be started ({error}); set EDITOR.")
        return False
    if code:
        print_message(f"the editor ended with code {code}; nothing was changed.")
    return code == 0


def _asks_again() -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write("Edit again? [Y/n] ")
    sys.stderr.flush()
    return not sys.stdin.readline().strip().lower().startswith("n")


def print_message(text: str) -> None:
    print(text, file=sys.stderr)
