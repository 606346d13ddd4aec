"""Ways of the watched coins in and out of the venue, and the stablecoin basis in use."""

from __future__ import annotations

from feeds.frame import RouteRow
from tui.format import DASH, clean, fit
from tui.lines import Line, line, title
from tui.view import View


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
