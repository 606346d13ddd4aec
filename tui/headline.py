"""The headline: one sentence that says what is wrong, since when, whose fault, what to do and at what price. Pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from feeds.frame import AdviceRow, Frame, RouteRow
from feeds.model import Cause, State
from tui.format import bps, clean, clock, milliseconds, money
from tui.selection import advice_of, chosen_symbol, ordered
from tui.state_look import GLYPHS
from tui.view import View

Tone: TypeAlias = Literal["good", "bad", "unknown", "lost"]

_FAULT = {
    Cause.SELF: "by our own machine",
    Cause.UPLINK: "by our own uplink",
    Cause.PATH: "by the network between here and there",
    Cause.GATEWAY: "by its gateway",
    Cause.FEED: "by its data feed",
    Cause.ENGINE: "by its matching engine",
    Cause.BOOK: "its book is wrong",
    Cause.LIQUIDITY: "its book is thin",
    Cause.PRICE: "its price stands apart",
    Cause.SHARED: "together with venues that share its infrastructure",
    Cause.MARKET: "like the whole market: nobody to blame",
    Cause.PLANNED: "as announced",
    Cause.WARMING: "still warming up",
}


class Headline(Struct, frozen=True, kw_only=True):
    """``role`` colours glyph and words; ``act`` is what to do, shown brighter; ``key`` the keystroke that does it."""

    tone: Tone
    glyph: str
    role: str
    what: str
    act: str = ""
    key: str = ""

    @property
    def text(self) -> str:
        return f"{self.what} {self.act}".strip()


def headline(view: View) -> Headline:
    """The sentence a trader reads first."""
    if view.lost:
        return _lost(view)
    frame = view.frame
    if frame is None:
        return _not_known("Waiting for the collector's first picture.")
    why = _no_verdicts(frame)
    if why is not None:
        return _not_known(why)
    advice = advice_of(frame, chosen_symbol(view))
    rows = ordered(frame)
    bad = frame.summary.slow + frame.summary.closed
    if not bad:
        return _clear(frame, advice)
    worst = rows[0]
    return Headline(
        tone="bad",
        glyph=GLYPHS[worst.state],
        role=f"state.{worst.state.value}",
        what=_fault_of(worst, bad),
        act=_what_to_do(frame, advice),
        key="h make it home" if advice and advice.best and advice.best != frame.home else "",
    )


def _lost(view: View) -> Headline:
    why = f" ({clean(view.goodbye)})" if view.goodbye else ""
    if view.frame is None:
        what = f"No news from the collector{why}: nothing was ever heard."
    else:
        what = f"No news from the collector since {clock(view.heard_ns)}{why}: everything below is old."
    return Headline(tone="lost", glyph="✕", role="bright", what=what)


def _not_known(what: str) -> Headline:
    return Headline(tone="unknown", glyph="·", role="state.unknown", what=what)


def _no_verdicts(frame: Frame) -> str | None:
    """Why no venue can be judged; None where at least one is judged."""
    summary = frame.summary
    since = "" if summary.no_verdicts_since_ns is None else f" since {clock(summary.no_verdicts_since_ns)}"
    match summary.no_verdicts:
        case None:
            return None
        case "uplink_down":
            return f"Our uplink is down{since}: no verdicts on venues."
        case "no_routes":
            return "This watchlist has no routes: press w for another one."
        case "uplink_doubtful":
            return f"Our uplink is in doubt{since}: no verdicts on venues."
        case "own_lag":
            lag = milliseconds(frame.own.loop_lag_ms.p99)
            return f"Our own machine is late{since} (lag p99 {lag} ms): no verdicts on venues."
        case "untrusted":
            return f"Certificates do not verify here{since}: somebody answers in the venues' place, see a route."
        case "own_clock":
            return f"Our own clock was set{since}: no verdicts until ages are measured anew."
        case "own_pause":
            return f"We were asleep or stopped{since}: no verdicts until something new comes."
        case "unwatched":
            return f"No pair can be watched{since}: see a route for why."
        case "warming":
            return f"Warming up{since}: no verdicts until every route has shown its own normal."


def _clear(frame: Frame, advice: AdviceRow | None) -> Headline:
    clear, unknown = frame.summary.clear, frame.summary.unknown
    what = f"{clear} route{'s' if clear != 1 else ''} clear" + (f", {unknown} not known yet" if unknown else "")
    if frame.own.witness == "down":
        what += ", though the witness of our own line does not answer"
    if advice is None or advice.best is None or advice.best_cost_bps is None:
        return Headline(tone="good", glyph="●", role="state.ok", what=f"{what}.")
    order = f"to {advice.side} {money(advice.notional)} {clean(advice.symbol)}"
    saving = _saving(advice)
    act = f"{clean(advice.best)} is cheapest {order}: {bps(advice.best_cost_bps)} bp all in{saving}."
    return Headline(tone="good", glyph="●", role="state.ok", what=f"{what};", act=act)


def _fault_of(worst: RouteRow, bad: int) -> str:
    state = "has been blocked" if worst.state is State.BLOCKED else f"is {worst.state.value}"
    fault = "" if worst.cause is None else f", {_FAULT[worst.cause]}"
    others = bad - 1
    more = f" ({others} more not clear)" if others else ""
    return f"{clean(worst.route)} {state} since {clock(worst.since_ns)}{fault}{more}."


def _what_to_do(frame: Frame, advice: AdviceRow | None) -> str:
    if advice is None:
        return ""
    order = f"{advice.side.capitalize()} {money(advice.notional)} {clean(advice.symbol)}"
    if advice.best is None or advice.best_cost_bps is None:
        return f"{order}: no usable route."
    verb = "at home on" if advice.best == frame.home else "on"
    return f"{order} {verb} {clean(advice.best)}: {bps(advice.best_cost_bps)} bp all in{_saving(advice)}."


def _saving(advice: AdviceRow) -> str:
    if advice.best == advice.home or advice.saving_bps is None or advice.saving_bps < 0.05:
        return ""
    return f", saves {bps(advice.saving_bps)} bp"
