"""The retention policy of races: all files of a violation, a crash or a hang, none of others."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hosts.report.environment import environment
from hosts.runs.verdict import Verdict
from hosts.soak.task import Result, Task

if TYPE_CHECKING:
    from hosts.native.process.outcome import Outcome

FACTS: Final = "facts.json"
MACHINE: Final = "machine"
WORTH_KEEPING: Final = (Verdict.VIOLATION, Verdict.CRASH, Verdict.CANCELLED)


def files_to_keep(task: Task, result: Result, outcome: Outcome, machine: Path | None) -> dict[str, bytes]:
    """Return the files to keep, by name; ``machine``: a file whose bytes are to be kept too.

    Nothing is kept of a canary, which is expected to be caught, unless it crashed.
    """
    if result.verdict not in WORTH_KEEPING and not result.disagreements:
        return {}
    if task.canary and outcome.crash is None:
        return {}
    files = {name: text.encode() for name, text in outcome.crash_dump.items()}
    files[FACTS] = (json.dumps(_facts(task, result, outcome), indent=1, default=str) + "\n").encode()
    if machine is not None:
        files[MACHINE] = machine.read_bytes()
    return files


def _facts(task: Task, result: Result, outcome: Outcome) -> dict[str, Any]:
    return {
        "task": task.to_record(),
        "environment": _environment(task.seed, task.seconds, task.place),
        "verdict": result.verdict,
        "reason": result.reason,
        "record": result.record,
        "notes": result.notes,
        "disagreements": result.disagreements,
        "where": result.where,
        "pcpus": [asdict(worker) for worker in outcome.workers],
        "seconds": outcome.seconds,
        "overhead": outcome.overhead,
        "stalled": outcome.stalled,
        "strayed": outcome.affinity_lost,
        "hung": outcome.hung,
        "stuck": outcome.stuck,
        "undelivered": [asdict(each) for each in outcome.undelivered],
    }


@functools.cache
def _constant() -> dict[str, Any]:
    return environment(0, 0.0, "unpinned")


def _environment(seed: int, seconds: float, place: str) -> dict[str, Any]:
    return {**_constant(), "seed": seed, "budget_seconds": seconds, "placement": place}
