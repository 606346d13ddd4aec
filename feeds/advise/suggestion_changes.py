"""Which changes of a suggestion are worth an event, and how they read. Pure: rows in, sentences out."""

from __future__ import annotations

from feeds.frame import AdviceRow


class SuggestionChanges:
    """Remembers the suggestion that stood for each symbol; the first one is no change."""

    def __init__(self) -> None:
        self._stood: dict[str, str | None] = {}
        self._sentences: list[str] = []

    def observe(self, row: AdviceRow, *, silent: bool = False) -> None:
        """Compares with the row before. ``silent``: what is suggested now stands without a sentence."""
        new = row.symbol not in self._stood
        before = self._stood.get(row.symbol)
        self._stood[row.symbol] = row.best
        if new or silent or row.best == before:
            return
        order, why = f"{row.side} {row.notional:,.0f} {row.symbol}", f" ({row.why})" if row.why else ""
        if row.best is None:
            self._sentences.append(f"{order}: no route can be recommended now{why}")
            return
        saving = f", saves {row.saving_bps:.1f} bp" if row.saving_bps is not None and row.saving_bps > 0 else ""
        change = f"{before} -> {row.best}" if before is not None else f"{row.best} can be recommended now"
        self._sentences.append(f"{order}: {change}{saving}{why}")

    def take(self) -> list[str]:
        """The sentences since the last call."""
        sentences, self._sentences = self._sentences, []
        return sentences
