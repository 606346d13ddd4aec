"""From one route's books, prices and official words to findings: what is wrong, thin, odd or announced."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from feeds.consensus import Gap
from feeds.judge.book_history import BookHistory
from feeds.judge.finding import LET_GO, THIN_SPACE, Finding, against, figure, percent, ratio_of
from feeds.judge.rolling import Baseline, ns
from feeds.judge.route_history import RouteHistory
from feeds.model import Cause, Evidence, Fault, Product, StatusNotice

LINK_GRACE_S = 5.0
"""After a reconnect a book needs a moment for its snapshot."""
PRICE_STORM = 2.0
"""In a storm everybody's prices lie apart: an odd one must be this much odder."""
FREEZE_S = 5.0


def book_findings(track: RouteHistory, now_ns: int, held: Collection[str]) -> Iterator[Finding]:
    """Wrong, unsynced and frozen books, and thin ones against their own normal."""
    limits = track.limits
    for name, symbol in track.symbols.items():
        if symbol.last is None:
            continue
        for key, words, since_ns in (
            ("crossed", "book crossed", symbol.crossed_ns),
            ("disagrees", "book disagrees with the venue's own snapshot or trades", symbol.disagrees_ns),
        ):
            if since_ns is not None and now_ns - since_ns >= ns(limits.wrong_book_s):
                lasted_s = (now_ns - since_ns) / 1e9
                yield Finding(
                    key=f"{key}.{name}",
                    signal=f"{key}.{name}",
                    evidence=Evidence.BOOK,
                    cause=Cause.BOOK,
                    weight=3 if lasted_s >= limits.wrong_book_strong_s else 2,
                    value=lasted_s,
                    onset_ns=since_ns,
                    raise_s=0.0,
                    text=f"{name}: {words} for {figure(lasted_s)} s",
                )
        unsynced_ns = symbol.unsynced_ns
        if unsynced_ns is not None and track.links_up() and now_ns - unsynced_ns >= ns(limits.unsynced_s):
            lasted_s = (now_ns - unsynced_ns) / 1e9
            yield Finding(
                key=f"unsynced.{name}",
                signal=f"unsynced.{name}",
                evidence=Evidence.BOOK,
                cause=Cause.FEED,
                weight=2,
                value=lasted_s,
                onset_ns=unsynced_ns,
                raise_s=0.0,
                text=f"{name}: no complete book for {figure(lasted_s)} s",
            )
        yield from _thin_findings(track, name, symbol, now_ns, held)
    if track.feed is not None and track.feed.frozen_books:
        yield Finding(
            key="frozen",
            signal="frozen_books",
            evidence=Evidence.BOOK,
            cause=Cause.ENGINE,
            weight=2,
            value=float(track.feed.frozen_books),
            raise_s=FREEZE_S,
            text=f"{track.feed.frozen_books} books do not change while trades go on",
        )


def depth_ratio(symbol: BookHistory, now_ns: int) -> tuple[float, float, float] | None:
    """The thinner side within 10 bp: (ratio to its baseline, now, baseline); None while unknown."""
    worst: tuple[float, float, float] | None = None
    for window, base in ((symbol.bid, symbol.base_bid), (symbol.ask, symbol.base_ask)):
        value, usual = symbol.now(window, now_ns), base.value
        ratio = ratio_of(value, usual)
        if ratio is not None and value is not None and usual is not None and (worst is None or ratio < worst[0]):
            worst = ratio, value, usual
    return worst


def spread_ratio(symbol: BookHistory, now_ns: int, floor_bps: float) -> float | None:
    """Spread against its baseline; what lies under the floor above the baseline counts as unchanged."""
    value, usual = symbol.now(symbol.spread, now_ns), symbol.base_spread.value
    if value is None or usual is None:
        return None
    if value - usual < floor_bps:
        return 1.0
    return value / max(usual, 0.1)


def _thin_findings(
    track: RouteHistory, name: str, symbol: BookHistory, now_ns: int, held: Collection[str]
) -> Iterator[Finding]:
    limits = track.limits
    depth = depth_ratio(symbol, now_ns)
    if depth is not None:
        ratio, value, usual = depth
        if ratio <= limits.depth_ratio / (LET_GO if f"depth.{name}" in held else 1.0):
            yield Finding(
                key=f"depth.{name}",
                signal=f"depth_10bp.{name}",
                evidence=Evidence.BOOK,
                cause=Cause.LIQUIDITY,
                weight=2 if ratio <= limits.depth_strong_ratio else 1,
                value=value,
                baseline=usual,
                ratio=ratio,
                raise_s=limits.liquidity_raise_s,
                text=f"{name}: depth within 10 bp {figure(value)}, {percent(ratio)} of its normal {figure(usual)}",
            )
    wide, value_bps = spread_ratio(symbol, now_ns, limits.spread_floor_bps), symbol.now(symbol.spread, now_ns)
    ease = LET_GO if f"spread.{name}" in held else 1.0
    if wide is not None and value_bps is not None and wide >= ease * limits.spread_ratio:
        yield Finding(
            key=f"spread.{name}",
            signal=f"spread_bps.{name}",
            evidence=Evidence.BOOK,
            cause=Cause.LIQUIDITY,
            weight=2 if wide >= limits.spread_strong_ratio else 1,
            value=value_bps,
            baseline=symbol.base_spread.value,
            ratio=wide,
            raise_s=limits.liquidity_raise_s,
            text=f"{name}: spread {figure(value_bps)} bp{against(symbol.base_spread.value)}",
        )


def signed(bps: float) -> str:
    """Whole basis points with a sign."""
    return f"{round(bps):+,}".replace(",", THIN_SPACE) if round(bps) else "0"


def price_finding(track: RouteHistory, name: str, gap: Gap, storm: bool, held: bool) -> Finding | None:
    """A mid that lies further from the other routes' than is usual for it, while the others agree."""
    limits, symbol = track.limits, track.symbols[name]
    base: Baseline = symbol.base_gap
    usual, spread = base.value, base.mad
    if usual is None or spread is None or symbol.last is None:
        return None
    off_bps = abs(gap.gap_bps - usual)
    floor_bps = limits.price_floor_bps * (PRICE_STORM if storm else 1.0)
    # half its own spread each way is where its mid may wander without any trade being odd
    needed_bps = max(floor_bps, limits.price_mads * spread, symbol.last.spread_bps or 0.0)
    ease = LET_GO if held else 1.0
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


def refusal_finding(track: RouteHistory, now_ns: int) -> Finding | None:
    """We are refused: geo-block, ban, rate limit, maintenance; without any good answer since."""
    refusal, limits = track.refusal, track.limits
    if refusal is None or now_ns - refusal.last_ns > ns(limits.limit_hold_s):
        return _handshake_refusal(track)
    paused = now_ns - refusal.last_ns >= ns(limits.refused_pause_s)
    if refusal.count < limits.refused_min and not (refusal.banned or refusal.from_first or paused):
        return None
    since = f"{refusal.count} times in a row" if refusal.count > 1 else "not asked again since"
    if refusal.from_first:
        since = "since the first request"
    cause: Cause | None
    if refusal.fault is Fault.OUR_LIMIT:
        words, cause = f"refused for asking too much, {since}: {refusal.text}", Cause.SELF
    elif refusal.fault is Fault.MAINTENANCE:
        words, cause = f"the venue says maintenance: {refusal.text}", Cause.PLANNED
    else:
        words, cause = f"refused here, {since}: {refusal.text}", None
    return Finding(
        key="maintenance" if refusal.fault is Fault.MAINTENANCE else "refused",
        signal="rest_refusals",
        evidence=Evidence.STATUS if refusal.fault is Fault.MAINTENANCE else Evidence.REST,
        cause=cause,
        weight=3,
        value=float(refusal.count),
        onset_ns=refusal.since_ns,
        raise_s=0.0,
        text=words,
    )


def _handshake_refusal(track: RouteHistory) -> Finding | None:
    """Every websocket handshake is refused and no REST answer says otherwise."""
    if not track.links or track.data_ns is not None or track.good_ns is not None:
        return None
    refused = {Fault.GEO_BLOCK, Fault.REFUSED}
    if not all(link.fault in refused or link.http_status in {403, 451} for link in track.links.values()):
        return None
    link = next(iter(track.links.values()))
    return Finding(
        key="refused",
        signal="handshake_refusals",
        evidence=Evidence.FEED,
        cause=None,
        weight=3,
        value=float(len(track.links)),
        onset_ns=link.since_ns,
        text=f"every websocket handshake is refused: {link.http_status or ''} {link.text[:80]}".strip(),
    )


def status_findings(track: RouteHistory, product: str, wall_ns: int) -> Iterator[Finding]:
    """What the venue says of itself; ``wall_ns`` is the time its notices are dated in."""
    for notice in track.notices:
        if not notice.market_data or not _concerns(notice, product):
            continue
        begun = notice.begin_ns is None or notice.begin_ns <= wall_ns
        ended = notice.end_ns is not None and notice.end_ns <= wall_ns
        if notice.state == "ongoing" and begun and not ended:
            yield _status(notice, "maintenance", Cause.PLANNED, 3)
        elif notice.state == "scheduled" and notice.begin_ns is not None and begun and not ended:
            yield _status(notice, "scheduled", Cause.PLANNED, 0)
        elif notice.state == "incident" and not ended:
            yield _status(notice, "status", Cause.GATEWAY, 1)


def _concerns(notice: StatusNotice, product: str) -> bool:
    products: tuple[Product, ...] = notice.products
    return not products or product in products


def _status(notice: StatusNotice, key: str, cause: Cause, weight: int) -> Finding:
    return Finding(
        key=key,
        signal="official_status",
        evidence=Evidence.STATUS,
        cause=cause,
        weight=weight,
        raise_s=0.0,
        text=f"official: {notice.text[:120]}",
    )
