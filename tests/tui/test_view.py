"""How old the frame is."""

from __future__ import annotations

from tests.tui.scripted import frame
from tui.history import HistoryBuffer
from tui.view import View


def test_freshness_fades_then_goes() -> None:
    shown = frame("calm")
    ages = {0.5: "live", 1.9: "live", 2.1: "dim", 19.0: "dim", 21.0: "gone"}
    assert {age: View(history=HistoryBuffer(), frame=shown, age_s=age).freshness for age in ages} == ages
