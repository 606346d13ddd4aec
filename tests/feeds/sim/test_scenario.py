"""Scenario files: what they may say, and that the shipped ones say what INCIDENTS.md asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds.model import Cause, State
from feeds.sim.conditions import Timeline
from feeds.sim.scenario import ScenarioError, load, names, parse

HEAD = 'name = "x"\ntitle = "x"\nduration_s = 60\n'
REQUIRED = {"calm", "1011", "1011-storm", "engine-stop", "own-uplink", "own-loop", "quiet-pair", "daily-cut", "usde"}


def phase_text(body: str) -> str:
    return f"{HEAD}[[phase]]\nfrom_s = 1\nto_s = 2\n{body}\n"


def test_every_shipped_scenario_loads_and_carries_its_own_name() -> None:
    assert set(names()) >= REQUIRED
    for name in names():
        scenario = load(name)
        assert scenario.name == name
        assert scenario.truth, name
        notes = [phase.note for phase in scenario.phase] + [event.note for event in scenario.event]
        assert all(notes), name


def test_calm_never_allows_an_accusation() -> None:
    calm = load("calm")
    assert not calm.phase
    assert not calm.event
    assert {state for truth in calm.truth for state in truth.states} == {State.OK, State.UNKNOWN}


def test_1011_turns_binance_congested_by_gateway_before_second_20_and_lasts_three_minutes() -> None:
    scenario = load("1011")
    timeline = Timeline(scenario)
    assert 150 <= scenario.duration_s <= 200
    assert timeline.route("binance.linear", 17.9).rest_factor == 1.0
    at_20 = timeline.route("binance.linear", 20.0)
    assert 5 <= at_20.rest_factor <= 20
    assert 0.05 <= sum(error.share for error in at_20.errors) <= 0.3
    assert 500 <= at_20.feed_delay_ms <= 3000
    assert timeline.route("okx.linear", 20.0).rest_factor == 1.0
    # the storm comes first, on every route
    for route in ("binance.linear", "okx.spot", "bybit.linear"):
        assert timeline.pair(route, "BTC/USDT", 12.0).spread_factor > 10
    truth = timeline.truth("binance.linear", 50.0)
    assert truth is not None
    assert truth.must == (State.CONGESTED,)
    assert truth.causes == (Cause.GATEWAY,)
    elsewhere = timeline.truth("okx.linear", 50.0)
    assert elsewhere is not None
    assert elsewhere.causes == (Cause.MARKET,)
    assert timeline.notices("binance", 61.0)[0].state == "incident"
    assert not timeline.notices("okx", 61.0)
    assert timeline.pair("binance.spot", "USDE/USDT", 120.0).price_bps == -3500
    assert timeline.pair("binance.spot", "BTC/USDT", 120.0).price_bps == 0


def test_own_uplink_takes_venues_and_witness_together() -> None:
    timeline = Timeline(load("own-uplink"))
    for t_s in (20.0, 40.0, 80.0):
        down = timeline.witness_down(t_s)
        assert down == timeline.route("okx.spot", t_s).blackhole == timeline.route("binance.linear", t_s).blackhole
        assert down == (t_s == 40.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (phase_text("rest_factor = 2.0"), "published"),
        (phase_text('assumed = true\npublished = "both"'), "published"),
        (phase_text("assumed = true\nrest_facter = 2.0"), "rest_facter"),
        (phase_text('assumed = true\nroutes = ["binance"]'), "'binance'"),
        (phase_text("assumed = true\nrefuse_share = 1.5"), "shares"),
        (phase_text("assumed = true\nerrors = [{share = 0.5, status = 200}]"), "status"),
        (phase_text("assumed = true\nerrors = [{share = 0.7, status = 500}, {share = 0.7, status = 503}]"), "add up"),
        (phase_text('assumed = true\nsilent = ["candles"]'), "candles"),
        (phase_text("assumed = true\ndepth = [{within_bps = 9, factor = 1}, {within_bps = 3, factor = 1}]"), "widen"),
        (phase_text("assumed = true\nhold_s = 3\nhold_every_s = 2"), "hold_every_s"),
        (phase_text("assumed = true\nprice_bps = -10000"), "price_bps"),
        (phase_text("assumed = true\nwave_s = 0"), "wave_s"),
        (phase_text("assumed = true\nfeed_delay_ms = -1"), "negative"),
        (f"{HEAD}[[phase]]\nfrom_s = 3\nto_s = 2\nassumed = true\n", "from_s"),
        (f'{HEAD}[[event]]\nat_s = 1\nkind = "explode"\nassumed = true\n', "explode"),
        (f'{HEAD}[[event]]\nat_s = 1\nkind = "stall"\nassumed = true\n', "stall_ms"),
        (f'{HEAD}[[event]]\nat_s = 1\nkind = "close"\nassumed = true\nevery_s = 0\n', "every_s"),
        (f'{HEAD}[[event]]\nat_s = 1\nkind = "close"\nassumed = true\ncode = 7\n', "code"),
        (f'{HEAD}[[truth]]\nfrom_s = 0\nto_s = 9\nstates = ["ok"]\nmust = ["down"]\n', "must"),
        (f'{HEAD}[[truth]]\nfrom_s = 0\nto_s = 9\nstates = ["fine"]\n', "fine"),
        ('name = "x"\ntitle = "x"\nduration_s = 0\n', "duration_s"),
        ("name = ", "TOML"),
        ("x = " + "[" * 5000, "nested"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence_that_names_file_and_place(text: str, words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text, "mine.toml")
    assert str(caught.value).startswith("mine.toml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_gets_the_nearest_spelling(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="engine-stop"):
        load("engine-stopp")
    with pytest.raises(ScenarioError, match="calm"):
        load("nothing like it at all")
    file = tmp_path / "mine.toml"
    file.write_text(HEAD)
    assert load(str(file)).name == "x"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(str(file))
