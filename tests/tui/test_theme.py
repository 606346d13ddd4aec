"""Colours: states stay apart for colour-blind eyes, and text can be read."""

from __future__ import annotations

import itertools
import math

import pytest

from feeds.model import State
from tui.theme import DARK, HUES, LIGHT, Paint, Palette

# Machado, Oliveira, Fernandes 2009, severity 1.0
_BLINDNESS = {
    "none": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def _linear(colour: str) -> list[float]:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def _luminance(rgb: list[float]) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def _lab(rgb: list[float]) -> tuple[float, float, float]:
    r, g, b = (min(1.0, max(0.0, c)) for c in rgb)
    red, blue = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505, (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    xyz = red, _luminance([r, g, b]), blue
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _seen(colour: str, eyes: str) -> tuple[float, float, float]:
    rgb = _linear(colour)
    return _lab([sum(m * c for m, c in zip(row, rgb, strict=True)) for row in _BLINDNESS[eyes]])


def _apart(one: str, other: str, eyes: str) -> float:
    return math.dist(_seen(one, eyes), _seen(other, eyes))


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("eyes", list(_BLINDNESS))
def test_clear_slow_and_down_stay_apart_for_all_eyes(palette: Palette, eyes: str) -> None:
    colours = [palette.colours[f"state.{s.value}"] for s in (State.OK, State.CONGESTED, State.DOWN, State.HALTED)]
    assert min(_apart(a, b, eyes) for a, b in itertools.combinations(colours, 2)) > 12


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
def test_everything_that_must_be_read_has_contrast(palette: Palette) -> None:
    background = _luminance(_linear(palette.backgrounds[""]))
    for role in ("text", "bright", "muted", *(f"state.{s.value}" for s in State)):
        colour = _luminance(_linear(palette.colours[role]))
        contrast = (max(colour, background) + 0.05) / (min(colour, background) + 0.05)
        assert contrast >= 4.5, role


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
def test_every_state_and_hue_has_an_ink(palette: Palette) -> None:
    assert {f"state.{s.value}" for s in State} <= palette.colours.keys()
    assert len({palette.colours[f"hue.{i}"] for i in range(HUES)}) == HUES


def test_both_palettes_know_the_same_words() -> None:
    assert DARK.colours.keys() == LIGHT.colours.keys()
    assert DARK.backgrounds.keys() == LIGHT.backgrounds.keys()


def test_dimming_takes_colour_and_weight() -> None:
    paint = Paint(DARK)
    assert paint.style("state.down bold", dimmed=True).color == paint.style("faint").color
    assert not paint.style("state.down bold", dimmed=True).bold
    assert paint.style("state.down bold").bold
