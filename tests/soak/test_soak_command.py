"""``pirace soak`` as typed, on workers that are made up: what is told, kept and refused."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from hosts.cli.commands.campaign import PLACES
from hosts.cli.main import main
from hosts.cli.streams import told_at_the_end
from hosts.errors import Failure
from hosts.runs.verdict import Verdict
from hosts.soak.placement.classes import WORDS
from hosts.soak.placement.topology import Processor, Topology
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task
from tests.soak.fakes import FakeExecutor, fine, result_of
from tests.soak.soak_command import ending_after, lines_of, soak


def test_ctrl_c_keeps_the_rows_and_prints_the_headline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 130, the run under way a row, the signal's handler as before."""
    before = signal.getsignal(signal.SIGINT)
    assert soak(tmp_path, ending_after(4), seed=5) == 130
    with Campaign.read(tmp_path / "c") as campaign:
        verdicts = [row.result.verdict for row in campaign.rows() if row.result is not None]
    assert len(verdicts) == 4
    assert verdicts[-1] == "CANCELLED"
    out = capsys.readouterr().out
    assert out.startswith(f"campaign {tmp_path / 'c'}, seed 5, until Ctrl-C\n")
    assert out.rstrip().endswith(f"interrupted; to go on: pirace soak --resume --campaign {tmp_path / 'c'}")
    assert "not running" in out
    assert "running now" not in out
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_does_as_ctrl_c_does(tmp_path: Path) -> None:
    """And what is ignored stays ignored: nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def outcome(task: Task, attempt: int) -> Result | None:
        if attempt < 3:
            signal.raise_signal(signal.SIGHUP)
            return fine(task)
        signal.raise_signal(signal.SIGTERM)
        return None

    try:
        assert soak(tmp_path, FakeExecutor(outcome)) == 130
    finally:
        signal.signal(signal.SIGHUP, before)
    with Campaign.read(tmp_path / "c") as campaign:
        assert len(list(campaign.rows())) == 3


def test_resume_goes_on_with_the_same_campaign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its seed and its choice of rows; what was finished is not done again."""
    executors = [ending_after(5), ending_after(5)]
    soak(tmp_path, executors[0], scenario=("kick",), seed=3)
    capsys.readouterr()
    soak(tmp_path, executors[1], resume=True)
    out = capsys.readouterr().out
    assert "seed 3, until Ctrl-C; 5 runs are in it" in out
    tasks = [*executors[0].tasks, *executors[1].tasks]
    assert {task.scenario for task in tasks} == {"kick"}
    assert len({task.seed for task in tasks}) == 10


def test_what_was_cut_off_is_named_on_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A soak that was killed leaves a running row."""
    soak(tmp_path)
    with Campaign.resume(tmp_path / "c") as campaign:
        number = campaign.begin(Task(scenario="kick", policy="always-2021"))
        campaign._db.close()  # as if it had been killed here
        assert campaign._folder_lock is not None
        campaign._folder_lock.release()
        campaign.broken = True
    soak(tmp_path, resume=True)
    assert f"{number}: was cut off" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"resume": True, "seed": 1, "scenario": ("kick",)}, "leave out --seed, --scenario"),
        ({"scenario": ("x",)}, "unknown scenario 'x'"),
        ({"policy": ("nowhere.py:rule",)}, "nowhere.py:1: cannot be read"),
        ({"policy": ("a.py:f", "b.py:g")}, "one policy from a file, not 2"),
        ({"cpus": 65}, "1 to 64 pCPUs"),
        ({"place": ("numa",), "scenario": ("timer-slowpath",)}, "--place numa: this machine has alone, unpinned"),
        ({"json_file": "/nowhere/at/all"}, "--json /nowhere/at/all"),
    ],
)
def test_wrong_usage_is_reported_and_nothing_is_run(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    """Exit status 64; no task was begun."""
    executor = FakeExecutor()
    with pytest.raises(Failure, match=message) as told:
        soak(tmp_path, executor, **given)
    assert told.value.exit_code == 64
    assert not executor.tasks


def test_a_campaign_is_not_begun_twice(tmp_path: Path) -> None:
    """--resume goes on with it, and there has to be one."""
    with pytest.raises(Failure) as told:
        soak(tmp_path, resume=True)
    assert told.value.exit_code == 64
    soak(tmp_path)
    with pytest.raises(Failure, match="--resume") as told:
        soak(tmp_path)
    assert told.value.exit_code == 64


def surprise(task: Task, attempt: int) -> Result:
    """Find something against the table in the fourth task."""
    found = attempt >= 4 and task.mutation is None
    return result_of(task, Verdict.VIOLATION, as_expected=False) if found else fine(task)


def test_a_violation_against_the_table_is_exit_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Told at once, with where to look."""
    assert soak(tmp_path, FakeExecutor(surprise), until_violation=True) == 1
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if "(pirace soak show " in line)
    assert "VIOLATION: C1 x 3" in line
    assert "a violation was found" in out


def test_quiet_begins_with_the_headline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And goes on with what is not as expected."""
    assert soak(tmp_path, FakeExecutor(surprise), until_violation=True, quiet=True) == 1
    told = capsys.readouterr()
    first, *rest = told.out.splitlines()
    assert main(["soak", "status", "--campaign", str(tmp_path / "c")]) == 1
    assert capsys.readouterr().out.splitlines()[0] == first
    assert len(rest) == 1
    assert "VIOLATION: C1 x 3" in rest[0]
    assert "VIOLATION: C1 x 3" in told.err  # at once


def test_a_json_file_that_cannot_be_written_begins_no_campaign(tmp_path: Path) -> None:
    """So that the same command can be given again; and a campaign that is refused leaves the file as it was."""
    with pytest.raises(Failure, match="--json /nowhere/at/all"):
        soak(tmp_path, json_file="/nowhere/at/all")
    assert not (tmp_path / "c").exists()
    file = tmp_path / "runs"
    soak(tmp_path, json_file=str(file))
    before = file.read_text(encoding="utf-8")
    with pytest.raises(Failure, match="there is a campaign already"):
        soak(tmp_path, json_file=str(file))
    assert file.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    "arguments", [["soak", "status"], ["soak", "show", "1"], ["soak", "--resume", "--for", "1s"], ["repro", "1"]]
)
def test_lines_are_not_written_over_the_campaign(tmp_path: Path, arguments: list[str]) -> None:
    """Whatever it is called there: a link to it, its log."""
    soak(tmp_path)
    folder = tmp_path / "c"
    before = (folder / "campaign.sqlite").read_bytes()
    (tmp_path / "link").symlink_to(folder / "campaign.sqlite")
    for name in (tmp_path / "link", folder / "campaign.sqlite", folder / ".." / "c" / "campaign.sqlite-wal"):
        assert main([*arguments, "--campaign", str(folder), "--json", str(name)]) == 64
    assert (folder / "campaign.sqlite").read_bytes() == before


def test_a_json_file_is_blamed_for_its_own_faults_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A disk that is full ends no soak, and is told at its end; whatever else the system refuses is told as it is."""
    assert soak(tmp_path, ending_after(3), json_file="/dev/full") == 130
    assert told_at_the_end(130) == 130
    assert "--json /dev/full: No space left on device" in capsys.readouterr().err

    def refused(_task: Task, _attempt: int) -> Result | BaseException:
        return OSError(5, "Input/output error")

    (tmp_path / "c").rename(tmp_path / "first")
    with pytest.raises(OSError, match="Input/output"):
        soak(tmp_path, FakeExecutor(refused), json_file=str(tmp_path / "runs"))


def test_options_of_a_soak_are_not_for_its_subcommands(capsys: pytest.CaptureFixture[str]) -> None:
    """Rather than passed over."""
    assert main(["soak", "--for", "8h", "status"]) == 64
    assert "--for is not for pirace soak status" in capsys.readouterr().err


def test_help_names_the_placements_that_there_are() -> None:
    """They are listed where nothing of the machine is loaded."""
    assert set(PLACES) == set(WORDS)


def test_on_a_cluster_the_machines_there_are_asked(tmp_path: Path) -> None:
    """Classes from their topologies, processors left to them; no file of this machine."""
    far = Topology(tuple(Processor(i, core=i, complex=i, node=i, package=i) for i in range(2)), ())
    executor = ending_after(12, topologies=(far,))
    soak(tmp_path, executor, dask="tcp://head:8786", scenario=("kick",))
    assert {task.place for task in executor.tasks} <= {"other-package", "shared", "unpinned"}
    assert all(task.processors == () for task in executor.tasks)
    assert executor.files == [None] * 12
    with pytest.raises(Failure, match="no worker has joined"):
        soak(tmp_path, FakeExecutor(), dask="tcp://head:8786")


GUEST = "This is a virtual machine: cores, caches and packages are what its hypervisor makes of them."
QUOTA = "Its control group gives this process the time of 1.5 processors, no more."


def test_notes_on_the_topology_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In short when it begins, each thing once; whole in the status, and for programs."""
    hosts = [Topology((Processor(i, core=i, complex=0, node=0, package=0),), (GUEST, QUOTA)[:i]) for i in range(3)]
    file = tmp_path / "runs"
    soak(tmp_path, ending_after(3, topologies=hosts), dask="tcp://head:8786", seed=1, json_file=str(file))
    begin, end = capsys.readouterr().out.split("to explore", 1)
    short = end.splitlines()[1]
    quota = "its control group gives this process the time of 1.5 processors, no more"
    assert short == f"note: this is a virtual machine; {quota} (more: pirace soak status --campaign {tmp_path / 'c'})"
    assert "note:" not in begin
    assert f"  note: {GUEST}\n  note: {QUOTA}\n" in end
    first, *_, last = lines_of(file)
    assert first["sessions"][0]["environment"]["topology_notes"] == last["topology_notes"] == [GUEST, QUOTA]


def test_a_machine_without_notes_has_no_line_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No line for nothing."""
    bare = Topology((Processor(0, core=0, complex=0, node=0, package=0),), ())
    soak(tmp_path, ending_after(3, topologies=[bare]), dask="tcp://head:8786", seed=1)
    assert "note:" not in capsys.readouterr().out
