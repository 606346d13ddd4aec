"""Everything known of one route, as sections of lines: reasons, phases, channels, sockets, notes, history. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len

from feeds.frame import PairRow, Phases, RouteRow
from feeds.model import State, venue_of
from tui.format import (
    DASH,
    bar,
    bps,
    clean,
    clock,
    count,
    duration,
    fit,
    millions,
    milliseconds,
    number,
    percent,
    ratio,
    seconds,
    wrap,
)
from tui.lines import EMPTY, Line, Part, cut, line, note, title
from tui.panes.chart import Trace, chart, span_for
from tui.panes.route_columns import is_high
from tui.view import GLYPHS, View, hues, state_role

_PHASES = (
    ("resolve", "resolve"),
    ("connect", "connect"),
    ("tls", "TLS"),
    ("first_byte", "first byte"),
    ("body", "body"),
)

_CHARTS = {"rest": "REST p50", "age": "Feed age p50"}


def route_lines(view: View, row: RouteRow | None, width: int, height: int) -> list[Line]:
    """The whole page at ``width``; two columns where there is room, their charts as high as ``height`` allows."""
    if view.frame is None or row is None:
        return [note("this route is not in the picture any more: esc goes back")]
    head = _headline(view, row, width)
    if view.freshness == "gone":
        return [*head, note("what was measured is too old to be shown")]
    if width < 124:
        parts = [reasons(row, width), phases(row, width), channels(row, width), figures(row, width)]
        parts += [pairs(view, row, width), transfers(view, row, width), notes(row, width)]
        return [*head, *_stack([*parts, *(history(view, row, chart, width, 9) for chart in _CHARTS)])]
    left_width = width * 55 // 100
    right_width = width - left_width - 1
    left = _stack(
        [reasons(row, left_width), channels(row, left_width), pairs(view, row, left_width), notes(row, left_width)]
    )
    right = _stack([phases(row, right_width), figures(row, right_width), transfers(view, row, right_width)])
    columns = []
    for lines, wide, name in ((left, left_width, "age"), (right, right_width, "rest")):
        high = min(18, max(8, height - len(head) - len(lines) - 1))
        columns.append(_stack([lines, history(view, row, name, wide, high)]))
    return [*head, *beside(columns[0], left_width, columns[1])]


def _stack(sections: Sequence[Sequence[Line]]) -> list[Line]:
    lines: list[Line] = []
    for section in sections:
        if section:
            lines += ([EMPTY] if lines else []) + list(section)
    return lines


def beside(left: Sequence[Line], left_width: int, right: Sequence[Line]) -> list[Line]:
    """Two columns of lines as one."""
    joined: list[Line] = []
    for y in range(max(len(left), len(right))):
        mine = cut(left[y], left_width).parts if y < len(left) else ()
        other = right[y].parts if y < len(right) else ()
        used = sum(cell_len(text) for text, _ in mine)
        joined.append(line(*mine, (" " * (left_width + 1 - used), "text"), *other))
    return joined


def _headline(view: View, row: RouteRow, width: int) -> list[Line]:
    role = state_role(row.state)
    venue_hue = hues(view.frame) if view.frame is not None else {}
    home = "  home" if view.frame is not None and row.route == view.frame.home else ""
    now_ns = view.now_ns if not view.frozen or view.frame is None else view.frame.t_ns
    return [
        line(
            (f" {GLYPHS[row.state]} ", f"{role} bold"),
            (clean(row.route), f"hue.{venue_hue.get(venue_of(row.route), 0)} bold"),
            (f"  {row.state.value}", f"{role} bold"),
            (f"  {row.cause.value}" if row.cause else "", "text"),
            (f"  since {clock(row.since_ns)} ({duration(now_ns - row.since_ns)})", "muted"),
            (home, "key"),
            (f"  score {count(row.score)}{' of 100' if width >= 100 else ''}", role if row.score else "muted"),
        ),
        EMPTY,
    ]


def reasons(row: RouteRow, width: int) -> list[Line]:
    """Every reason of the verdict: value, own normal, ratio, since when, points, and its clause."""
    lines = [title(width, None, "Reasons", "what adds up to the score")]
    if not row.reasons:
        words = "nothing speaks against this route" if row.state is State.OK else "no measured reason was given"
        return [*lines, note(words)]
    name = min(26, max(len(r.signal) for r in row.reasons))
    lines.append(
        line((f"  pts {fit('signal', name)} {'value':>8} {'normal':>8} {'ratio':>6}  {'since':8}  evidence", "muted"))
    )
    for r in row.reasons:
        lines.append(
            line(
                (f" {fit(f'+{r.points}', 4, right=True)} ", state_role(row.state)),
                (fit(clean(r.signal), name), "text"),
                (" " + fit(_figure(r.signal, r.value), 8, right=True), "bright bold"),
                (" " + fit(_figure(r.signal, r.baseline), 8, right=True), "text"),
                (" " + fit(ratio(r.ratio), 6, right=True), "text"),
                (f"  {clock(r.since_ns)}  ", "muted"),
                (r.evidence.value, "muted"),
            )
        )
        if r.text:
            lines += [line((" " * 6, "text"), (text, "muted")) for text in wrap(clean(r.text), width - 8)[:2]]
    return lines


def _figure(signal: str, value: float | None) -> str:
    """A reason's figure in the unit its name carries."""
    if value is None:
        return DASH
    stem = signal.partition(".")[0]
    if stem.endswith("_share"):
        return f"{percent(value)} %"
    if stem.endswith("_ms"):
        return milliseconds(value)
    return bps(value)


def phases(row: RouteRow, width: int) -> list[Line]:
    """The round trip cut into its phases: warm on a kept-alive connection, cold on a new one; one scale for both."""
    lines = [title(width, None, "Round trip", "phases, ms · the bar's width is time")]
    values = [getattr(p, field) for p in (row.warm, row.cold) for field, _ in _PHASES]
    most = max((v for v in values if v is not None), default=None)
    if most is None:
        return [*lines, note("no probe has come back yet")]
    room = max(5, width - 29)
    for word, measured in (("warm", row.warm), ("cold", row.cold)):
        lines += _phase_lines(word, measured, room, most)
    tcp = f"kernel round trip {milliseconds(row.tcp_ms)} ms"
    lines.append(line((f" {tcp}", "muted"), (_own_time(row), "text")))
    return lines


def _phase_lines(word: str, measured: Phases, room: int, most: float) -> list[Line]:
    lines: list[Line] = []
    for field, name in _PHASES:
        value: float | None = getattr(measured, field)
        if value is None:
            continue
        figure_role = "bright bold" if field == "first_byte" else "text"
        lead = word if not lines else ""
        drawn = bar(value / most * room, room).rstrip() if most > 0 else ""
        hue = "hue.0" if word == "warm" else "hue.1"
        lines.append(
            line(
                (f" {lead:5} ", "muted"),
                (f"{name:11}", "text"),
                (fit(milliseconds(value), 7, right=True) + " ", figure_role),
                (drawn, hue),
            )
        )
    return lines or [line((f" {word:5} ", "muted"), ("not measured yet", "muted"))]


def _own_time(row: RouteRow) -> str:
    return "" if row.venue_time_ms is None else f"   venue's own time {milliseconds(row.venue_time_ms)} ms"


def channels(row: RouteRow, width: int) -> list[Line]:
    lines = [title(width, None, "Channels", f"{row.sockets_up} of {row.sockets} sockets up")]
    if not row.channels:
        return [*lines, note("nothing subscribed yet")]
    name = min(30, max(10, *(len(c.channel) for c in row.channels)))
    lines.append(line((f"   {fit('channel', name)} {'state':8} {'silent':>8} {'limit':>8}", "muted")))
    looks = {"live": ("●", "state.ok"), "waiting": ("·", "state.unknown"), "quiet": ("◐", "muted"),
             "silent": ("◆", "state.stalled"), "refused": ("⊘", "state.blocked")}  # fmt: skip
    for c in row.channels:
        glyph, role = looks[c.state]
        lines.append(
            line(
                (f" {glyph} ", role),
                (fit(clean(c.channel), name), "text"),
                (f" {c.state:8}", role),
                (" " + fit(seconds(c.silence_ms), 8, right=True), "bright bold" if c.state == "silent" else "text"),
                (" " + fit(seconds(c.limit_ms), 8, right=True), "muted"),
            )
        )
    return lines


def figures(row: RouteRow, width: int) -> list[Line]:
    """Single figures, two a line."""
    cells: list[tuple[str, str, bool]] = [
        ("REST p50", f"{milliseconds(row.rest_ms.p50)} ms", is_high(row.rest_ms.p50, row.rest_high_ms)),
        ("its normal", f"{milliseconds(row.baseline_rest_ms)} ms", False),
        ("REST p99", f"{milliseconds(row.rest_ms.p99)} ms", False),
        ("lost", f"{percent(row.rest_ms.lost)} %", bool(row.rest_ms.lost)),
        ("feed age p50", f"{milliseconds(row.feed_age_ms.p50)} ms", is_high(row.feed_age_ms.p50, row.age_high_ms)),
        ("its normal", f"{milliseconds(row.baseline_age_ms)} ms", False),
        ("feed age p99", f"{milliseconds(row.feed_age_ms.p99)} ms", False),
        ("engine lag", f"{milliseconds(row.engine_lag_ms)} ms", False),
        ("websocket p50", f"{milliseconds(row.ws_ms.p50)} ms", False),
        ("websocket p99", f"{milliseconds(row.ws_ms.p99)} ms", False),
        ("errors", f"{percent(row.error_share)} %", bool(row.error_share)),
        ("limit used", f"{percent(row.weight_used)} %", False),
        ("clock offset", f"{milliseconds(row.offset_ms)} ±{milliseconds(row.offset_err_ms)} ms", False),
        ("silent for", seconds(row.silence_ms), False),
        ("gaps/resyncs", f"{row.gaps}/{row.resyncs}", bool(row.gaps)),
        ("reconnects", str(row.reconnects), False),
        ("garbled", number(row.garbled), bool(row.garbled)),
        ("unknown msgs", number(row.unknown), False),
    ]
    half = max(20, (width - 2) // 2)
    lines = [title(width, None, "Figures")]
    for index in range(0, len(cells), 2):
        parts: list[Part] = []
        for name, text, bright in cells[index : index + 2]:
            parts += [
                (f" {fit(name, 14)}", "muted"),
                (fit(text, half - 16, right=True) + " ", "bright bold" if bright else "text"),
            ]
        lines.append(line(*parts))
    for text, times in row.errors[:4]:
        lines.append(line((f" {times:>5}x ", "state.congested"), (fit(clean(text), max(4, width - 9)), "text")))
    return lines


def pairs(view: View, row: RouteRow, width: int) -> list[Line]:
    mine: list[PairRow] = [] if view.frame is None else [p for p in view.frame.pairs if p.route == row.route]
    if not mine:
        return []
    name = min(20, max(len(p.symbol) for p in mine))
    lines = [
        title(width, None, "Pairs", "spread and gap in bp, depth within 10 bp in M"),
        line(
            (
                f" {fit('symbol', name)} {'state':9} {'bid':>9} {'spread':>6} {'bid|ask':>10} {'gap':>6} {'age':>6}",
                "muted",
            )
        ),
    ]
    for p in mine:
        live = p.state == "live"
        depth = p.depth.get("10") if live else None
        sides = DASH if depth is None else f"{millions(depth.bid)}|{millions(depth.ask)}"
        figure_role = "text" if live else "faint"
        age = milliseconds(p.age_ms) if live else seconds(p.quiet_ms)
        lines.append(
            line(
                (f" {fit(clean(p.symbol), name)}", "text"),
                (f" {p.state:9}", "muted"),
                (" " + fit(_price(p) if live else DASH, 9, right=True), figure_role),
                (" " + fit(bps(p.spread_bps) if live else DASH, 6, right=True), figure_role),
                (" " + fit(sides, 10, right=True), figure_role),
                (" " + fit(bps(p.gap_bps, sign=True) if live else DASH, 6, right=True), figure_role),
                (" " + fit(age, 6, right=True), figure_role),
            )
        )
    return lines


def transfers(view: View, row: RouteRow, width: int) -> list[Line]:
    """The watched coins' ways in and out, and the basis that the route's prices were converted with."""
    lines: list[Line] = []
    if row.rails:
        lines.append(title(width, None, "Transfers", "as the venue publishes them"))
        lines.append(line((f" {'coin':8} {'deposit':10} {'withdraw':10} closed on", "muted")))
    for rail in row.rails or ():
        shut = rail.withdraw != "open"
        lines.append(
            line(
                (f" {fit(clean(rail.coin), 8)} {rail.deposit:10} ", "text"),
                (f"{rail.withdraw:10} ", "bright bold" if shut else "text"),
                (fit(clean(", ".join(rail.closed)) or DASH, max(4, width - 32)), "muted"),
            )
        )
    quotes = {p.quote for p in view.frame.pairs if p.route == row.route and p.stands_for} if view.frame else set()
    for basis in view.frame.basis if view.frame and quotes else ():
        if quotes & set(basis.pair.split("/")):
            words = f" basis {basis.pair} {basis.rate:.5f}, from {basis.routes} live books"
            lines.append(line((fit(words, width - 1), "muted")))
    return lines


def _price(pair: PairRow) -> str:
    if pair.bid is None:
        return DASH
    tick = f"{pair.tick:.10f}".rstrip("0").rstrip(".") if pair.tick else "0.01"
    # eight digits say enough where the venue's smallest step is far below them (Bitfinex: significant digits)
    most = max(0, 7 - math.floor(math.log10(pair.bid))) if pair.bid > 0 else 8
    return number(pair.bid, min(8, most, len(tick.partition(".")[2])))


def notes(row: RouteRow, width: int) -> list[Line]:
    if not row.notes:
        return []
    lines = [title(width, None, "Notes", "official notices and oddities")]
    for text in row.notes:
        lines += [
            line((" " if i else " · ", "muted"), (("  " if i else "") + part, "text"))
            for i, part in enumerate(wrap(clean(text), width - 4))
        ]
    return lines


def history(view: View, row: RouteRow, key: str, width: int, height: int) -> list[Line]:
    """REST or feed age over the last minutes, on ``height`` lines with the title."""
    now = row.rest_ms.p50 if key == "rest" else row.feed_age_ms.p50
    value = view.history.at(f"{key}:{row.route}", view.at_s - view.back_s) if view.back_s else now
    venue_hue = hues(view.frame) if view.frame is not None else {}
    trace = Trace(
        name=f"{key}:{row.route}",
        label="",
        role=f"hue.{venue_hue.get(venue_of(row.route), 0)}",
        text="",
        lost=f"lost:{row.route}" if key == "rest" else None,
    )
    lines = chart(
        view.history,
        [trace],
        width=width - 1,
        height=height - 1,
        end_s=view.at_s,
        span_s=span_for(view.history, 1800, view.at_s),
        log=True,
        back_s=view.back_s,
        end=view.end,
    )
    when = f" at {clock((view.at_s - view.back_s) * 1_000_000_000)}" if view.back_s else ""
    detail = f"{milliseconds(value)} ms{when} · log{' · × lost' if key == 'rest' else ''}"
    return [title(width, None, _CHARTS[key], detail), *lines]
