"""What to say of suggestions that change: pure, rows in, sentences out."""

from __future__ import annotations

from feeds.frame import AdviceRow


class AdviceNews:
    """Remembers the suggestion that stood for each symbol; the first one is no news."""

    def __init__(self) -> None:
        self._stood: dict[str, str | None] = {}
        self._news: list[str] = []

    def note(self, row: AdviceRow, *, aloud: bool = True) -> None:
        """Not ``aloud``: what is suggested now stands without being told."""
        new = row.symbol not in self._stood
        before = self._stood.get(row.symbol)
        self._stood[row.symbol] = row.best
        if new or not aloud or row.best == before:
            return
        order, why = f"{row.side} {row.notional:,.0f} {row.symbol}", f" ({row.why})" if row.why else ""
        if row.best is None:
            self._news.append(f"{order}: no route can be recommended now{why}")
            return
        saving = f", saves {row.saving_bps:.1f} bp" if row.saving_bps is not None and row.saving_bps > 0 else ""
        change = f"{before} -> {row.best}" if before is not None else f"{row.best} can be recommended now"
        self._news.append(f"{order}: {change}{saving}{why}")

    def take(self) -> list[str]:
        """All that was noted since the last call."""
        news, self._news = self._news, []
        return news
