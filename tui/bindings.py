"""The table of keys. Bindings, footer, help, command palette and the user's ``[keys]`` all read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct, structs
from textual.binding import Binding

Place: TypeAlias = Literal["anywhere", "board", "route"]


class Key(Struct, frozen=True):
    """``id`` is what the user's config calls it, ``keys`` are Textual's names, ``shown`` what people read."""

    id: str
    keys: str
    shown: str
    action: str
    help: str
    foot: str = ""
    """The footer's word; empty keeps it out."""
    place: Place = "anywhere"
    palette: bool = True


KEYS: tuple[Key, ...] = (
    Key("help", "question_mark", "?", "app.help", "Explain keys, glyphs and words", "help"),
    Key("filter", "slash", "/", "filter", "Filter routes, pairs and events by words", "filter", "board"),
    Key("open", "enter", "enter", "open_route", "Open the highlighted route's page", "open", "board"),
    Key("symbol_next", "tab", "tab", "symbol(1)", "Next symbol", "symbol", "board"),
    Key("symbol_previous", "shift+tab", "shift+tab", "symbol(-1)", "Previous symbol", "", "board"),
    Key("route_next", "down,j", "↓ j", "route(1)", "Next route", palette=False),
    Key("route_previous", "up,k", "↑ k", "route(-1)", "Previous route", palette=False),
    Key("freeze", "space", "space", "app.freeze", "Freeze the screen; feeds and history go on", "freeze"),
    Key("back", "left", "←", "back(1)", "Look back: move the cursor into the past", "look back", palette=False),
    Key("forward", "right", "→", "back(-1)", "Look forward, towards now", palette=False),
    Key("back_far", "shift+left", "shift+←", "back(10)", "Look back ten steps", palette=False),
    Key("forward_far", "shift+right", "shift+→", "back(-10)", "Look forward ten steps", palette=False),
    Key("home", "h", "h", "home", "Make the highlighted route home", "home"),
    Key("side", "s", "s", "flip_side", "Flip the order's side: buy or sell", "side"),
    Key("larger", "plus,equals_sign,n", "+ n", "notional(1)", "Larger order", "size"),
    Key("smaller", "minus,underscore", "-", "notional(-1)", "Smaller order"),
    Key("routes", "1", "1", "pane('routes')", "Routes", "", "board"),
    Key("spreads", "2", "2", "pane('spreads')", "Spreads", "", "board"),
    Key("depth", "3", "3", "pane('depth')", "Depth", "", "board"),
    Key("round_trip", "4", "4", "pane('rtt')", "Round trip", "", "board"),
    Key("advice", "5", "5", "pane('advice')", "Advice", "", "board"),
    Key("events", "6", "6", "pane('events')", "Events", "", "board"),
    Key("zoom", "z", "z", "zoom", "Zoom the chosen pane, and back", "zoom", "board"),
    Key("band", "b", "b", "band", "Next depth band: 10, 25, 50, 100 bp", "band", "board"),
    Key("older", "pagedown", "page ↓", "page(1)", "Further down: events, or a route's page", palette=False),
    Key("newer", "pageup", "page ↑", "page(-1)", "Further up", palette=False),
    Key("watchlists", "w", "w", "app.watchlists", "Choose another watchlist", "lists"),
    Key("light", "t", "t", "app.light", "Light or dark"),
    Key("commands", "colon", ":", "app.command_palette", "All commands (also ctrl+p)", "commands", palette=False),
    Key("escape", "escape", "esc", "escape", "Undo a look back, zoom, filter, freeze", palette=False),
    Key("quit", "q", "q", "app.quit", "Quit", "quit"),
)

ACTIONS: tuple[str, ...] = tuple(key.id for key in KEYS)
"""What the user's ``[keys]`` may name."""


def bindings(place: Place) -> list[Binding]:
    """Textual's bindings of a screen: keys that work anywhere, and those of this screen."""
    return [Binding(key.keys, key.action, key.help, show=False, id=key.id) for key in KEYS if _works(key, place)]


def remapped(chosen: Mapping[str, str]) -> tuple[Key, ...]:
    """The table with the user's keys in it. Unknown ids are ignored."""
    return tuple(
        structs.replace(key, keys=chosen[key.id], shown=chosen[key.id]) if key.id in chosen else key for key in KEYS
    )


def footer_keys(table: Sequence[Key], place: Place) -> list[tuple[str, str]]:
    """(key, word) as the footer shows them."""
    return [(key.shown, key.foot) for key in table if key.foot and _works(key, place)]


def _works(key: Key, place: Place) -> bool:
    return key.place in ("anywhere", place)
