"""Colours: what each role and background name of ``lines.py`` looks like, dark and light.

State colours and venue hues come from Okabe and Ito's set (https://jfly.uni-koeln.de/color/), lightened for black and
darkened for white, so that they stay apart for the three common kinds of colour blindness. A glyph and a word always
say the same, so sixteen colours, or none, lose nothing.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from rich.style import Style
from textual.theme import Theme

HUES: Final = 16


class Palette(Struct, frozen=True, kw_only=True):
    """Hex colours by name. The background ``""`` is the screen's own."""

    name: str
    colours: dict[str, str]
    backgrounds: dict[str, str]


_DARK_HUES = """
    #56b4e9 #cc79a7 #e69f00 #00b886 #8aa4ff #c8c8c8 #f0e442 #ff7f50
    #9bd7f5 #ebb8d3 #ffc966 #7fe0c3 #b8ccff #909090 #fff5a0 #ffb59a
"""
_LIGHT_HUES = """
    #0072b2 #a0447a #a66a00 #00755a #3f51b5 #555555 #7a6f00 #b84a00
    #2a8fc4 #c06a9c #c98600 #2b9a7d #6a78d1 #808080 #9a8d1a #d06a2c
"""


def _hues(colours: str) -> dict[str, str]:
    return {f"hue.{i}": colour for i, colour in enumerate(colours.split())}


DARK = Palette(
    name="dark",
    colours={
        "text": "#c5ccd3",
        "bright": "#ffffff",
        "muted": "#848d97",
        "faint": "#59616a",
        "ghost": "#3d444d",
        "rule": "#30363d",
        "rule.current": "#56b4e9",
        "title": "#e6edf3",
        "key": "#56b4e9",
        "good": "#3fd6a2",
        "state.ok": "#3fd6a2",
        "state.suspect": "#f0e442",
        "state.congested": "#ffb000",
        "state.stalled": "#e08cc0",
        "state.down": "#f8604e",
        "state.halted": "#5a8dff",
        "state.blocked": "#a9b4ff",
        "state.unknown": "#848d97",
    }
    | _hues(_DARK_HUES),
    backgrounds={"": "#0a0c0f", "select": "#1d2733", "pulse": "#4a3a10", "banner": "#5a1f0c", "bar": "#14181d"},
)

LIGHT = Palette(
    name="light",
    colours={
        "text": "#2a3038",
        "bright": "#000000",
        "muted": "#5c6670",
        "faint": "#8d97a1",
        "ghost": "#c9d1d9",
        "rule": "#c9d1d9",
        "rule.current": "#0060a0",
        "title": "#10151a",
        "key": "#0060a0",
        "good": "#0f7a63",
        "state.ok": "#0f7a63",
        "state.suspect": "#776800",
        "state.congested": "#946400",
        "state.stalled": "#a3107c",
        "state.down": "#8c1206",
        "state.halted": "#16309a",
        "state.blocked": "#4a55b0",
        "state.unknown": "#5c6670",
    }
    | _hues(_LIGHT_HUES),
    backgrounds={"": "#fbfcfd", "select": "#dce9f5", "pulse": "#fbe6b0", "banner": "#ffd9cc", "bar": "#eef1f4"},
)

PALETTES: Final = {palette.name: palette for palette in (DARK, LIGHT)}


def textual_theme(palette: Palette) -> Theme:
    """The same colours for Textual's own widgets: command palette, inputs, lists."""
    colours, backgrounds = palette.colours, palette.backgrounds
    return Theme(
        name=f"detour-{palette.name}",
        primary=colours["key"],
        secondary=colours["muted"],
        accent=colours["key"],
        warning=colours["state.congested"],
        error=colours["state.down"],
        success=colours["good"],
        foreground=colours["text"],
        background=backgrounds[""],
        surface=backgrounds["bar"],
        panel=backgrounds["select"],
        dark=palette is DARK,
    )


class Paint:
    """Roles to Rich styles, each made once."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette
        self._styles: dict[tuple[str, str, bool], Style] = {}

    def style(self, role: str, background: str = "", *, dimmed: bool = False) -> Style:
        """``role``: a colour's name, then any of bold, italic, reverse, underline. ``dimmed`` draws all in one grey."""
        key = (role, background, dimmed)
        style = self._styles.get(key)
        if style is None:
            style = self._styles[key] = self._mix(role, background, dimmed)
        return style

    def _mix(self, role: str, background: str, dimmed: bool) -> Style:
        name, *marks = role.split() or ["text"]
        colours = self.palette.colours
        colour = colours["faint"] if dimmed and name not in ("ghost", "rule") else colours.get(name, colours["text"])
        return Style(
            color=colour,
            bgcolor=self.palette.backgrounds[background],
            bold=("bold" in marks and not dimmed) or None,
            italic="italic" in marks or None,
            reverse=("reverse" in marks and not dimmed) or None,
            underline="underline" in marks or None,
        )
