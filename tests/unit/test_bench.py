"""The benchmarks' own arithmetic and command line; what they measure is measured nowhere but there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from bench.__main__ import BENCHMARKS, MODULE, chosen, parser
from bench.options import Options
from bench.report import Report, table
from bench.selfpost import Spent
from bench.series import Series, Target, compare, distance, interleave, number

LOOP = Path(__file__).parents[2] / "scripts" / "bench" / "naive_loop.py"


def test_contenders_take_turns_and_the_order_turns_round() -> None:
    """Each contender is measured once a round, beside a probe of its own."""
    seen: list[str] = []

    def measure(name: str) -> float:
        seen.append(name)
        return float(len(seen))

    series = interleave({"a": lambda: measure("a"), "b": lambda: measure("b")}, "s", 2, lambda: 30.0)
    assert seen == ["a", "b", "b", "a"]
    assert series["a"].samples == (1.0, 4.0)
    assert series["b"].probes == (30.0, 30.0)


def test_a_ratio_is_the_median_of_neighbours() -> None:
    """A machine that slows down for all does not change it."""
    target = compare("a over b", Series("a", "s", (2.0, 20.0, 6.0)), Series("b", "s", (1.0, 10.0, 2.0)), 2.5)
    assert (target.measured, target.spread, target.met) == (2.0, (2.0, 3.0), True)


def test_a_target_says_what_it_wanted_and_whether_it_got_it() -> None:
    """Both directions."""
    assert str(Target("rate", 1_900.0, 2_000.0, at_least=True, unit="/s")).endswith("at least 2,000 /s: FALLS SHORT")
    assert Target("ratio", 1.1, 1.15).met


def test_a_table_is_aligned() -> None:
    """Numbers to the right, words to the left."""
    assert list(table([("name", "n"), ("a", "1"), ("b", "100")])) == ["  name  n", "  a       1", "  b     100"]


def test_numbers_keep_three_figures() -> None:
    """Whatever their size."""
    assert [number(value) for value in (0.0, 0.01234, 12.34, 1234.5)] == ["0", "0.0123", "12.3", "1,234"]


def test_what_a_step_takes_is_told_by_the_first_look_and_the_last() -> None:
    """Those in between are of no weight."""
    counts, times = iter((100, 150, 180)), iter((1.0, 9.0, 21.0))
    spent = Spent(8, lambda _: next(times))
    for _ in range(3):
        spent.look(cast("Any", SimpleNamespace(read=lambda word: next(counts) if word == 8 else 0)))
    assert spent.each() == (21.0 - 1.0) / 80


def test_the_probe_names_the_weather() -> None:
    """Near, far, or nothing to be said."""
    assert [distance(value) for value in (30.0, 160.0, None)] == ["near", "far", "one processor"]


def test_a_report_gives_every_sample_as_json() -> None:
    """One object a line."""
    report = Report("x", "about")
    report.add(Series("a", "s", (1.0, 2.0), (30.0, None)))
    report.targets.append(Target("t", 1.0, 2.0))
    records = [json.loads(json.dumps(record)) for record in report.all_records()]
    assert records[0]["samples"] == [1.0, 2.0]
    assert records[1]["met"] is True
    assert all(record["benchmark"] == "x" for record in records)


def test_all_means_all_in_the_order_of_the_list() -> None:
    """Names may be given in any order."""
    assert chosen(["all"]) == list(BENCHMARKS)
    assert chosen(["memory", "naive"]) == ["naive", "memory"]


def test_an_unknown_benchmark_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The known ones are listed."""
    with pytest.raises(SystemExit):
        parser().parse_args(["nonesuch"])
    assert "falsealarms" in capsys.readouterr().err


def test_every_benchmark_has_a_module() -> None:
    """The list and the files agree."""
    folder = Path(__file__).parents[2] / "scripts" / "bench"
    assert [name for name in BENCHMARKS if not (folder / f"{MODULE.get(name, name)}.py").exists()] == []


@pytest.mark.timeout(90)  # two interpreters start, and race for a fifth of a second
@pytest.mark.parametrize("notify", ["zmq", "word"])
def test_the_naive_loop_runs_alone(notify: str) -> None:
    """As a user would run it."""
    command = [sys.executable, str(LOOP), "--seconds", "0.2", "--notify", notify, "--json"]
    totals = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=80).stdout)
    assert totals["rounds"] > 0
    assert totals["notified"] + totals["synced"] + totals["sightings"] > 0


def test_quick_is_shorter() -> None:
    """Unless a number of repeats is asked for."""
    assert Options(quick=True).repeats(9) == 2
    assert Options(quick=True, repeated=5).repeats(9) == 5
    assert Options().seconds(3.0, 1.0) == 3.0
