"""What an exploration that ends, or is ended, leaves behind: rows, records and witnesses."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hosts.cli.explore import ExploreOptions
from hosts.cli.main import main
from hosts.cli.streams import told_at_the_end
from hosts.errors import Failure
from hosts.explorer.counterexample.witness_file import load
from hosts.explorer.search.result import Progress
from tests.unit.explore_cli.asking import C1_34, run

# --- Ctrl-C ------------------------------------------------------------------------------------------------------


def test_ctrl_c_gives_what_there_is(fake: Any, seen: Any, capsys: Any, tmp_path: Path) -> None:
    """The row that runs ends with what it has, the rest is not begun, exit status 130."""

    def interrupted(watch: Callable[[Progress], bool]) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        assert not watch(Progress(77, 200, 5, 6, 1.0, 1000))
        return seen(complete=False, bounded_by=("cancelled",), states=77)

    given = ExploreOptions(("remote-post",), ("always-2021", "kick-2016"), json_file=str(tmp_path / "rows"))
    before = signal.getsignal(signal.SIGINT)
    status, out = run(given, fake([seen(), interrupted]), capsys)
    assert status == 130
    assert "CANCELLED (cancelled after 77 states)" in out
    records = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert [record["verdict"] for record in records[1:]] == ["PASS", "CANCELLED"]
    assert signal.getsignal(signal.SIGINT) is before


def test_rows_behind_ctrl_c_are_rows_too(fake: Any, seen: Any, capsys: Any) -> None:
    """Cancelled, not lost."""

    def interrupted(watch: Callable[[Progress], bool]) -> Any:
        raise KeyboardInterrupt

    status, out = run(ExploreOptions(("remote-post",)), fake([interrupted]), capsys)
    assert status == 130
    assert out.splitlines()[-1] == "4 of 4 rows: 4 not begun; none against the table"


# --- records and files -------------------------------------------------------------------------------------------


def test_records_are_as_the_schema_says(
    fake: Any, seen: Any, caught: Any, capsys: Any, tmp_path: Path, errors: Callable[..., list[str]]
) -> None:
    """Whatever the verdict; and they are the explorer's."""
    from hosts.report.jsonl import schema

    bounded = seen(complete=False, bounded_by=("memory",))
    engine = fake([seen(), caught(C1_34), bounded, caught("no-progress")])
    status, _out = run(ExploreOptions(("remote-post",), json_file=str(tmp_path / "rows")), engine, capsys)
    records = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert status == 1
    assert [errors(record, schema()) for record in records] == [[]] * 5
    assert {record["host"] for record in records[1:]} == {"explorer"}
    assert records[2]["violations"][0]["check"] == "C1"
    assert records[1]["windows"]["notified-in-guest"] == 1
    assert records[3]["search"]["bounded_by"] == ["memory"]
    assert errors(records[1] | {"search": {}}, schema())
    assert errors(records[1] | {"host": "processes"}, schema())


def test_a_witness_that_cannot_be_written_hides_no_verdict(
    fake: Any, caught: Any, seen: Any, witness_of: Any, capsys: Any, tmp_path: Path
) -> None:
    """Of two the first goes to a full disk and the second into a folder that is not there any more; both are told."""
    witness = witness_of("remote-post", "always-2021", "no-entry-barrier", "post:0x34")
    folder = tmp_path / "folder"
    folder.mkdir()

    def gone(_watch: Any) -> Any:
        (folder / "w.json").unlink()
        folder.rmdir()
        return replace(caught(C1_34), witness=witness)

    given = ExploreOptions(("remote-post",), ("always-2021", "kick-2016"), witness_file=str(folder / "w.json"))
    status, out = run(given, fake([replace(caught(C1_34), witness=witness), gone]), capsys)
    assert status == 1
    assert "witness saved" in out
    assert out.splitlines()[-1].startswith("2 of 2 rows: 2 VIOLATION")
    assert told_at_the_end(1) == 1
    assert "w-2.json: No such file or directory" in capsys.readouterr().err
    status, out = run(
        replace(given, witness_file="/dev/full"), fake([replace(caught(C1_34), witness=witness), seen()]), capsys
    )
    assert (status, told_at_the_end(0)) == (1, 3)
    assert "witness saved" not in out


def test_a_witness_file_is_opened_before_the_search(fake: Any, tmp_path: Path, capsys: Any) -> None:
    """A folder is refused at once."""
    engine = fake()
    with pytest.raises(Failure, match="Is a directory"):
        run(ExploreOptions(("remote-post",), witness_file=str(tmp_path)), engine, capsys)
    assert not engine.searched


def test_a_witness_is_printed_and_saved(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The real explorer, on one poster."""
    arguments = ["explore", "--scenario", "remote-post", "--policy", "elide-self-2022", "--scope", "post:34"]
    arguments += ["--mutation", "no-entry-barrier", "--witness", str(tmp_path / "strand.json")]
    assert main(arguments) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "The seeded bug is no-entry-barrier" in text
    assert load(tmp_path / "strand.json").mutation == "no-entry-barrier"
