"""``detour log`` and ``detour advise``: measuring without a screen. Textual is not imported here."""

from __future__ import annotations

import argparse
import json
import sys

from feeds.collector import main
from feeds.collector.main import Options
from feeds.config import paths
from feeds.frame import AdviceRow, Frame
from feeds.model import Cause, State
from feeds.publish import link
from feeds.publish.jsonl import advice_row

ADVISE_PATIENCE_S = 45.0
"""How long ``advise`` waits for books and baselines before it answers with what it has."""
HOME_IS_BEST, ANOTHER_IS_BETTER, BAD_INPUT, NOTHING_TO_RECOMMEND = 0, 1, 2, 3


def log(options: argparse.Namespace) -> int:
    address = None
    if options.serve is not None:
        address = link.parse_address(options.serve) if options.serve else link.new_address(paths.runtime_dir())
    return main.run(
        Options(
            config_path=getattr(options, "config", None),
            watchlist=getattr(options, "watchlist", None),
            sim=getattr(options, "sim", None),
            speed=getattr(options, "speed", 1.0),
            address=address,
            announce=address is not None,
            out=options.out,
            every_s=options.every,
            for_s=options.for_s,
        )
    )


def advise(options: argparse.Namespace) -> int:
    """One answer on stdout; exit code as ``detour advise --help`` says."""
    base = Options(
        config_path=getattr(options, "config", None),
        watchlist=getattr(options, "watchlist", None),
        sim=getattr(options, "sim", None),
        speed=getattr(options, "speed", 1.0),
        order=main.OrderOverride(symbol=options.symbol, side=options.side, notional=options.notional),
        for_s=ADVISE_PATIENCE_S,
    )
    last: list[Frame] = []

    def keep(frame: Frame) -> None:
        last[:] = [frame]

    code = main.run(base, keep, lambda frame: _settled(frame, options.symbol))
    if code:
        return code
    row = next((a for f in last for a in f.advice if a.symbol == options.symbol), None)
    if row is None:
        print(f"detour: nothing was heard of {options.symbol} within {ADVISE_PATIENCE_S:.0f} s", file=sys.stderr)
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
