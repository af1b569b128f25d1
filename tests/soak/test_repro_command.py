"""``pirace repro`` as typed, on workers that are made up: how often it shows, where, and what comes instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from hosts.cli.repro import repro_command
from hosts.runs.verdict import Verdict
from hosts.soak.placement.classes import Place
from hosts.soak.placement.topology import Processor, Topology
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task
from tests.soak.fakes import FakeExecutor, Outcome, result_of
from tests.soak.soak_command import CANARY_FIRST, ending_after, lines_of, soak


def repro(folder: Path, executor: FakeExecutor, times: int = 4, json_file: str | None = None) -> int:
    """Do the first run, a canary's, again with a made-up executor."""
    return repro_command(str(folder / "c"), 1, times, json_file, lambda: executor)  # type: ignore[arg-type,return-value]


def test_repro_says_how_often_it_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same task each time; what came instead is told too."""
    soak(tmp_path, **CANARY_FIRST)
    capsys.readouterr()

    def sometimes(task: Task, attempt: int) -> Result:
        return result_of(task, Verdict.VIOLATION if attempt % 2 else Verdict.PASS)

    executor = FakeExecutor(sometimes)
    file = tmp_path / "times.jsonl"
    assert repro(tmp_path, executor, 5, str(file)) == 0
    with Campaign.read(tmp_path / "c") as campaign:
        first = campaign.row(1).task
    assert len(set(executor.tasks)) == 1
    task = executor.tasks[0]
    assert (task.seed, task.mutation, task.processors) == (first.seed, first.mutation, first.processors)
    out = capsys.readouterr().out.splitlines()
    assert out[-3:-1] == ["C1 showed in 3 of 5", "sightings in each of them: min 3, median 3, max 3; 0.4 a second"]
    assert out[-1] == "instead: PASS, 2 times"
    first, *times = lines_of(file)
    assert first["seed"] == task.seed
    assert [line["shown"] for line in times] == [True, False, True, False, True]


def test_repro_that_shows_nothing_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2; another check than the first time is not what was asked for."""
    soak(tmp_path, **CANARY_FIRST)

    def other(task: Task, _attempt: int) -> Result:
        result = result_of(task, Verdict.VIOLATION)
        result.record["violations"][0]["check"] = "C5"
        return result

    assert repro(tmp_path, FakeExecutor(other)) == 2
    assert "C1 showed in 0 of 4" in capsys.readouterr().out


def test_the_median_of_two_lies_between_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As everywhere else."""

    def seen(task: Task, attempt: int) -> Result:
        result = result_of(task, Verdict.VIOLATION)
        result.record["violations"][0]["count"] = (1_000, 4_001)[attempt - 1]
        return result

    soak(tmp_path, **CANARY_FIRST)
    assert repro(tmp_path, FakeExecutor(seen), 2) == 0
    assert "min 1,000, median 2,500.5, max 4,001" in capsys.readouterr().out


def test_repro_says_which_of_several_checks_showed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One of them is enough to be the same bug; the others are not said to have fired."""

    def seen(task: Task, *checks: str) -> Result:
        result = result_of(task, Verdict.VIOLATION)
        result.record["violations"] = [{"check": check, "count": 1, "first": {}} for check in checks]
        return result

    soak(tmp_path, ending_after(3, lambda task, _: seen(task, "C2", "C7")), **CANARY_FIRST)
    assert repro(tmp_path, FakeExecutor(lambda task, attempt: seen(task, *["C2"] * (attempt == 1), "C7"))) == 0
    assert "C2 C7 showed in 4 of 4 (C2 in 1, C7 in 4)\n" in capsys.readouterr().out
    assert repro(tmp_path, FakeExecutor(lambda task, _: seen(task, "C2", "C7"))) == 0
    assert "C2 C7 showed in 4 of 4\n" in capsys.readouterr().out


def test_repro_of_accounts_that_disagree_is_no_repro_of_a_busy_machine(tmp_path: Path) -> None:
    """Though both are untrustworthy."""

    def doubted(*lines: str) -> Outcome:
        return lambda task, _: result_of(task, Verdict.UNTRUSTWORTHY, disagreements=lines)

    soak(tmp_path, ending_after(3, doubted("posts, pCPU 0: counted 2, accepted 1")), **CANARY_FIRST)
    assert repro(tmp_path, FakeExecutor(doubted())) == 2
    assert repro(tmp_path, FakeExecutor(doubted("posts, pCPU 1: counted 4, accepted 3"))) == 0


def test_ctrl_c_ends_a_repro_with_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 130."""
    soak(tmp_path, **CANARY_FIRST)
    assert repro(tmp_path, ending_after(3), 9) == 130
    assert "C1 showed in 2 of 2" in capsys.readouterr().out


def test_repro_of_a_run_of_a_cluster_is_placed_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its task leaves the processors to the host that does it, and the result tells them; none are left to chance."""
    two = Topology(tuple(Processor(i, core=i, complex=0, node=0, package=0) for i in range(2)), ())
    monkeypatch.setattr(Topology, "read", lambda: two)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1})
    task = Task(scenario="kick", policy="always-2021", pcpus=2, place="core-complex")
    with Campaign.create(tmp_path / "c", {}) as campaign:
        for processors in ((1, 0), (1, 1), ()):
            number = campaign.begin(task)
            campaign.finish(number, replace(result_of(task), processors=processors))
    executor = FakeExecutor()
    for number in (1, 2, 3):
        assert repro_command(str(tmp_path / "c"), number, 1, None, lambda: executor) == 0  # type: ignore[arg-type,return-value]
    first, *others = executor.tasks
    assert (first.place, first.processors) == ("core-complex", (1, 0))
    assert all((each.place, set(each.processors)) == ("core-complex", {0, 1}) for each in others)
    out = capsys.readouterr().out
    assert "processors 1, 1 are not core-complex here: core-complex (" in out
    assert "which processors it had is not known: core-complex (" in out


def test_repro_on_a_machine_without_those_processors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others of the class if there are any, and it says so."""
    with Campaign.create(tmp_path / "c", {}) as campaign:
        far = Task(scenario="kick", policy="always-2021", pcpus=2, place="numa", processors=(400, 500))
        campaign.finish(campaign.begin(far), result_of(far))
    executor = FakeExecutor()
    monkeypatch.setattr("hosts.cli.repro.place_for", lambda *_, **__: Place("numa", (0, 1)))
    assert repro(tmp_path, executor) == 0
    assert "processors 400, 500 are not here: numa (0, 1) instead" in capsys.readouterr().out
    assert executor.tasks[0].processors == (0, 1)
    monkeypatch.setattr("hosts.cli.repro.place_for", lambda *_, **__: None)
    repro(tmp_path, executor)
    assert (executor.tasks[-1].place, executor.tasks[-1].processors) == ("unpinned", ())
