"""Records, witnesses and a campaign that an earlier pirace wrote, of every kind: they are read, and mean what they did.

The files beside this one are real output, shortened: lists of branches, of events and of a witness's states. They are
added to where a kind of record or a format is new, and are never written anew.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, get_args

import pytest

from hosts.cli.main import main
from hosts.explorer.counterexample.witness_file import FORMAT, load, text
from hosts.report.jsonl import SCHEMA_VERSION, schema
from hosts.soak.store.reader import Archive
from hosts.soak.store.rows import State
from hosts.soak.store.schema import APPLICATION, DATABASE, open_to_read
from hosts.soak.store.schema import FORMAT as CAMPAIGN_FORMAT
from hosts.soak.store.tallies import Cell
from hosts.soak.store.writer import Campaign
from hosts.soak.view.export import export_lines
from hosts.soak.view.status import Status
from tests.validator import errors, rule_of

HERE = Path(__file__).parent
RECORDS = [json.loads(line) for line in (HERE / "records.jsonl").read_text(encoding="utf-8").splitlines()]
WITNESSES = sorted((HERE / "witnesses").iterdir())
KEPT = "g"
"""The folder that the campaign lay in: the records of its runs name files there."""


SINCE_THEN = {"kernel-function", "history"}
"""Kinds of records that there were not when these were written."""


def records(kind: str) -> list[dict[str, Any]]:
    """Return the records of a kind."""
    return [record for record in RECORDS if record["record"] == kind]


def test_every_record_is_as_the_schema_says() -> None:
    """A reader that goes by the schema of today reads what was written before."""
    assert [errors(record, schema()) for record in RECORDS] == [[]] * len(RECORDS)


def test_there_is_a_record_of_every_kind() -> None:
    """Of both hosts, of runs in every state, with and without a machine, of all that can be left undone."""
    kinds = {rule["properties"]["record"]["const"] for rule in schema()["oneOf"]}
    assert {record["record"] for record in RECORDS} == kinds - SINCE_THEN
    assert {record["host"] for record in records("result")} == {"processes", "explorer"}
    assert {run["state"] for run in records("run")} == set(get_args(State))
    assert {run["task"]["kind"] for run in records("run")} == {"race", "explore"}
    assert any("machine" in run for run in records("run"))
    assert {record["of"] for record in records("not-done")} == set(rule_of("not-done")["of"]["enum"])


# --- witnesses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WITNESSES, ids=[path.stem for path in WITNESSES])
def test_a_witness_is_read_as_it_was_written(path: Path) -> None:
    """With everything in it; what its format did not have yet has the value that it had by itself."""
    written = json.loads(path.read_text(encoding="utf-8"))
    saved = json.loads(text(load(path)))
    assert saved | {"witness": written["witness"]} == {**saved, **written}
    if written["witness"] == FORMAT:
        assert saved == written


def test_there_is_a_witness_of_every_kind() -> None:
    """Of a check, of a cycle, of a user's rule, and of each format."""
    read = {path.stem: load(path) for path in WITNESSES}
    assert read["check"].check == "C2"
    assert (read["no-progress"].check, read["no-progress"].cycle > 0) == ("no-progress", True)
    assert read["rule"].policy == "rule.py:trigger"
    formats = {json.loads(path.read_text(encoding="utf-8"))["witness"] for path in WITNESSES}
    assert formats == {"1.0", "1.1", "1.2", FORMAT}


def test_a_witness_of_earlier_sources_is_read_and_not_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    """The line names the sources that have changed, which only a witness that was read can say."""
    assert main(["replay", str(HERE / "witnesses" / "format-1.0.json")]) == 64
    assert "the sources have changed since: emu/" in capsys.readouterr().err


# --- a campaign ----------------------------------------------------------------------------------------------------


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Open the campaign file that an earlier pirace wrote."""
    monkeypatch.chdir(tmp_path)
    folder = Path(KEPT)
    folder.mkdir()
    db = sqlite3.connect(folder / DATABASE)
    db.executescript((HERE / "campaign.sql").read_text(encoding="utf-8"))
    db.executescript(f"PRAGMA user_version = {CAMPAIGN_FORMAT}; PRAGMA application_id = {APPLICATION}")
    db.close()
    return Archive(folder, open_to_read(folder))


def test_a_campaign_is_exported_as_it_was(campaign: Archive) -> None:
    """The campaign itself and every run, key by key, in the same order; the schema is today's."""
    exported = [json.dumps(line) for line in export_lines(campaign)]
    written = [line for line in (*records("campaign"), *records("run")) if "machine" not in line]
    today = [{**line, "schema": SCHEMA_VERSION} if "schema" in line else line for line in written]
    assert exported == [json.dumps(line) for line in today]


def test_a_campaign_has_come_to_what_it_had(campaign: Archive) -> None:
    """Tallies, rates and alarms, if perhaps in other words; the status as written held the first alarming run alone."""
    status = json.loads(json.dumps(Status.of(campaign).to_json()))
    (written,) = records("status")
    status["alarming"] = status["alarming"][:1]
    assert len(status["alarms"]) == len(written["alarms"])
    words = {name: status[name] for name in ("headline", "alarms")}
    assert status == written | words | {"in_use": False}


RUN = (
    *("id", "session", "state", "kind", "scenario", "policy", "mutation", "canary", "pcpus", "place", "processors"),
    *("regime", "scope", "host", "attempts", "verdict", "as_expected", "seconds", "sightings", "posts", "round_trip"),
    *("disagreements", "windows", "kept"),
)
DETAIL = ("id", "task", "began", "ended", "elapsed", "clock", "died", "why", "result")


def test_a_row_of_a_new_campaign_has_these_columns(tmp_path: Path) -> None:
    """In both tables of a run, so that the earlier file is gone on with."""
    with Campaign.create(tmp_path / "new", {}) as campaign:
        for table, columns in {"run": RUN, "detail": DETAIL}.items():
            found = campaign.select(f"PRAGMA table_info({table})")
            assert tuple(name for _, name, *_ in found) == columns
    assert set(Cell._fields) <= set(RUN)
