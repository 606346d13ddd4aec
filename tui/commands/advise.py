"""``detour advise``: one answer to where an order is traded best now, with an exit code for scripts."""

from __future__ import annotations

import argparse
import json
import sys

from msgspec import structs

from feeds.collector import main
from feeds.frame import AdviceRow, Frame
from feeds.model import Cause, State
from feeds.publish.jsonl import advice_row
from tui.commands.headless import collector_options

LONGEST_WAIT_S = 45.0
"""For books and baselines; then the answer is given with what there is."""
HOME_IS_BEST, ANOTHER_IS_BETTER, BAD_INPUT, NOTHING_TO_RECOMMEND = 0, 1, 2, 3


def run(options: argparse.Namespace) -> int:
    """One answer on stdout; exit code as ``detour advise --help`` says."""
    base = structs.replace(
        collector_options(options),
        order=main.OrderOverride(symbol=options.symbol, side=options.side, notional=options.notional),
        for_s=LONGEST_WAIT_S,
    )
    last: list[Frame] = []

    def keep(frame: Frame) -> None:
        last[:] = [frame]

    code = main.run(base, keep, lambda frame: _settled(frame, options.symbol))
    if code:
        return code
    row = next((a for f in last for a in f.advice if a.symbol == options.symbol), None)
    if row is None:
        print(f"detour: nothing was heard of {options.symbol} within {LONGEST_WAIT_S:.0f} s", file=sys.stderr)
        return NOTHING_TO_RECOMMEND
    if options.json:
        frame = last[0]
        print(json.dumps({"t": frame.t_ns, "kind": "advice", "vantage": frame.vantage, **advice_row(row)}))
    else:
        print(in_words(row))
    if row.best is None:
        return NOTHING_TO_RECOMMEND
    return HOME_IS_BEST if row.best == row.home else ANOTHER_IS_BETTER


def _settled(frame: Frame, symbol: str) -> bool:
    """Every route that lists the symbol has a verdict, and one of them a price."""
    routes = {p.route for p in frame.pairs if (p.stands_for or p.symbol) == symbol and p.state != "absent"}
    verdicts = [r for r in frame.routes if r.route in routes]
    warming = any(r.state is State.UNKNOWN and r.cause is Cause.WARMING for r in verdicts)
    return bool(verdicts) and not warming and any(a.symbol == symbol and a.best is not None for a in frame.advice)


def in_words(row: AdviceRow) -> str:
    """The advice as a person reads it, a line each for best, split, home and what is out."""
    order = f"{row.side} {row.notional:,.0f} {row.symbol}"
    if row.best is None or row.best_cost_bps is None:
        lines = [f"{order}: no route can be recommended"]
    else:
        saving = f", saves {row.saving_bps:.1f} bp" if row.saving_bps and row.best != row.home else ""
        lines = [f"{order}: {row.best}, {row.best_cost_bps:.1f} bp all in{saving}"]
    if len(row.split) > 1 and row.split_cost_bps is not None:
        shares = ", ".join(f"{s.route} {s.share:.0%}" for s in row.split)
        lines.append(f"split: {shares}: {row.split_cost_bps:.1f} bp")
    if row.home is not None and row.home_cost_bps is not None and row.home != row.best:
        lines.append(f"home: {row.home}, {row.home_cost_bps:.1f} bp")
    lines += [f"out: {e.route}, {e.why}" for e in row.excluded]
    if row.unallocated > 0:
        lines.append(f"unallocated: {row.unallocated:,.0f}")
    return "\n".join(lines)
