"""``pirace history``: the table of real bugs, and what is run of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emu.expected import by_name, expected
from emu.history import HISTORY
from emu.mutations import MUTATIONS
from emu.workload.scenarios import POLICIES, SCENARIOS
from hosts.cli.history import HistoryOptions, chosen, history_command
from hosts.cli.main import main
from tests.validator import records_in

SHOWN = [(bug, shown) for bug in HISTORY for shown in bug.shown]
OF_THE_FACTS = (
    "B01 B02 B03 B05 B06 B07 B09 B10 B12 B15 B17 B18",
    "B21 B22 B23 B24",
    "B30 B31 B32 B33 B34",
    "B40 B41 B42 B43 B44",
    "B50 B51 B52",
)


def test_every_bug_of_the_facts_is_a_row() -> None:
    """Once, in the order of the ids; with what shows it, or why nothing does, and never both."""
    assert [bug.id for bug in HISTORY] == " ".join(OF_THE_FACTS).split()
    for bug in HISTORY:
        assert bool(bug.shown) != bool(bug.why_not), bug.id
        assert "\n" not in bug.subject + bug.race + bug.kernels + bug.why_not


def test_what_stands_for_a_bug_exists_and_is_a_violation() -> None:
    """Scenario, policy, mutation; the table of expected verdicts says which check fires."""
    for _bug, shown in SHOWN:
        assert shown.scenario in {scenario.name for scenario in SCENARIOS}
        assert shown.policy in {policy.name for policy in POLICIES}
        assert shown.mutation is None or by_name(shown.mutation).rows
        says = expected(shown.scenario, shown.policy, shown.mutation)
        assert says is not None, shown
        assert says.outcome in ("VIOLATION", "MAY"), shown
        assert says.checks


def test_a_mutation_that_names_a_bug_stands_for_it() -> None:
    """Or, if it is harmless here, the table says so."""
    rows = {bug.id: bug for bug in HISTORY}
    named = [(mutation, bug) for mutation in MUTATIONS for bug in re.findall(r"\bB\d\d\b", mutation.origin)]
    assert named
    for mutation, bug in named:
        if any(row.outcome != "PASS" for row in mutation.rows):
            assert mutation.name in {shown.mutation for shown in rows[bug].shown}, (mutation.name, bug)


def test_commits_are_given_by_twelve_digits() -> None:
    """As git shows them."""
    for bug in HISTORY:
        for commit in (*bug.fixed, *bug.introduced):
            assert len(commit) == 12
            int(commit, 16)


@pytest.mark.parametrize("width", [80, 132, 40])
def test_the_table_fits_and_says_all(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each bug with its race, and why nothing shows it."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["history"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert width == 40 or [line for line in lines if line and not line.startswith(" ")] == ["real bugs"]
    told = " ".join(" ".join(lines).split())
    for bug in HISTORY:
        assert bug.id in told
    for _bug, shown in SHOWN:
        assert (shown.mutation or shown.policy) in told


@pytest.mark.parametrize(
    ("name", "bugs"),
    [
        ("b02", ["B02"]),
        ("33fd0ccd2590", ["B01"]),
        ("33fd0cc", ["B01"]),
        ("sync-before-mode", ["B06"]),
        ("skip-running-2020", ["B02"]),
        ("b95234c84004", ["B05", "B05", "B06"]),
    ],
)
def test_a_bug_is_found_by_what_it_is_called(name: str, bugs: list[str]) -> None:
    """Its id, a commit, what stands for it."""
    assert [bug.id for bug, _shown in chosen([name])] == bugs


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["B99"], "no bug, commit, mutation or policy 'B99'"),
        (["fdba6"], "no bug, commit, mutation or policy 'fdba6'"),
        (["--explore"], "--explore says how to run: add --run"),
        (["--stress", "B02"], "--stress says how to run: add --run"),
        (["--run", "B40"], "nothing stands for what is named, so nothing is run (B40: APICv is on for ever here)"),
    ],
)
def test_what_cannot_be_run_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do."""
    assert main(["history", *arguments]) == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_every_row_is_a_record(tmp_path: Path) -> None:
    """Of what was not run, nothing is said."""
    file = tmp_path / "history.jsonl"
    assert main(["history", "--json", str(file)]) == 0
    lines = records_in(file)[1:]
    assert len(lines) == len(SHOWN) + sum(not bug.shown for bug in HISTORY)
    assert {line["status"] for line in lines} == {"caught", "not-modelled"}
    assert all(line["explored"] is None and line["raced"] is None for line in lines)
    assert all((line["status"] == "caught") == bool(line["checks"]) for line in lines)


def test_a_bug_is_caught_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the explorer, in seconds that the table and the record have."""
    file = tmp_path / "history.jsonl"
    assert main(["history", "--run", "--explore", "B02", "--json", str(file)]) == 0
    assert "B02 device-irq x skip-running-2020: explored: caught by C2 in " in capsys.readouterr().out
    (line,) = records_in(file)[1:]
    assert line["explored"]["verdict"] == "VIOLATION"
    assert line["explored"]["checks"] == ["C2"]
    assert line["raced"] is None


def test_a_bug_that_is_not_seen_in_time_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    """It proves nothing, and the exit status says that."""
    assert history_command(HistoryOptions(["B01"], running=True, explored=True, memory=1000)) == 2
    told = capsys.readouterr().out
    assert "INCONCLUSIVE" in told
    assert "early-return-on-empty-pir: explored: INCONCLUSIVE (" in told.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_bug_that_is_said_to_be_caught_is_caught(tmp_path: Path) -> None:
    """By the explorer, with one of the checks that the table names."""
    file = tmp_path / "history.jsonl"
    assert main(["history", "--run", "--explore", "--budget", "60s", "--json", str(file)]) == 0
    lines = [line for line in records_in(file)[1:] if line["status"] == "caught"]
    assert lines
    for line in lines:
        assert line["explored"]["verdict"] == "VIOLATION", line
        assert set(line["explored"]["checks"]) & set(line["checks"]), line
