"""The matrix over sockets, first share of the venues."""

from __future__ import annotations

from tests.feeds.matrix.rows import Rows


class TestFirstShare(Rows):
    share = 0
