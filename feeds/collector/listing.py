"""What one route lists of the watched symbols: as written, under another dollar currency, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from feeds.advise.basis import stand_in


class RouteListing:
    """Empty until the route's instruments are known (``update``), and again whenever the list has changed."""

    def __init__(self, symbols: Sequence[str]) -> None:
        """``symbols``: the watched symbols of the route's product."""
        self._symbols = tuple(symbols)
        self.listed: frozenset[str] | None = None
        """Every symbol that the route lists; None until it is known."""
        self.market_note = ""
        """One sentence while the instruments are not fresh, else empty."""
        self.stand_ins: Mapping[str, str] = {}
        """Watched symbol -> what the route lists instead, in another dollar currency."""
        self.chosen: tuple[str, ...] = ()
        """The route's own symbols for the watched ones, without those that it does not list."""
        self._absent: tuple[str, ...] = ()

    def update(self, listed: Collection[str], market_note: str) -> bool:
        """True when ``chosen`` is other than before; the first time too."""
        self.market_note = market_note
        before = None if self.listed is None else self.chosen
        self.listed = frozenset(listed)
        found = {symbol: stand_in(symbol, listed) for symbol in self._symbols}
        self.stand_ins = {symbol: own for symbol, own in found.items() if own is not None and own != symbol}
        self.chosen = tuple(own for own in found.values() if own is not None)
        self._absent = tuple(symbol for symbol, own in found.items() if own is None)
        return before != self.chosen

    def actual(self, symbol: str) -> str:
        """The route's own symbol for a watched one."""
        return self.stand_ins.get(symbol, symbol)

    def absent(self, symbol: str) -> bool:
        """It is known that the route does not list this symbol of its own."""
        return self.listed is not None and symbol not in self.listed

    def notes(self) -> tuple[str, ...]:
        """Whole sentences for the user."""
        notes = [f"Not listed here: {', '.join(self._absent)}."] if self._absent else []
        for symbol, own in self.stand_ins.items():
            notes.append(f"{own} stands in for {symbol}, compared through the live basis.")
        if self.market_note:
            notes.append(self.market_note)
        if self.listed is None:
            notes.append("Instruments are not known yet: the venue is being asked.")
        return tuple(notes)
