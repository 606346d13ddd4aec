"""On a terminal that can only say ASCII nothing is lost but looks: the same cells, other signs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.cells import cell_len

from feeds.model import State
from tui.ascii_text import HANDLER, ascii_only, in_ascii, speak
from tui.state_look import GLYPHS

SOURCES = [path for room in ("tui", "feeds") for path in (Path(__file__).parents[2] / room).rglob("*.py")]
DRAWN = sorted({c for path in SOURCES for c in path.read_text(encoding="utf-8") if ord(c) > 126})


@pytest.mark.parametrize("sign", [c for c in DRAWN if cell_len(c) == 1], ids=lambda c: f"U+{ord(c):04X}")
def test_every_sign_of_ours_has_one_in_ascii(sign: str) -> None:
    made = in_ascii(sign)
    assert made.isascii() and made.isprintable() and len(made) == 1 and made != "?"


def test_states_stay_apart() -> None:
    assert len({in_ascii(glyph) for glyph in GLYPHS.values()}) == len(State)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("● ok · 3\u202f200 – 5", "o ok . 3 200 - 5"),
        ("币安人生/USDT", "????????/USDT"),
        ("café", "cafe"),
        ("┌─┤└╍━", "+-++--"),
        ("\u2800\u2801\u2840\u28ff\u2847", " '.:|"),
        ("▁▂▃▄▅▆▇█▌▐", "_.:-=+*#><"),
    ],
)
def test_texts_keep_their_width(text: str, made: str) -> None:
    assert in_ascii(text) == made
    assert cell_len(text) == len(made)


def test_nothing_is_written_that_the_encoding_cannot_say() -> None:
    for encoding, shown in (("ascii", "a - ok o ??\n"), ("gbk", "a – ok ● 币\n"), ("utf-8", "a – ok ● 币\n")):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding)
        speak(stream)
        print("a – ok ● 币", file=stream, flush=True)
        assert raw.getvalue().decode(encoding) == shown
    assert "\u28ff\u202f".encode("gbk", HANDLER) == b": "


@pytest.mark.parametrize(
    ("encoding", "environment", "only"),
    [
        ("ascii", {}, True),
        ("gbk", {}, True),
        ("cp1252", {}, True),
        ("utf-8", {}, False),
        ("utf-8", {"LANG": "de_CH.UTF-8"}, False),
        ("utf-8", {"LANG": "C.UTF-8"}, False),
        ("utf-8", {"LANG": "C"}, True),
        ("utf-8", {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),  # Python itself has set LC_CTYPE
        ("utf-8", {"LANG": "de_CH.UTF-8", "LC_ALL": "POSIX"}, True),
        ("utf-8", {"LANG": "C", "LC_ALL": "de_CH.UTF-8"}, False),
        ("utf-8", {"LANG": "C", "PYTHONIOENCODING": "utf-8"}, False),
    ],
)
def test_what_counts_as_ascii_only(encoding: str, environment: dict[str, str], only: bool) -> None:
    assert ascii_only(encoding, environment) is only
