from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.bench import race
from tests.bench.market import NARROW
from tests.bench.process import REPOSITORY, Child, ChildError
from tests.bench.race import BARE, OURS, Course, Field, Run, server
from tests.bench.report import Sheet, ratios, same_frames, spread

SMALL = Course(5, 60, None), Course(5, 60, 2_000.0)


def test_clients_are_measured_on_the_same_frames_and_end_with_the_servers_book() -> None:
    with server() as host, Field(host, (OURS, BARE)) as field:
        for route in ("binance.linear", "okx.spot"):  # the second time, clients have hung up and joined anew
            results = field.race(route, SMALL, 2, depth=NARROW)
            assert (results.absent, results.complaints) == ({}, [])
            for course in SMALL:
                ours, bare = results.of(OURS, course), results.of(BARE, course)
                assert len(ours) == len(bare) == 2
                assert same_frames(ours[0], bare[0])
                assert all(run.cpu_us > 0 and run.msgs_s > 0 for run in ours + bare)
                assert ours[0].messages_per_batch == pytest.approx(61 / 60), "the mark is a message, too"


def test_a_client_that_cannot_join_is_left_out_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [sys.executable, "-c", "import sys; sys.exit('not today')"]
    whole = race.command
    monkeypatch.setattr(race, "command", lambda name: broken if name == BARE else whole(name))
    with server() as host, Field(host, (OURS, BARE)) as field:
        results = field.race("binance.linear", SMALL[:1], 1, depth=NARROW)
        assert len(results.of(OURS, SMALL[0])) == 1
        assert "not today" in results.absent[BARE]


def test_a_child_that_dies_says_its_last_words() -> None:
    crashing = Child("crashing", [sys.executable, "-c", "import sys; sys.exit('out of luck')"])
    with crashing as child, pytest.raises(ChildError, match="crashing died: out of luck"):
        child.receive(10)


def test_a_childs_error_is_raised_with_its_name() -> None:
    code = f"input(); print({json.dumps(json.dumps({'error': 'no such book'}))})"
    with (
        Child("reader", [sys.executable, "-c", code]) as child,
        pytest.raises(ChildError, match="reader: no such book"),
    ):
        child.ask({"do": "open"})


def test_figures_are_ratios_of_rounds_that_ran_together() -> None:
    assert ratios([10.0, 30.0], [40.0, 60.0]) == [0.25, 0.5]
    assert spread([3.0, 1.0, 2.0], 1) == "2.0 (1.0-3.0)"
    one = Run(cpu_us=1.0, msgs_s=1.0, bytes_per_message=100.0, messages_per_batch=1.0)
    assert same_frames(one, one._replace(bytes_per_message=104.0))
    assert not same_frames(one, one._replace(bytes_per_message=60.0))
    assert not same_frames(one, one._replace(messages_per_batch=80.0))


def test_a_missed_target_is_told_and_an_unmeasured_one_is_not_passed(capsys: pytest.CaptureFixture[str]) -> None:
    sheet = Sheet()
    sheet.check("fast", 1.0, 2.0, "1 s", "< 2 s")
    sheet.check("slow", 3.0, 2.0, "3 s", "< 2 s")
    sheet.check("unknown", None, 2.0, "", "< 2 s")
    sheet.close()
    said = capsys.readouterr().out
    assert "1 targets met, 1 missed, 1 not run" in said
    assert "missed: slow" in said
    assert "not run: unknown: not measured" in said


def test_an_unknown_section_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "nonsense"], capture_output=True, cwd=REPOSITORY, timeout=30, check=False
    )
    assert done.returncode == 2
    assert b"nonsense" in done.stderr
