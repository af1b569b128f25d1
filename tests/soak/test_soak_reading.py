"""What is read of a campaign as typed: status, show, export and repro, also where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hosts.cli.main import main
from hosts.cli.soak import SoakOptions, soak_command
from hosts.soak.store.writer import Campaign
from hosts.soak.view.export import export_lines
from tests.soak.fakes import fine
from tests.soak.soak_command import CANARY_FIRST, ending_after, lines_of, soak


def test_json_has_a_line_for_each_run_as_it_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The export of the finished campaign says the same."""
    file = tmp_path / "out.jsonl"
    soak(tmp_path, ending_after(4), json_file=str(file))
    first, *runs, last = lines_of(file)
    assert (first["record"], last["record"]) == ("campaign", "status")
    assert [run["id"] for run in runs] == [1, 2, 3, 4]
    again = tmp_path / "again.jsonl"
    main(["soak", "--campaign", str(tmp_path / "c"), "status", "--json", str(again)])
    assert lines_of(again)[1:-1] == runs
    assert lines_of(again)[-1]["cells"] == last["cells"]
    capsys.readouterr()


def test_the_runs_of_an_export_are_those_of_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the soak enters while they are written."""
    soak(tmp_path)
    with Campaign.resume(tmp_path / "c") as writer:
        task = writer.row(1).task
        under_way = writer.begin(task)

        def meanwhile(campaign: Campaign) -> Iterator[dict[str, Any]]:
            for number in (under_way, writer.begin(task)):
                writer.finish(number, fine(task))
            return export_lines(campaign)

        monkeypatch.setattr("hosts.cli.soak_show.export_lines", meanwhile)
        main(["soak", "status", "--campaign", str(tmp_path / "c"), "--json", str(tmp_path / "out")])
    _, *runs, status = lines_of(tmp_path / "out")
    assert sum(run["verdict"] is not None for run in runs) == sum(status["verdicts"].values()) == 3
    assert [run["id"] for run in runs if run["state"] == "running"] == [run["id"] for run in status["running"]]


def test_show_prints_all_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seed, placement, counts, windows, what fired, and how to repeat it."""
    soak(tmp_path, **CANARY_FIRST)
    capsys.readouterr()
    assert main(["soak", "show", "1", "--campaign", str(tmp_path / "c"), "--json", str(tmp_path / "one")]) == 0
    out = capsys.readouterr().out
    with Campaign.read(tmp_path / "c") as campaign:
        task = campaign.row(1).task
    assert out.startswith(f"1: {task}: VIOLATION (C1 x 3), as expected, a canary\n")
    assert f"{task.pcpus} pCPUs, {task.place}" in out
    assert f"seed {task.seed}\n" in out
    assert "C1 x 3, the first: vector=0x3d turn=4" in out
    assert f"again: pirace repro 1 --campaign {tmp_path / 'c'}" in out
    _, line = lines_of(tmp_path / "one")
    assert (line["id"], line["machine"]) == (1, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["soak", "show", "9", "--campaign"], "no run 9"),
        (["repro", "9", "--campaign"], "no run 9"),
        (["soak", "show", "0", "--campaign"], "ID"),
    ],
)
def test_a_run_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Usage."""
    soak(tmp_path, **CANARY_FIRST)
    capsys.readouterr()
    assert main([*arguments, str(tmp_path / "c")]) == 64
    assert message in capsys.readouterr().err


def test_a_folder_without_a_campaign_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By every command that reads one."""
    for arguments in (["soak", "status"], ["soak", "show", "1"], ["repro", "1"]):
        assert main([*arguments, "--campaign", str(tmp_path)]) == 64
        told = capsys.readouterr().err
        assert told.startswith("pirace: ")
        assert told.count("\n") == 1


def test_the_usual_folder_is_named_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the option that names another; commands about it need no option, about any other they have it."""
    monkeypatch.chdir(tmp_path)
    for arguments in (["soak", "status"], ["soak", "show", "1"], ["repro", "1"]):
        assert main(arguments) == 64
        said = "pirace: pirace-soak: no campaign there; --campaign DIR names another folder\n"
        assert capsys.readouterr().err == said
    soak_command(SoakOptions(campaign="pirace-soak"), lambda _address: ending_after(3))
    assert capsys.readouterr().out.endswith("to go on: pirace soak --resume\n")
    assert main(["soak", "show", "1"]) == 0
    assert "again: pirace repro 1\n" in capsys.readouterr().out
    soak_command(SoakOptions(campaign="a b"), lambda _address: ending_after(3))
    assert capsys.readouterr().out.endswith("to go on: pirace soak --resume --campaign 'a b'\n")
