"""The JSON lines, held against the schema that is written down."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from emu.observe.accounting import CHECKS, COUNTERS, WINDOWS
from hosts.report.environment import environment
from hosts.report.jsonl import SCHEMA_VERSION, JsonLines, environment_record, result_record, schema
from hosts.runs.collect import Measured, Undelivered, Violation, collect, fabric_violation
from hosts.runs.plan import Planned
from hosts.runs.verdict import Circumstances, Row, Verdict, grade
from tests.validator import errors, rule_of


def record_of(row: Row) -> dict[str, Any]:
    """Return a row's record as a reader gets it."""
    lines = io.StringIO()
    JsonLines(lines).write(result_record(row, 7))
    read: dict[str, Any] = json.loads(lines.getvalue())
    return read


def test_the_environment_record_is_as_the_schema_says() -> None:
    """Of this very environment."""
    record = environment_record(environment(7, 60.0, "pinned", ["pirace", "stress", "--policy", "a b.py:f"]))
    assert errors(json.loads(json.dumps(record)), schema()) == []
    assert record["record"] == "environment"
    assert record["schema"] == SCHEMA_VERSION
    assert record["command"] == "pirace stress --policy 'a b.py:f'"
    assert record["versions"]["libzmq"].count(".") == 2


@pytest.mark.parametrize("ending", ["ended", "no time", "skipped", "crash", "cancelled"])
def test_result_records_are_as_the_schema_says(row: Any, measured: Any, ending: Any) -> None:
    """However a row ends."""
    graded = grade(row("remote-post", "always-2021", "no-entry-sync"), measured(), Circumstances(ending, "why"))
    assert errors(record_of(graded), schema()) == []


def test_a_crash_stands_beside_what_was_seen(row: Any, measured: Any) -> None:
    """Whatever the verdict; null if there was none."""
    crashed = Circumstances("crash", "pCPU 0 hung")
    for fired, verdict in (((), "CRASH"), (("C2",), "VIOLATION")):
        record = record_of(grade(row("remote-post", "always-2021"), measured(*fired), crashed))
        assert (record["verdict"], record["crash"]) == (verdict, "pCPU 0 hung")
    assert record_of(grade(row("remote-post", "always-2021"), measured("C2"), Circumstances()))["crash"] is None


def test_violations_are_as_the_schema_says(row: Callable[..., Planned], blank: Any) -> None:
    """Those that the machine recorded, and what the fabric lost."""
    words = blank().record("C1", [2, 0x31, 1, -1, 1, 0, 7, 99], cpu=1).record("C8", [1, -1, 0, -1, 0, 0, 0, 5])
    found = collect(words.words, 2, 0.5)
    found += Measured(violations=fabric_violation((Undelivered(0, 1, None, 3, 2),)))
    record = record_of(grade(row("kick", "always-2021"), found, Circumstances()))
    assert errors(record, schema()) == []
    assert [violation["check"] for violation in record["violations"]] == ["C1", "C10", "C8"]


def test_the_keys_that_were_promised(row: Callable[..., Planned], measured: Any) -> None:
    """The issue's own list."""
    record = record_of(grade(row("kick", "always-2021"), measured("C9"), Circumstances(processors=2)))
    promised = "record scenario policy mutation host verdict expected violations counts windows seconds seed"
    assert set(promised.split()) <= set(record)
    assert (record["record"], record["host"], record["mutation"]) == ("result", "processes", None)
    assert (record["verdict"], record["expected"], record["as_expected"]) == ("VIOLATION", "PASS", False)
    counts = "rounds posts accepted deliveries merged ipis_sent ipis_elided ipis_taken notifications_spurious"
    assert {*counts.split(), "vm_entries", "vm_exits", "syncs", "wakes"} <= set(record["counts"])


def test_the_schema_knows_what_is_counted() -> None:
    """All counters, windows, checks and verdicts, and no others."""
    result = rule_of("result", "processes")
    assert list(result["counts"]["properties"]) == list(COUNTERS)
    assert list(result["windows"]["properties"]) == list(WINDOWS)
    # what older records have, too, is required
    assert result["counts"]["required"] == list(COUNTERS[: COUNTERS.index("stray_interrupts") + 1])
    assert result["windows"]["required"] == list(WINDOWS[: WINDOWS.index("hlt-fastpath-halts")])
    assert result["violations"]["items"]["properties"]["check"]["anyOf"][0]["enum"] == list(CHECKS)
    assert result["verdict"]["enum"] == list(Verdict)


@pytest.mark.parametrize(
    ("key", "value"),
    [("verdict", "FINE"), ("seconds", -1), ("seed", None), ("counts", {}), ("host", "threads"), ("violations", [{}])],
)
def test_the_schema_refuses_what_is_wrong(row: Callable[..., Planned], measured: Any, key: str, value: Any) -> None:
    """The test's own validator is no rubber stamp."""
    record = record_of(grade(row("kick", "always-2021"), measured(), Circumstances()))
    assert errors(record | {key: value}, schema())
    assert errors({name: part for name, part in record.items() if name != key}, schema())
    assert errors(record | {"more": 1}, schema())


def test_each_line_is_written_at_once(row: Callable[..., Planned], measured: Any, tmp_path: Any) -> None:
    """A run that is killed keeps what it has."""
    graded = grade(row("kick", "always-2021"), measured(), Circumstances())
    with (tmp_path / "lines").open("w") as file:
        JsonLines(file).write(result_record(graded, 7))
        assert (tmp_path / "lines").read_text().count("\n") == 1


def test_a_first_sighting_is_kept_whole(row: Callable[..., Planned], measured: Any) -> None:
    """Its details go out as they came in."""
    seen = Measured(measured().counts, measured().windows, (Violation("C10", 1, {"vector": None, "sent": 3}),), 1.0)
    record = record_of(grade(row("kick", "always-2021"), seen, Circumstances()))
    assert record["violations"] == [{"check": "C10", "count": 1, "first": {"vector": None, "sent": 3}}]
