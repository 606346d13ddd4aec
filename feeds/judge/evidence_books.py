"""From a route's books and prices to findings: a book that is wrong, frozen or thin, a price that is odd."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from feeds.consensus import Gap
from feeds.judge.book_history import BOOK_RECENT_S, BookHistory
from feeds.judge.finding import RELEASE_SHARE, THIN_SPACE, Finding, against, figure, percent
from feeds.judge.rolling import Baseline, ns
from feeds.judge.route_history import RouteHistory
from feeds.judge.thresholds import Thresholds
from feeds.model import Cause, Evidence

PRICE_STORM = 2.0
"""In a storm everybody's prices lie apart: an odd one must be this much odder."""
LAST_4_S = f"last {figure(BOOK_RECENT_S)} s"
FREEZE_S = 5.0
"""A frozen book must last this long."""


def book_findings(history: RouteHistory, now_ns: int, active: Collection[str]) -> Iterator[Finding]:
    """Wrong, unsynced and frozen books, and books that are thin against their own baseline."""
    for name, symbol in history.symbols.items():
        if symbol.last is not None:
            yield from _wrong_findings(history, name, symbol, now_ns)
            yield from _thin_findings(history, name, symbol, active)
    feed = history.feed.last
    if feed is not None and feed.frozen_books:
        yield Finding(
            key="frozen",
            signal="frozen_books",
            evidence=Evidence.BOOK,
            cause=Cause.ENGINE,
            weight=2,
            value=float(feed.frozen_books),
            raise_s=FREEZE_S,
            text=f"{feed.frozen_books} books do not change while trades go on",
        )


def _wrong_findings(history: RouteHistory, name: str, symbol: BookHistory, now_ns: int) -> Iterator[Finding]:
    limits = history.limits
    crossed_ns, disagrees_ns, unsynced_ns = symbol.crossed_ns, symbol.disagrees_ns, symbol.unsynced_ns
    if crossed_ns is not None and now_ns - crossed_ns >= ns(limits.wrong_book_s):
        words = f"{name}: book crossed"
        key, weight = f"crossed.{name}", _wrong_weight(limits, crossed_ns, now_ns)
        yield _wrong(key, words, Cause.BOOK, weight, crossed_ns, now_ns, signal=f"book_crossed_s.{name}")
    if disagrees_ns is not None and now_ns - disagrees_ns >= ns(limits.wrong_book_s):
        words = f"{name}: book disagrees with the venue's own snapshot or trades"
        key, weight = f"disagrees.{name}", _wrong_weight(limits, disagrees_ns, now_ns)
        yield _wrong(key, words, Cause.BOOK, weight, disagrees_ns, now_ns, signal=f"book_disagrees_s.{name}")
    if unsynced_ns is not None and history.links.up() and now_ns - unsynced_ns >= ns(limits.unsynced_s):
        key, words = f"unsynced.{name}", f"{name}: no complete book"
        yield _wrong(key, words, Cause.FEED, 2, unsynced_ns, now_ns, signal=f"book_unsynced_s.{name}")


def _wrong_weight(limits: Thresholds, since_ns: int, now_ns: int) -> int:
    return 3 if (now_ns - since_ns) / 1e9 >= limits.wrong_book_strong_s else 2


def _wrong(key: str, words: str, cause: Cause, weight: int, since_ns: int, now_ns: int, *, signal: str) -> Finding:
    lasted_s = (now_ns - since_ns) / 1e9
    return Finding(
        key=key,
        signal=signal,
        evidence=Evidence.BOOK,
        cause=cause,
        weight=weight,
        value=lasted_s,
        onset_ns=since_ns,
        raise_s=0.0,
        text=f"{words} for {figure(lasted_s)} s",
    )


def _thin_findings(history: RouteHistory, name: str, symbol: BookHistory, active: Collection[str]) -> Iterator[Finding]:
    limits = history.limits
    depth = symbol.depth_ratio()
    if depth is not None:
        ratio, value, usual = depth
        if ratio <= limits.depth_ratio / (RELEASE_SHARE if f"depth.{name}" in active else 1.0):
            words = f"depth within 10 bp, {LAST_4_S}: {figure(value)}, {percent(ratio)} of its normal {figure(usual)}"
            yield Finding(
                key=f"depth.{name}",
                signal=f"depth_10bp_last4s.{name}",
                evidence=Evidence.BOOK,
                cause=Cause.LIQUIDITY,
                weight=2 if ratio <= limits.depth_strong_ratio else 1,
                value=value,
                baseline=usual,
                ratio=ratio,
                raise_s=limits.liquidity_raise_s,
                text=f"{name}: {words}",
            )
    wide, value_bps = symbol.spread_ratio(limits.spread_floor_bps), symbol.spread_bps
    ease = RELEASE_SHARE if f"spread.{name}" in active else 1.0
    if wide is not None and value_bps is not None and wide >= ease * limits.spread_ratio:
        yield Finding(
            key=f"spread.{name}",
            signal=f"spread_last4s_bps.{name}",
            evidence=Evidence.BOOK,
            cause=Cause.LIQUIDITY,
            weight=2 if wide >= limits.spread_strong_ratio else 1,
            value=value_bps,
            baseline=symbol.base_spread.value,
            ratio=wide,
            raise_s=limits.liquidity_raise_s,
            text=f"{name}: spread, {LAST_4_S}: {figure(value_bps)} bp{against(symbol.base_spread.value)}",
        )


def signed(bps: float) -> str:
    """Whole basis points with a sign."""
    return f"{round(bps):+,}".replace(",", THIN_SPACE) if round(bps) else "0"


def price_finding(history: RouteHistory, name: str, gap: Gap, storm: bool, active: bool) -> Finding | None:
    """A mid that lies further from the other routes' than is usual for it, while the others agree."""
    limits, symbol = history.limits, history.symbols[name]
    base: Baseline = symbol.base_gap
    usual, spread = base.value, base.mad
    if usual is None or spread is None or symbol.last is None or gap.gap_bps is None:
        return None
    off_bps = abs(gap.gap_bps - usual)
    floor_bps = limits.price_floor_bps * (PRICE_STORM if storm else 1.0)
    # half its own spread each way is where its mid may wander without any trade being odd
    needed_bps = max(floor_bps, limits.price_mads * spread, symbol.last.spread_bps or 0.0)
    ease = RELEASE_SHARE if active else 1.0
    if off_bps < ease * needed_bps or off_bps < ease * limits.price_peers_agree * gap.apart_bps:
        return None
    return Finding(
        key=f"price.{name}",
        signal=f"gap_bps.{name}",
        evidence=Evidence.PRICE,
        cause=Cause.PRICE,
        weight=2 if off_bps >= limits.price_strong_bps else 1,
        value=gap.gap_bps,
        baseline=usual,
        text=f"{name}: mid {signed(gap.gap_bps)} bp from {gap.others} other books, usually {signed(usual)}",
    )
