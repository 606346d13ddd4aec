"""Every key, once. Footer, help and command palette read this table; so do the screens' bindings."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct
from textual.binding import Binding

Place: TypeAlias = Literal["anywhere", "board", "route"]


class Key(Struct, frozen=True, kw_only=True):
    """``keys`` are Textual's names, ``shown`` what people read, ``foot`` the footer's word ("" keeps it out)."""

    keys: str
    shown: str
    action: str
    help: str
    foot: str = ""
    place: Place = "anywhere"
    palette: bool = True


KEYS: tuple[Key, ...] = (
    Key(keys="question_mark", shown="?", action="app.help", help="Explain keys, glyphs and words", foot="help"),
    Key(
        keys="slash", shown="/", action="filter", help="Filter routes, pairs and events by words", foot="filter",
        place="board",
    ),
    Key(
        keys="enter", shown="enter", action="open_route", help="Open the highlighted route's page", foot="open",
        place="board",
    ),
    Key(keys="tab", shown="tab", action="symbol(1)", help="Next symbol", foot="symbol", place="board"),
    Key(keys="shift+tab", shown="shift+tab", action="symbol(-1)", help="Previous symbol", place="board"),
    Key(keys="down,j", shown="↓", action="route(1)", help="Next route", palette=False),
    Key(keys="up,k", shown="↑", action="route(-1)", help="Previous route", palette=False),
    Key(
        keys="space", shown="space", action="app.freeze",
        help="Freeze the screen; feeds and history go on", foot="freeze",
    ),
    Key(keys="left", shown="←", action="back(1)", help="Look back: move the charts' cursor into the past", palette=False),
    Key(keys="right", shown="→", action="back(-1)", help="Look forward, towards now", palette=False),
    Key(keys="shift+left", shown="shift+←", action="back(10)", help="Look back ten steps", palette=False),
    Key(keys="shift+right", shown="shift+→", action="back(-10)", help="Look forward ten steps", palette=False),
    Key(keys="h", shown="h", action="home", help="Make the highlighted route home", foot="home"),
    Key(keys="s", shown="s", action="flip_side", help="Flip the order's side: buy or sell", foot="side"),
    Key(keys="plus,equals_sign,n", shown="+ n", action="notional(1)", help="Larger order", foot="size"),
    Key(keys="minus", shown="-", action="notional(-1)", help="Smaller order"),
    Key(keys="1", shown="1", action="pane('routes')", help="Routes", place="board"),
    Key(keys="2", shown="2", action="pane('spreads')", help="Spreads", place="board"),
    Key(keys="3", shown="3", action="pane('depth')", help="Depth", place="board"),
    Key(keys="4", shown="4", action="pane('rtt')", help="Round trip", place="board"),
    Key(keys="5", shown="5", action="pane('advice')", help="Advice", place="board"),
    Key(keys="6", shown="6", action="pane('events')", help="Events", place="board"),
    Key(keys="z", shown="z", action="zoom", help="Zoom the chosen pane, and back", foot="zoom", place="board"),
    Key(keys="b", shown="b", action="band", help="Next depth band: 10, 25, 50, 100 bp", foot="band", place="board"),
    Key(keys="pagedown", shown="page ↓", action="older(5)", help="Older events", place="board", palette=False),
    Key(keys="pageup", shown="page ↑", action="older(-5)", help="Newer events", place="board", palette=False),
    Key(keys="pagedown", shown="page ↓", action="scroll(8)", help="Further down", place="route", palette=False),
    Key(keys="pageup", shown="page ↑", action="scroll(-8)", help="Further up", place="route", palette=False),
    Key(keys="w", shown="w", action="app.watchlists", help="Choose another watchlist", foot="lists"),
    Key(keys="t", shown="t", action="app.light", help="Light or dark"),
    Key(keys="colon", shown=":", action="app.command_palette", help="All commands (also ctrl+p)", foot="commands", palette=False),
    Key(keys="escape", shown="esc", action="escape", help="Leave: page, zoom, look back, filter, freeze", palette=False),
    Key(keys="q", shown="q", action="app.quit", help="Quit", foot="quit"),
)  # fmt: skip


def bindings(place: Place) -> list[Binding]:
    """Textual's bindings of a screen: what works anywhere, and there."""
    return [Binding(key.keys, key.action, key.help, show=False) for key in keys_at(place)]


def keys_at(place: Place) -> list[Key]:
    return [key for key in KEYS if key.place in ("anywhere", place)]


def footer_keys(place: Place, *, back: str = "") -> list[tuple[str, str]]:
    """(key, word) as the footer shows them."""
    shown = [(key.shown, key.foot) for key in keys_at(place) if key.foot]
    return [("esc", back), *shown] if back else shown
