"""Every sample that the product makes carries a monotonic time: the judge takes all intervals from it."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec

from feeds import samples

FEEDS = Path(samples.__file__).parent
NAMES = {name for name, kind in vars(samples).items() if name.endswith("Sample") and isinstance(kind, type)}


def made() -> list[tuple[str, str, bool]]:
    """(where, which sample, with a monotonic time) for every place of the product that makes one."""
    found = []
    for path in sorted(FEEDS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
                timed = any(keyword.arg == "mono_ns" for keyword in node.keywords)
                found.append((f"{path.name}:{node.lineno}", node.func.id, timed))
    return found


def test_no_sample_is_made_without_it() -> None:
    assert {name for _, name, _ in made()} == NAMES
    assert not [place for place in made() if not place[2]]


def test_every_kind_of_sample_can_carry_it() -> None:
    for name in NAMES:
        assert "mono_ns" in {field.name for field in msgspec.structs.fields(getattr(samples, name))}
