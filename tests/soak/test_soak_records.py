"""What the commands of a campaign write for programs: real output of each, held against the schema.

Seen to fail with a key that the schema does not have, one that it wants besides, and a first line without a version.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from emu.observe.accounting import CHECKS
from hosts.cli.main import main
from hosts.exit_codes import EXIT_EXPECTED, EXIT_UNEXPECTED, EXIT_UNPROVEN
from hosts.report.jsonl import JsonLines, schema
from hosts.runs.runner import REGIMES
from hosts.runs.verdict import Verdict
from hosts.soak.placement.classes import WORDS
from hosts.soak.placement.core_sharing import TITLES
from hosts.soak.postmortem.dump import TROUBLES
from hosts.soak.store.rows import State
from hosts.soak.store.writer import Campaign
from hosts.soak.task import Task
from hosts.soak.view.export import export_lines
from hosts.soak.view.status import Status
from hosts.soak.workers.job import crash_result, do_task
from hosts.soak.workers.local_executor import LocalExecutor
from tests.harness.driven import UP_SECONDS
from tests.validator import anchored, campaign_records_in, errors, records_in, rule_of

pytestmark = pytest.mark.timeout(6 * UP_SECONDS)  # the first may have to compile

SEEDED = ("--scenario", "timer-slowpath", "--policy", "elide-self-2022", "--mutation", "no-entry-sync")
"""Violates at once: what ends the soak is kept with its machine, the canary before it is not."""


@pytest.fixture(scope="module")
def soaked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Soak for real; what it wrote is beside the campaign."""
    folder = tmp_path_factory.mktemp("soaked")
    given = ("--campaign", str(folder / "c"), "--json", str(folder / "runs"), "--seed", "1", "--each", "0.2s")
    assert main(["soak", *given, "--for", "60s", "--until-violation", "--quiet", *SEEDED]) in (
        EXIT_EXPECTED,
        EXIT_UNPROVEN,
    )
    return folder


def test_a_soak_writes_the_campaign_its_runs_and_what_they_come_to(soaked: Path) -> None:
    """Each run as it ends; the first line names the version, the last is the status of an ended soak."""
    first, *runs, last = campaign_records_in(soaked / "runs")
    assert first["settings"]["mutations"] == ["no-entry-sync"]
    (session,) = first["sessions"]
    assert session["ended"] == ""
    assert session["environment"]["topologies"]
    assert [run["record"] for run in runs] == ["run"] * len(runs)
    assert [run["id"] for run in runs] == list(range(1, len(runs) + 1))
    assert (last["record"], last["in_use"], last["running"]) == ("status", False, [])
    assert Counter(run["verdict"] for run in runs) == last["verdicts"]


def test_a_status_writes_the_same(soaked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And ends as the soak did."""
    status = main(["soak", "status", "--campaign", str(soaked / "c"), "--json", str(tmp_path / "again")])
    _, *runs, last = campaign_records_in(tmp_path / "again")
    _, *before, ended = campaign_records_in(soaked / "runs")
    assert runs == before
    assert (last["headline"], last["exit_code"]) == (ended["headline"], status)
    assert capsys.readouterr().out.startswith(last["headline"])


def test_a_run_is_shown_with_its_machine(soaked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one that was kept all words that a person can use; of any other none."""
    _, *runs, _ = campaign_records_in(soaked / "runs")
    kept = next(run["id"] for run in runs if run["kept"] is not None)
    dropped = next(run["id"] for run in runs if run["kept"] is None)
    for number in (kept, dropped):
        file = tmp_path / str(number)
        assert main(["soak", "show", str(number), "--campaign", str(soaked / "c"), "--json", str(file)]) == 0
        _, run = campaign_records_in(file)
        machine = run.pop("machine")
        assert run in runs
        assert (machine is not None) == (number == kept)
        if machine is not None:
            assert machine["pcpus"][0]["sightings"]
            assert machine["pcpus"][0]["events"]
    capsys.readouterr()


def test_repro_says_where_and_what_came_each_time(
    soaked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """First the environment, as every other command that runs something."""
    *_, run, _ = campaign_records_in(soaked / "runs")
    given = ("--campaign", str(soaked / "c"), "--times", "2", "--json", str(tmp_path / "times"))
    assert main(["repro", str(run["id"]), *given]) == 0
    first, *times = records_in(tmp_path / "times")
    assert first["placement"] in ("pinned", "unpinned")
    assert [(each["record"], each["time"], each["shown"]) for each in times] == [("repro", 1, True), ("repro", 2, True)]
    assert sum(violation["count"] for violation in times[0]["violations"]) == times[0]["sightings"] > 0
    capsys.readouterr()


# --- what a short soak has none of


@pytest.fixture(scope="module")
def varied(soaked: Path) -> Iterator[Campaign]:
    """Enter more kinds of rows behind the soak's: an exploration, crashes, what was cut off, what goes on."""
    search = Task(kind="explore", scenario="tscdeadline-immed", policy="elide-self-2022", seconds=60.0)
    found = replace(search, mutation="no-fastpath-sync")
    race = Task(scenario="kick", policy="always-2021", pcpus=2)
    environment = campaign_records_in(soaked / "runs")[0]["sessions"][0]["environment"]
    with LocalExecutor() as executor, Campaign.resume(soaked / "c", environment) as campaign:
        for task in (search, found):
            campaign.finish(campaign.begin(task), executor.submit(do_task, task).result())
        for task in (search, race):
            campaign.finish(campaign.begin(task), crash_result(task, "worker 1 was killed by SIGKILL"))
        campaign.retry(number := campaign.begin(race), "worker 2 was killed by SIGKILL")
        campaign.interrupt(number, "Ctrl-C")
        campaign.begin(race)
        yield campaign


def test_rows_of_every_kind_are_as_the_schema_says(varied: Campaign, tmp_path: Path) -> None:
    """Among the runs and in the status."""
    file = tmp_path / "all"
    with file.open("w", encoding="utf-8") as open_file:
        write = JsonLines(open_file)
        for line in (*export_lines(varied), Status.of(varied).to_json()):
            write.write(line)
    _, *runs, status = campaign_records_in(file)
    verdicts = ["PASS", "VIOLATION", "CRASH", "CRASH", None, None]
    assert [run["verdict"] for run in runs[-6:]] == verdicts
    assert {run["state"] for run in runs} == set(get_args(State))
    assert [len(status[name]) for name in ("alarming", "interrupted", "running")] == [2, 1, 1]


def test_a_search_without_a_witness_is_reproduced_as_one(
    varied: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it finds is told as an exploration tells it."""
    number = next(row.id for row in varied.rows(kind="explore", verdict="PASS"))
    given = ("--campaign", str(varied.folder), "--json", str(tmp_path / "times"))
    assert main(["repro", str(number), *given]) == 0
    _, once = records_in(tmp_path / "times")
    assert (once["shown"], once["violations"]) == (True, [])
    capsys.readouterr()


# --- the schema against the code


@pytest.mark.parametrize("kind", ["campaign", "run", "status", "repro"])
def test_every_key_is_promised(kind: str) -> None:
    """A record has all its keys, always, but for the machine of a run that is shown; and no others."""
    (rule,) = [rule for rule in schema()["oneOf"] if rule["properties"]["record"]["const"] == kind]
    promised = [name for name in rule["properties"] if (kind, name) != ("run", "machine")]
    assert rule["required"] == promised
    assert rule["additionalProperties"] is False


def test_a_wrong_record_is_found(soaked: Path) -> None:
    """The schema is no rubber stamp: a key less, one more, another name."""
    records = campaign_records_in(soaked / "runs")
    for record in (records[0], records[1], records[-1]):
        for name in record:
            assert errors({key: part for key, part in record.items() if key != name}, schema()), name
        assert errors(record | {"more": 1}, schema())
    run, status = records[1], records[-1]
    assert errors(run | {"state": "ended"}, schema())
    assert errors(run | {"task": run["task"] | {"place": "strayed"}}, schema())
    assert errors(run | {"result": run["result"] | {"more": 1}}, schema())
    assert errors(status | {"running": [run | {"id": 0}]}, schema())


def test_names_are_those_of_the_code() -> None:
    """And no other; the fields of types are held against it in tests/unit/report/test_schema_types.py."""
    run, status, task = rule_of("run"), rule_of("status"), rule_of("run")["task"]["properties"]
    assert task["regime"]["enum"] == list(REGIMES)
    assert anchored()["place"]["enum"] == list(WORDS)
    assert run["state"]["enum"] == list(get_args(State))
    assert run["verdict"]["enum"] == [*map(str, Verdict), None]
    assert status["exit_code"]["enum"] == [EXIT_EXPECTED, EXIT_UNEXPECTED, EXIT_UNPROVEN]
    assert status["rates"]["items"]["properties"]["company"]["enum"] == list(TITLES)
    pcpu: dict[str, Any] = anchored()["machine"]["properties"]["pcpus"]["items"]["properties"]
    assert pcpu["trouble"]["properties"].keys() == set(TROUBLES)
    assert pcpu["sightings"]["items"]["properties"]["check"]["anyOf"][0]["enum"] == list(CHECKS)


def test_each_reference_is_to_something() -> None:
    """In a schema that is read by others' tools too."""
    text = json.dumps(schema())
    named = {part.partition('"')[0] for part in text.split('"$ref": "#')[1:]}
    assert named == set(anchored())
