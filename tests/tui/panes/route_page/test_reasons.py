"""Reasons: none given is not a verdict."""

from __future__ import annotations

from msgspec import structs

from feeds.model import State
from tests.tui.scripted import frame
from tui.panes.route_page.reasons import reasons


def test_no_reasons_are_not_a_verdict() -> None:
    clear = reasons(frame("calm").routes[0], 80)
    assert "nothing speaks against" in clear[1].text
    odd = structs.replace(frame("calm").routes[0], state=State.DOWN)
    assert "no measured reason was given" in reasons(odd, 80)[1].text
