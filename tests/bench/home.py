"""A user's folders and config file for one measurement, apart from those of whoever runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


class Home:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def environment(self) -> dict[str, str]:
        """For child processes."""
        kinds = ("CONFIG", "CACHE", "STATE", "DATA", "RUNTIME")
        places = {f"XDG_{kind}_{'DIR' if kind == 'RUNTIME' else 'HOME'}": kind.lower() for kind in kinds}
        made = {name: self._folder / place for name, place in places.items()}
        for path in made.values():
            path.mkdir(mode=0o700, exist_ok=True)
        return {name: str(path) for name, path in made.items()}

    def configure(
        self, routes: Sequence[str], symbols: Sequence[str], endpoints: Mapping[str, Mapping[str, str]] | None = None
    ) -> Path:
        """A config file with one watchlist. ``endpoints``: by route, ``rest`` and ``ws``; one is the witness too."""
        # JSON's strings and arrays of strings are TOML's as well
        lines = [
            "[watchlists.default]",
            f"symbols = {json.dumps(list(symbols))}",
            f"routes = {json.dumps(list(routes))}",
            f"home = {json.dumps(routes[-1])}",
        ]
        for route, hosts in (endpoints or {}).items():
            lines += [f"[endpoints.{route}]", *(f"{kind} = {json.dumps(hosts[kind])}" for kind in ("rest", "ws"))]
        if endpoints:
            target = endpoints[routes[0]]["rest"].removeprefix("http://")
            lines += ["[witness]", f"targets = {json.dumps([target])}"]
        path = self._folder / "config.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path
