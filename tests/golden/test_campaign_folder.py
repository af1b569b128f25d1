"""The folder of a campaign that an earlier pirace wrote, killed while a run was under way: every command reads it.

The archive has the database with its write-ahead log, a kept race with its machine, a kept exploration with its
witness, and the folder of the run under way. The records are what ``soak status --json`` wrote of it then.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any, Final

import pytest

from hosts.cli.main import main
from hosts.cli.repro import repro_command
from hosts.cli.soak import SoakOptions, soak_command
from hosts.runs.verdict import Verdict
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Result, Task
from tests.soak.fakes import FakeExecutor, result_of
from tests.soak.soak_command import ending_after, lines_of

HERE: Final = Path(__file__).parent
FOLDER: Final = "golden"
RECORDS: Final = [
    json.loads(line) for line in (HERE / "campaign_folder.jsonl").read_text(encoding="utf-8").splitlines()
]
WORDS: Final = ("headline", "alarms")
"""What is said in sentences, which may be said better."""
RACE, EXPLORATION, INTERRUPTED, CUT_OFF = 7, 8, 10, 11
"""A violation of each kind, a run that was ended, and the one that was under way."""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be where the campaign's folder lies."""
    monkeypatch.chdir(tmp_path)
    with tarfile.open(HERE / "campaign_folder.tar.xz") as archive:
        archive.extractall(filter="data")


def _without_words(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in (*WORDS, "schema")}


def test_status_is_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    """All runs, cells, rates, canaries and the exit status."""
    assert main(["soak", "status", "--campaign", FOLDER, "--json", "now.jsonl"]) == RECORDS[-1]["exit_code"]
    now = lines_of(Path("now.jsonl"))
    assert [_without_words(record) for record in now] == [_without_words(record) for record in RECORDS]
    assert capsys.readouterr().out.startswith(now[-1]["headline"])


@pytest.mark.parametrize("number", [RACE, EXPLORATION, INTERRUPTED, CUT_OFF])
def test_show_is_what_it_was(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The machine besides, if its layout is still the one of then."""
    assert main(["soak", "show", str(number), "--campaign", FOLDER, "--json", "now.jsonl"]) == 0
    run = lines_of(Path("now.jsonl"))[1]
    machine, out = run.pop("machine"), capsys.readouterr().out
    assert run == RECORDS[number]
    assert out.startswith(f"{number}: device-irq x skip-running-2020")
    if number == RACE:
        readable = machine is not None and machine["policy"] == "skip-running-2020" and len(machine["pcpus"]) == 2
        assert readable or "saved by another version of pirace" in out


def test_resume_goes_on_with_it() -> None:
    """What was under way becomes interrupted; new runs have numbers of their own, and the rest is as it was."""
    assert soak_command(SoakOptions(campaign=FOLDER, resume=True), lambda _address: ending_after(2)) == 130
    with Campaign.read(Path(FOLDER)) as campaign:
        before = [row for row in campaign.rows() if row.id < CUT_OFF]
        assert [row.state for row in before] == [record["state"] for record in RECORDS[1:CUT_OFF]]
        assert campaign.row(CUT_OFF).state == "interrupted"
        assert [row.id for row in campaign.rows(after=CUT_OFF)] == [CUT_OFF + 1, CUT_OFF + 2]


def test_repro_does_a_race_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The task is the one of the row, and what shows is held against its checks."""
    tasks = []

    def again(task: Task, _attempt: int) -> Result:
        tasks.append(task)
        result = result_of(task, Verdict.VIOLATION)
        result.record["violations"][0]["check"] = "C7"
        return result

    executor = FakeExecutor(again)
    assert repro_command(FOLDER, RACE, 1, None, lambda: executor) == 0  # type: ignore[arg-type,return-value]
    assert (tasks[0].scenario, tasks[0].seed) == ("device-irq", RECORDS[RACE]["task"]["seed"])
    assert "C2 C7 showed in 1 of 1" in capsys.readouterr().out


def test_repro_finds_the_witness_of_an_exploration(capsys: pytest.CaptureFixture[str]) -> None:
    """It is read, and not replayed unasked on sources that are others by now."""
    assert main(["repro", str(EXPLORATION), "--campaign", FOLDER]) == 64
    assert "the sources have changed since" in capsys.readouterr().err
