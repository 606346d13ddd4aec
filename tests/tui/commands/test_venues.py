"""``detour venues`` leaves nothing out and cuts nothing off."""

from __future__ import annotations

import json

import pytest

from feeds.venues.registry import VENUES
from tui.commands.main import main
from tui.commands.venues import rows_of, table


def test_every_product_of_every_venue_has_a_row_without_an_empty_cell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["venues", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["route"] for r in rows] == [f"{v.name}.{p}" for v in VENUES.values() for p in v.products]
    for row in rows:
        assert all(row.values()), row


def test_an_age_is_promised_only_where_the_venue_tells_its_time() -> None:
    measures = {str(row["route"]): str(row["measures"]) for row in rows_of(VENUES.values(), {})}
    assert "age" in measures["binance.spot"].split(", ")
    assert "age" not in measures["cryptocom.linear"].split(", ") and "engine lag" in measures["cryptocom.linear"]


def test_the_table_shows_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(rows_of(VENUES.values(), {}))
    shown = " ".join(table(rows)).split()
    for row in rows:
        for cell in row.values():
            assert set(str(cell).split()) <= set(shown)


def test_the_table_ends_with_the_exchanges_that_can_be_named_beside(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["venues"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert "ccxt.pro" in last and "phemex" in last
    assert not set(last.rpartition(": ")[2].split(", ")) & set(VENUES)
