"""Closed and opened withdrawals become events, each once."""

from __future__ import annotations

from typing import Literal

from feeds.clock import SystemClock
from feeds.collector.event_log import EventLog
from feeds.collector.transfer_news import TransferNews
from feeds.frame import RailRow


def row(coin: str, withdraw: Literal["open", "slow", "closed", "unknown"]) -> RailRow:
    return RailRow(coin=coin, deposit="open", withdraw=withdraw)


def test_withdrawals_that_close_and_open_are_events() -> None:
    events = EventLog(SystemClock())
    news = TransferNews(events)
    news.update("okx", (row("BTC", "open"), row("ETH", "closed")))
    news.update("okx", (row("BTC", "slow"), row("ETH", "closed")))
    news.update("okx", (row("BTC", "open"), row("ETH", "open")))
    assert [(e.level, e.code, e.route, e.text) for e in events.rows()] == [
        ("warning", "transfer", "okx.spot", "ETH cannot be withdrawn"),
        ("warning", "transfer", "okx.spot", "BTC can be withdrawn again"),
        ("warning", "transfer", "okx.spot", "ETH can be withdrawn again"),
    ]
    assert news.by_venue == {"okx": (row("BTC", "open"), row("ETH", "open"))}


def test_another_venues_answer_changes_nothing_here() -> None:
    events = EventLog(SystemClock())
    news = TransferNews(events)
    news.update("okx", (row("BTC", "closed"),))
    news.update("gate", (row("BTC", "open"),))
    assert [e.route for e in events.rows()] == ["okx.spot"]
