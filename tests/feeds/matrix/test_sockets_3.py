"""The matrix over sockets, third share of the venues."""

from __future__ import annotations

from tests.feeds.matrix.rows import Rows


class TestThirdShare(Rows):
    share = 2
