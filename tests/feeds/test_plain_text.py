"""Foreign text becomes one short line that neither a terminal, a browser nor a reader's eye obeys."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feeds.plain_text import TEXT_CHARS, is_plain, plain
from tests.feeds.spite import SPITE, faults_of

texts = st.one_of(st.text(), st.lists(st.sampled_from(SPITE)).map("".join))


@given(text=texts, limit=st.integers(1, 300))
@example(text="<" * 5 + "b>", limit=200)
@example(text="<\u200bscript>x", limit=200)
def test_nothing_is_left_that_anything_could_obey(text: str, limit: int) -> None:
    made = plain(text, limit)
    assert faults_of(made, limit) == []
    assert plain(made, limit) == made


@given(text=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=TEXT_CHARS))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("sent", "made"),
    [
        ("param 'instId' doesn't exist", "param 'instId' doesn't exist"),
        ("a\u2028b\u2029c\x85d\r\n\te", "a b c d e"),
        ("\x1b[31mred\x9b0m", "[31mred0m"),
        ("abc\u202edef\u2066ghi\u200bjkl\u00admno", "abcdefghijklmno"),
        ("币安人生/USDT", "币安人生/USDT"),
        ("cafe\u0301", "café"),
        ("z\u0335\u0321\u0489algo", "zalgo"),
        ("age 5 < 7 and 9 > 8, ok -> down", "age 5 < 7 and 9 > 8, ok -> down"),
        ("wrong <instId> given", "wrong instId given"),
        ("<b>wrong</b> symbol", "wrong symbol"),
        ("<!DOCTYPE html>\n<html><head><title>403 Forbidden", "(an HTML page)"),
        ("HTTP 403: <html>\r\n<head><title>403 Forbidden</title></head>", "HTTP 403 (an HTML page)"),
        ("HTTP 403, <?xml version='1.0'?><Error><Code>AccessDenied", "HTTP 403 (an XML document)"),
        ("  two  spaces  ", "two spaces"),
        ("", ""),
    ],
)
def test_what_people_meet(sent: str, made: str) -> None:
    assert plain(sent) == made


def test_a_long_text_is_cut_with_a_sign_and_costs_no_more_than_a_short_one() -> None:
    assert plain("x" * 300) == "x" * (TEXT_CHARS - 1) + "…"
    started_s = time.process_time()
    for text in ("<" * 20_000_000, "<a " * 5_000_000, "\x1b\u202e<b>" * 5_000_000):
        assert len(plain(text)) <= TEXT_CHARS
    assert time.process_time() - started_s < 0.5


def test_names_that_cannot_be_shown_as_they_are() -> None:
    assert is_plain("BTC/USDT:USDT") and is_plain("币安人生/USDT") and is_plain("1000PEPE")
    for name in ("", "BTC\x1b[2J", "BTC\u202e", "BTC\u200b/USDT", "B" * 61, " BTC", "<b>BTC"):
        assert not is_plain(name), name


def test_every_invisible_character_of_unicode_is_known() -> None:
    """By the categories of Unicode: what a terminal gives no cell to, and what moves or hides its neighbours."""
    every = (chr(n) for n in range(0x110000))
    invisible = [c for c in every if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Mn", "Me")]
    invisible += ["\u115f", "\u1160", "\u11ff", "\u3164", "\uffa0", "\ue000", "\U0010ffff", "\u0378"]
    assert len(invisible) > 4_000
    assert [c for c in invisible if len(plain(f"a{c}b")) > 3 or c in plain(f"a{c}b")] == []
