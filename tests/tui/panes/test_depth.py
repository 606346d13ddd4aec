"""The depth pane: the same width is the same money; what is not live is not money."""

from __future__ import annotations

from msgspec import structs

from feeds.frame import Depth, Frame, PairRow
from tests.tui.scripted import changed, frame
from tui.history import HistoryBuffer
from tui.lines import Line
from tui.panes.depth import depth_lines
from tui.view import View


def pane(shown: Frame, width: int = 54, height: int = 18, **changes: object) -> list[Line]:
    return depth_lines(
        structs.replace(View(history=HistoryBuffer(), frame=shown, now_ns=shown.t_ns), **changes), width, height
    )


def with_pair(shown: Frame, route: str, **changes: object) -> Frame:
    def other(pair: PairRow) -> PairRow:
        same = pair.route == route and pair.symbol == "BTC/USDT:USDT"
        return structs.replace(pair, **changes) if same else pair

    return changed(shown, pairs=tuple(other(p) for p in shown.pairs))


def row(lines: list[Line], route: str) -> str:
    return next(line.text for line in lines if line.text[1:].startswith(route))


def test_the_same_money_is_the_same_width_everywhere() -> None:
    same = {"10": Depth(bid=5e6, ask=5e6)}
    shown = frame("calm")
    for route in ("binance.linear", "okx.linear"):
        shown = with_pair(shown, route, depth=same, normal_depth=None)
    lines = pane(shown)
    one, other = row(lines, "binance.linear"), row(lines, "okx.linear")
    assert one.count("█") == other.count("█")
    left, right = one.split("│")
    assert left.count("█") == right.count("█") > 0


def test_twice_the_money_is_twice_the_width() -> None:
    shown = with_pair(frame("calm"), "binance.linear", depth={"10": Depth(bid=2e7, ask=1e7)}, normal_depth=None)
    shown = with_pair(shown, "okx.linear", depth={"10": Depth(bid=5e6, ask=5e6)}, normal_depth=None)
    shown = with_pair(shown, "bybit.linear", depth={"10": Depth(bid=5e6, ask=5e6)}, normal_depth=None)
    left, right = row(pane(shown, width=74), "binance.linear").split("│")
    assert abs(left.count("█") - 2 * right.count("█")) <= 1


def test_what_is_missing_to_its_normal_is_a_shadow_and_a_word() -> None:
    text = row(pane(frame("1011", 45)), "binance.linear")
    assert "░" in text
    assert "was 20.2" in text
    assert "was" not in row(pane(frame("1011", 45)), "okx.linear")


def test_a_missing_side_is_a_dash_and_no_bar() -> None:
    shown = with_pair(frame("calm"), "okx.linear", depth={"10": Depth(bid=None, ask=4e6)}, normal_depth=None)
    left, right = row(pane(shown), "okx.linear").split("│")
    assert "–" in left
    assert "█" not in left
    assert "█" in right


def test_stale_is_dimmed_with_its_age_then_removed() -> None:
    fresh = with_pair(frame("calm"), "okx.linear", state="stale", quiet_ms=4_200.0)
    line = next(line for line in pane(fresh) if "okx.linear" in line.text)
    assert "4.2 s old" in line.text
    assert all(role == "faint" for text, role in line.parts if "█" in text)
    gone = with_pair(frame("calm"), "okx.linear", state="stale", quiet_ms=14_000.0)
    text = row(pane(gone), "okx.linear")
    assert "stale for 14 s" in text
    assert "█" not in text


def test_sums_count_only_what_is_live_and_say_so() -> None:
    lines = pane(with_pair(frame("calm"), "okx.linear", state="stale", quiet_ms=4_200.0))
    text = "\n".join(line.text for line in lines)
    assert "(2 of 3 books)" in text
    assert "without binance" in text


def test_other_bands_are_figures() -> None:
    text = "\n".join(line.text for line in pane(frame("calm")))
    assert "±25 bp" in text
    assert "±100 bp" in text


def test_every_line_fits() -> None:
    for width in (40, 50, 53, 66, 100):
        assert all(len(line.text) <= width for line in pane(frame("1011", 45), width=width))


def test_no_book_says_which_kind_of_no() -> None:
    lines = pane(frame("warmup"))
    assert "waiting for its book" in row(lines, "okx.linear")
    assert "no live book to sum up" in "\n".join(line.text for line in lines)


def test_too_old_is_not_shown_as_depth() -> None:
    lines = pane(frame("calm"), age_s=60.0)
    assert not any("█" in line.text for line in lines)


def test_sums_are_of_all_routes_whatever_the_filter() -> None:
    all_lines = [line.text for line in pane(frame("calm")) if line.text.startswith((" all", " without", " effective"))]
    filtered = [line.text for line in pane(frame("calm"), query="okx")]
    assert len(all_lines) == 3
    assert all_lines == [text for text in filtered if text.startswith((" all", " without", " effective"))]
