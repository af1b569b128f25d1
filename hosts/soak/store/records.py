"""A run as columns of the campaign file, and back."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import convert, structs

from hosts.soak.store.rows import Row, Session
from hosts.soak.store.tallies import Cell, Entry
from hosts.soak.task import Result, Task

T = TypeVar("T")
Columns = dict[str, Any]


def task_columns(task: Task) -> Columns:
    """Return what is known of a run before it begins."""
    return {
        "kind": task.kind,
        "scenario": task.scenario,
        "policy": task.policy,
        "mutation": task.mutation,
        "canary": int(task.canary),
        "pcpus": task.pcpus,
        "place": task.place,
        "processors": _numbers(task.processors),
        "regime": task.regime,
        "scope": task.scope,
    }


def result_columns(result: Result) -> Columns:
    """Return what is counted of a run that has ended."""
    record = result.record
    round_trips = record.get("round_trip_ns") or []
    return {
        "host": host_of(result.where),
        **_stood_on(result),
        "verdict": str(result.verdict),
        "as_expected": None if result.as_expected is None else int(result.as_expected),
        "seconds": float(result.seconds),
        "sightings": sum(int(each["count"]) for each in record.get("violations", [])),
        "posts": int(record.get("counts", {}).get("posts", 0)),
        "round_trip": statistics.median(round_trips) if round_trips else None,
        "disagreements": len(result.disagreements),
        "windows": text({name: count for name, count in record.get("windows", {}).items() if count}),
    }


def _stood_on(result: Result) -> Columns:
    """Return the processors of a run, none of one that strayed: where its pCPUs have been all the time is not known.

    A placement without processors is one that was not kept: see :func:`hosts.soak.view.rates.rates`.
    """
    if result.strayed:
        return {"processors": ""}
    return {"processors": _numbers(result.processors)} if result.processors else {}


def _numbers(processors: Iterable[int]) -> str:
    return ",".join(map(str, processors))


def host_of(where: str) -> str:
    """Return the host of a worker: what its name begins with."""
    return where.replace(":", " ").partition(" ")[0]


# --- text --------------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """Write a value."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def result_text(result: Result) -> str:
    """Write a result, without what is kept of it in files."""
    held = structs.asdict(result) | {"verdict": str(result.verdict)}
    del held["files"]
    return text(held)


def read_back(written: str, kind: type[T]) -> T:
    """Return a value that was written as text, of the type that it had; ValueError."""
    return convert(json.loads(written), kind)


# --- reading -----------------------------------------------------------------------------------------------------

ROW_COLUMNS: Final = (
    "run.id, run.state, run.session, run.attempts, run.kept, detail.task, detail.began, detail.ended, "
    "detail.elapsed, detail.clock, detail.died, detail.why, detail.result"
)
ENTRY_COLUMNS: Final = (
    "id, state, kind, scenario, policy, mutation, pcpus, place, regime, scope, canary, verdict, as_expected, "
    "seconds, sightings, disagreements, windows, kept"
)


def row_of(found: tuple[Any, ...], kept: Path) -> Row:
    """Read a row; ``kept`` is its kept folder, if it has one."""
    number, state, session, attempts, is_kept, task, began, ended, elapsed, clock, died, why, result = found
    return Row(
        id=number,
        state=state,
        session=session,
        attempts=attempts,
        kept=kept if is_kept else None,
        task=read_back(task, Task),
        began=began,
        ended=ended,
        elapsed=elapsed,
        clock=clock,
        died=read_back(died, tuple[str, ...]),
        why=why,
        result=read_back(result, Result) if result is not None else None,
    )


def entry_of(found: tuple[Any, ...]) -> Entry:
    """Read what is tallied of a row."""
    number, state, *rest = found
    cell, (verdict, as_expected, seconds, sightings, disagreements, windows, kept) = Cell(*rest[:9]), rest[9:]
    return Entry(
        number,
        state,
        cell._replace(canary=bool(cell.canary)),
        verdict,
        None if as_expected is None else bool(as_expected),
        seconds,
        sightings,
        disagreements,
        read_back(windows, dict[str, int]),
        bool(kept),
    )


def entry_from(number: int, task: Task, columns: Mapping[str, Any], *, kept: bool) -> Entry:
    """Return what is tallied of a run that has just ended, as if it were read back."""
    whole = task_columns(task) | dict(columns) | {"id": number, "state": "finished", "kept": kept}
    return entry_of(tuple(whole[name] for name in ENTRY_COLUMNS.split(", ")))


def session_of(found: tuple[Any, ...]) -> Session:
    """Read a session."""
    number, began, ended, elapsed, environment = found
    facts = read_back(environment, dict[str, Any])
    return Session(id=number, began=began, ended=ended, elapsed=elapsed, environment=facts)
