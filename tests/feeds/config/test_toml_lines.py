"""Where a key stands in a TOML text."""

from __future__ import annotations

import pytest

from feeds.config.toml_lines import line_of, syntax_line

TEXT = """\
vantage = "x"
# watchlist = "no"
"quoted key" = 1

[watchlists.alts]   # comment
symbols = [
  "BTC/USDT",
  'ETH/USDT',
]
home = "okx.spot"

[fees."binance.linear"]
taker = 0.1
[endpoints]
binance.linear.rest = "http://h"
  [ screen ]
  theme='x'
"""


@pytest.mark.parametrize(
    ("keys", "value", "line"),
    [
        (("vantage",), None, 1),
        (("quoted key",), None, 3),
        (("watchlists", "alts"), None, 5),
        (("watchlists",), None, 5),
        (("watchlists", "alts", "symbols"), None, 6),
        (("watchlists", "alts", "symbols"), "BTC/USDT", 7),
        (("watchlists", "alts", "symbols"), "ETH/USDT", 8),
        (("watchlists", "alts", "symbols"), "not there", 6),
        (("watchlists", "alts", "side"), None, 5),
        (("watchlists", "alts", "home"), None, 10),
        (("fees", "binance.linear", "taker"), None, 13),
        (("endpoints", "binance", "linear", "rest"), None, 15),
        (("screen", "theme"), None, 17),
        (("watchlist",), None, None),
        (("keys", "x"), None, None),
    ],
)
def test_line_of(keys: tuple[str, ...], value: str | None, line: int | None) -> None:
    assert line_of(TEXT, keys, value) == line


def test_the_line_of_a_syntax_error() -> None:
    assert syntax_line("Invalid value (at line 12, column 5)") == 12
    assert syntax_line("Unclosed array (at end of document)") is None
