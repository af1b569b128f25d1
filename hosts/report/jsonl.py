"""The run as JSON lines, for programs: first where it was made, then a line for each row as it finishes.

``schema.json`` beside this file says what a line may hold. ``SCHEMA_VERSION`` changes its first number when a reader
of the version before would be wrong, its second when it would miss something.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final, Protocol

from msgspec import to_builtins

from hosts.loader.user_code import UserCode
from hosts.runs.verdict import Row

SCHEMA_VERSION: Final = "1.9"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a line."""
    loaded: dict[str, Any] = json.loads(resources.files(__package__).joinpath("schema.json").read_text("utf-8"))
    return loaded


def environment_record(facts: dict[str, Any], code: UserCode | None = None) -> dict[str, Any]:
    """Return the first line; ``code``: the user's, with the hashes of the files as they were loaded."""
    rule = code.rule_file if code is not None else None
    record = {"record": "environment", "schema": SCHEMA_VERSION, **facts, "policy_sha256": rule and rule.digest}
    if code is not None and code.spec.patched:
        record["code"] = {"asked": to_builtins(code.spec), "sha256": code.digests()}
    return record


def result_record(row: Row, seed: int) -> dict[str, Any]:
    """Return the line of a row."""
    planned, measured = row.planned, row.measured
    expectation = planned.expectation
    return {
        "record": "result",
        "scenario": planned.scenario.name,
        "policy": planned.policy.name,
        "mutation": planned.mutation.name if planned.mutation is not None else None,
        "host": "processes",
        "pcpus": planned.pcpus,
        "vcpus": planned.vcpus,
        "canary": planned.canary,
        "verdict": str(row.verdict),
        "reason": row.reason,
        "unpromised": list(planned.policy.unpromised),
        "crash": row.crash or None,
        "expected": expectation.outcome if expectation is not None else None,
        "expected_checks": list(expectation.checks) if expectation is not None else [],
        "as_expected": row.as_expected,
        "violations": [
            {"check": violation.check, "count": violation.count, "first": dict(violation.first)}
            for violation in measured.violations
        ],
        "counts": dict(measured.counts),
        "windows": dict(measured.windows),
        "enough_seconds": row.enough_seconds,
        "not_demanded": list(row.not_demanded),
        "explored": _explored(row),
        "round_trip_ns": [round(nanoseconds, 1) for nanoseconds in row.round_trips],
        "seconds": round(measured.seconds, 6),
        "seed": seed,
    }


def _explored(row: Row) -> dict[str, Any] | None:
    """Return what the explorer has found of the row; null if it was not asked to."""
    explored = row.explored
    if explored is None:
        return None
    return {
        "command": explored.command,
        "complete": explored.complete,
        "why": explored.why,
        "states": explored.states,
        "seconds": round(explored.seconds, 6),
        "found": explored.found,
        "checks": list(explored.checks),
        "same_as": list(explored.same_as),
    }


def explorer_record(row: Row, search: dict[str, Any]) -> dict[str, Any]:
    """Return the line of a row of the explorer, which counts and times nothing but knows how much it has seen."""
    record = result_record(row, 0) | {"host": "explorer", "counts": {}, "search": search}
    return {name: value for name, value in record.items() if name not in ("not_demanded", "explored", "enough_seconds")}


def not_done_record(of: str, planned: str, why: str, count: int = 1) -> dict[str, Any]:
    """Return the line of what was planned and not done, as the command ended before; ``of``: the records it lacks."""
    return {"record": "not-done", "of": of, "planned": planned, "count": count, "why": why}


class Sink(Protocol):
    """Something that text is written to."""

    def write(self, text: str, /) -> Any:
        """Take it."""

    def flush(self) -> Any:
        """Pass it on."""


class JsonLines:
    """Writes records to a file, each line at once, so that a run that is killed keeps what it has."""

    def __init__(self, file: Sink) -> None:
        self._file = file

    def write(self, record: dict[str, Any]) -> None:
        """Write one record."""
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()
