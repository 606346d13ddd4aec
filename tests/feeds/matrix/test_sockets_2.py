"""The matrix over sockets, second share of the venues."""

from __future__ import annotations

from tests.feeds.matrix.rows import Rows


class TestSecondShare(Rows):
    share = 1
