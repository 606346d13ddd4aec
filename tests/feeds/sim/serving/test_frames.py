"""Websocket frames of the simulator."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from feeds.sim.serving.frames import BINARY, TEXT, close_frame, frame


@given(st.sampled_from([TEXT, BINARY]), st.binary(max_size=70_000))
def test_frames_are_what_another_library_writes(opcode: int, body: bytes) -> None:
    assert frame(opcode, body) == Frame(Opcode(opcode), body).serialize(mask=False, extensions=[])


def test_long_reasons_still_fit_a_control_frame() -> None:
    assert len(close_frame(1001, "x" * 500)) == 127
