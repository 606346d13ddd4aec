"""The key table: one key, one meaning in each place, and all of it shown somewhere."""

from __future__ import annotations

from collections import Counter

import pytest

from tui.bindings import ACTIONS, KEYS, Place, bindings, footer_keys, remapped
from tui.screens.dashboard import DashboardScreen
from tui.screens.route_page import RouteScreen


@pytest.mark.parametrize("place", ["board", "route"])
def test_no_key_means_two_things(place: Place) -> None:
    names = Counter(name for binding in bindings(place) for name in binding.key.split(","))
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize(("place", "screen"), [("board", DashboardScreen), ("route", RouteScreen)])
def test_every_action_exists(place: Place, screen: type) -> None:
    actions = [binding.action.partition("(")[0] for binding in bindings(place)]
    own = [action for action in actions if not action.startswith("app.")]
    assert [action for action in own if not hasattr(screen, f"action_{action}")] == []


def test_ids_are_unique_and_the_users_keys_replace_what_is_shown() -> None:
    assert len(set(ACTIONS)) == len(KEYS)
    table = remapped({"zoom": "f11", "no such": "x"})
    assert ("f11", "zoom") in footer_keys(table, "board")
    assert len(table) == len(KEYS)
