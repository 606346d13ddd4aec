"""Channels: silence beside its limit."""

from __future__ import annotations

from msgspec import structs

from feeds.frame import ChannelRow
from tests.tui.scripted import frame
from tui.panes.route_page.channels import channels


def test_channels_show_silence_beside_its_limit() -> None:
    row = structs.replace(
        frame("calm").routes[0],
        channels=(
            ChannelRow(channel="trades:X", msgs_s=None, silence_ms=9_000.0, limit_ms=5_000.0, state="silent"),
            ChannelRow(channel="mark\x1b[31m", msgs_s=None, silence_ms=None, limit_ms=None, state="waiting"),
        ),
    )
    lines = channels(row, 80)
    assert "◆ trades:X" in lines[2].text
    assert "9.0 s    5.0 s" in lines[2].text
    assert lines[3].text.count("–") == 2
    assert "\x1b" not in lines[3].text
