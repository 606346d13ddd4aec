"""The half hour behind the charts."""

from __future__ import annotations

from msgspec import structs

from feeds.link_messages import HISTORY_S, History
from tests.tui.scripted import SECOND, T0, changed, frame, history
from tui.history import HistoryBuffer, buckets

NAME = "rest:binance.linear"
BEGIN_S = T0 // SECOND


def test_a_frame_a_second_is_kept_however_many_come() -> None:
    buffer = HistoryBuffer()
    for quarter in range(12):
        buffer.write(frame("calm", quarter / 4))
    assert len(buffer) == 3
    assert buffer.revision == 3
    assert buffer.window(NAME, BEGIN_S + 2, 3) == [frame("calm", s).routes[0].rest_ms.p50 for s in (0, 1, 2)]


def test_seconds_without_a_frame_are_gaps_not_lines() -> None:
    buffer = HistoryBuffer()
    buffer.write(frame("calm", 0))
    buffer.write(frame("calm", 4))
    values = buffer.window(NAME, BEGIN_S + 4, 5)
    assert [v is None for v in values] == [False, True, True, True, False]


def test_history_then_frames_make_one_line() -> None:
    buffer = HistoryBuffer()
    buffer.load(history("calm", 60, length_s=100))
    buffer.write(frame("calm", 61))
    assert len(buffer) == 101
    assert None not in buffer.window(NAME, BEGIN_S + 61, 101)


def test_outside_of_what_is_known_is_missing() -> None:
    buffer = HistoryBuffer()
    buffer.load(history("calm", 60, length_s=10))
    assert buffer.window(NAME, BEGIN_S + 60, 12)[:2] == [None, None]
    assert buffer.window(NAME, BEGIN_S + 63, 12)[-3:] == [None] * 3
    assert buffer.at(NAME, BEGIN_S + 50) is None
    assert buffer.window("rest:nowhere", BEGIN_S + 60, 3) == [None] * 3


def test_never_longer_than_half_an_hour() -> None:
    buffer = HistoryBuffer()
    buffer.load(history("calm", 60))
    for second in range(61, 70):
        buffer.write(frame("calm", second))
    assert len(buffer) == HISTORY_S
    assert buffer.begin_s() == BEGIN_S + 69 - HISTORY_S + 1


def test_a_clock_that_goes_back_starts_anew() -> None:
    buffer = HistoryBuffer()
    buffer.load(history("calm", 60, length_s=100))
    buffer.write(frame("calm", 10))
    assert len(buffer) == 1
    assert buffer.end_s == BEGIN_S + 10


def test_figures_of_a_book_that_is_not_live_are_missing() -> None:
    shown = frame("calm", 1)
    stale = tuple(structs.replace(p, state="stale") for p in shown.pairs)
    buffer = HistoryBuffer()
    buffer.write(changed(shown, pairs=stale))
    assert buffer.at("spread:binance.linear:BTC/USDT:USDT", BEGIN_S + 1) is None


def test_uneven_history_is_lined_up_at_its_end() -> None:
    buffer = HistoryBuffer()
    buffer.load(History(end_ns=T0, step_s=1.0, series={"a": [1.0, 2.0, 3.0], "b": [9.0]}))
    assert buffer.window("b", BEGIN_S, 3) == [None, None, 9.0]


def test_series_of_other_watchlists_go_after_a_while() -> None:
    buffer = HistoryBuffer()
    buffer.load(History(end_ns=T0, step_s=1.0, series={f"rest:{n}": [1.0] for n in range(2000)}))
    buffer.write(frame("calm", 1))
    assert buffer.at("rest:7", BEGIN_S) is None
    assert buffer.at(NAME, BEGIN_S + 1) is not None


def test_buckets_keep_peaks_and_stand_on_the_clock() -> None:
    values: list[float | None] = [1.0, 9.0, 2.0, None, 3.0, 4.0]
    assert buckets(values, first_s=10, width_s=2) == [(5, 9.0), (6, 2.0), (7, 4.0)]
    assert buckets(values[1:], first_s=11, width_s=2) == [(6, 2.0), (7, 4.0)]
    assert buckets(values, first_s=10, width_s=3, peaks=False) == [(4, 3.0), (5, 4.0)]


def test_a_bucket_begun_just_now_does_not_dip() -> None:
    """With one second of ten, the highest of that bucket would fall; it looks back ten seconds instead."""
    values: list[float | None] = [*[5.0] * 19, 1.0, 1.0]
    assert buckets(values, first_s=0, width_s=10)[-1] == (2, 5.0)


def test_a_clock_that_is_set_takes_the_past_along() -> None:
    """Charts neither go blank nor show a hole of an hour."""
    for set_s in (3_600, -3_600, 30, -30):
        buffer = HistoryBuffer()
        for second in range(6):
            shown = frame("calm", second)
            wall_ns = shown.t_ns + (set_s * SECOND if second >= 3 else 0)
            buffer.write(structs.replace(shown, t_ns=wall_ns, mono_ns=77 + second * SECOND))
        assert buffer.window(NAME, BEGIN_S + 5 + set_s, 6) == [frame("calm", s).routes[0].rest_ms.p50 for s in range(6)]
