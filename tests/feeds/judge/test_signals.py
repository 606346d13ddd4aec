"""One name, one figure, one window: the signals of reasons against the table, the thresholds, the board and the log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import feeds.judge
from feeds.frame import PairRow, RouteRow, SelfRow
from feeds.judge import book_history, link_history, rest_history
from feeds.judge.figures import RouteSignals, SymbolSignals
from feeds.judge.signals import SIGNALS
from feeds.judge.thresholds import Thresholds
from feeds.publish import jsonl
from tests.feeds.frames import frame
from tests.feeds.judge.series import GATEWAY, World, play

LIMITS = Thresholds()
SAME_FIGURE = {"gap_bps", "uplink", "witness", "clock"}
"""Names that reasons, board and log share, because they are one figure as of now."""
PASSED_ON = {"signal", "finding.signal"}
"""Where a name is passed on, it stands at the call."""
WINDOWS = {
    "rest_rtt_last5_ms": LIMITS.rest_recent,
    "rest_lost_last20s_share": LIMITS.lost_window_s,
    "rest_error_last30s_share": LIMITS.error_window_s,
    "rest_limited_last5": LIMITS.failing_probes,
    "tcp_rest_last5_ms": LIMITS.rest_recent,
    "tcp_ws_last8s_ms": link_history.KERNEL_RECENT_S,
    "connect_last3_ms": rest_history.CONNECTS_RECENT,
    "feed_age_last5s_ms": LIMITS.age_recent_s,
    "engine_lag_last5s_ms": LIMITS.age_recent_s,
    "msgs_last6s_per_s": LIMITS.trickle_s,
    "reconnects_last120s": LIMITS.reconnects_window_s,
    "gaps_last30s": LIMITS.figures_s,
    "depth_10bp_last4s": book_history.BOOK_RECENT_S,
    "spread_last4s_bps": book_history.BOOK_RECENT_S,
    "loop_lag_max_last6s_ms": LIMITS.own_late_window_s,
}


def names_in_code() -> Iterator[str]:
    """Every name given as ``signal`` in the room, without its pair or channel."""
    for path in sorted(Path(feeds.judge.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.keyword) or node.arg != "signal":
                continue
            value = node.value.values[0] if isinstance(node.value, ast.JoinedStr) else node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value.partition(".")[0]
            else:
                assert ast.unparse(node.value) in PASSED_ON, f"{path.name}: write the name out"


def names_on_board_and_log() -> set[str]:
    structs = (RouteSignals, SymbolSignals, RouteRow, PairRow, SelfRow)
    return {
        *(name for struct in structs for name in struct.__struct_fields__),
        *(name for row in jsonl.rows(frame(), seen_event=-1) for name in row),
    }


def test_the_table_holds_every_signal_and_no_other() -> None:
    assert set(names_in_code()) == set(SIGNALS)


def test_signals_of_an_incident_are_in_the_table() -> None:
    verdicts = play(World(GATEWAY), 100).verdicts
    seen = {reason.signal.partition(".")[0] for v in verdicts for verdict in v.values() for reason in verdict.reasons}
    assert seen <= set(SIGNALS)
    assert {"rest_rtt_last5_ms", "rest_error_last30s_share", "feed_age_last5s_ms", "clearing_s"} <= seen


def test_no_signal_has_the_name_of_a_figure_over_another_window() -> None:
    assert set(SIGNALS) & names_on_board_and_log() == SAME_FIGURE
    assert all(SIGNALS[name].window == "now" for name in SAME_FIGURE)


@pytest.mark.parametrize("name", SIGNALS)
def test_the_window_in_a_name_is_the_window_it_is_taken_over(name: str) -> None:
    said = re.search(r"_last(\d+)(s?)", name)
    assert (said is not None) == (name in WINDOWS)
    if said is not None:
        assert float(said[1]) == WINDOWS[name]
        assert SIGNALS[name].window.startswith(f"last {said[1]} {said[2] or ''}".strip())
    else:
        assert SIGNALS[name].window in {"now", "in a row", "last 5 probes"}
