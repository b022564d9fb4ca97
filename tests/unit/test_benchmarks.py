from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from tests.fixtures.benchmarks import Benchmarks, alternate

pytestmark = pytest.mark.unit


@pytest.fixture
def benchmarks():
    return Benchmarks()


def test_sides_take_turns_and_the_first_round_is_not_counted(monkeypatch):
    clock, turns = [0.0], []
    # Seconds of each round: the warm-up, then three.
    takes = {"ours": iter([99, 1, 5, 2]), "theirs": iter([0, 30, 10, 20])}
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("gc.collect", lambda: 0)  # Half a second each.

    def side(name):
        def prepare():
            clock[0] += 1000  # Preparation is not timed.

            def work():
                turns.append(name)
                clock[0] += next(takes[name])

            return work

        return prepare

    assert alternate(3, ours=side("ours"), theirs=side("theirs")) == {"ours": 2, "theirs": 20}
    assert turns == ["ours", "theirs"] * 4


def test_ratio_is_the_value_by_its_baseline_and_is_what_must_be_met(benchmarks):
    benchmarks.report("faster", 80.0, "records/s", baseline=10.0, must_be=">= 8")
    benchmarks.report("slower", 79.0, "records/s", baseline=10.0, must_be=">= 8")
    benchmarks.report("few", 40, "calls", must_be="<= 40")
    benchmarks.report("many", 41, "calls", must_be="<= 40")
    benchmarks.report("only_reported", 300.0, "ms")

    assert [row.is_met for row in benchmarks.rows] == [True, False, True, False, None]
    assert [row.ratio for row in benchmarks.rows] == [8.0, 7.9, None, None, None]


def test_file_is_a_list_of_the_rows(benchmarks, tmp_path):
    benchmarks.report("with_baseline", 3.0, "s", baseline=2.0, must_be="<= 1.0")
    benchmarks.report("alone", 4.0, "s")

    benchmarks.write(tmp_path / "benchmarks.json")

    assert json.loads((tmp_path / "benchmarks.json").read_text()) == [
        {"name": "with_baseline", "value": 3.0, "unit": "s", "baseline": 2.0, "ratio": 1.5},
        {"name": "alone", "value": 4.0, "unit": "s", "baseline": None, "ratio": None},
    ]


def test_table_says_what_is_met_and_what_is_missed(benchmarks):
    benchmarks.report("good", 2.0, "s", baseline=4.0, must_be="<= 1.0")
    benchmarks.report("bad", 8.0, "s", baseline=4.0, must_be="<= 1.0")
    shown = Console(file=io.StringIO(), width=160)

    benchmarks.show(shown)

    lines = {line.split()[1]: line for line in shown.file.getvalue().splitlines() if "<= 1.0" in line}
    assert "met" in lines["good"]
    assert "missed" in lines["bad"]
