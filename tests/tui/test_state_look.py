"""A hue a venue."""

from __future__ import annotations

from tests.tui.scripted import frame
from tui.state_look import hues


def test_every_venue_has_its_hue_and_both_products_share_it() -> None:
    found = hues(frame("many"))
    assert len(set(found.values())) == 15
