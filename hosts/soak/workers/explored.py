"""The result of a task's exploration, in the form that races of the same configuration are graded with."""

from __future__ import annotations

import shlex
from typing import Any

from hosts.plural import counted
from hosts.runs.explored import Explored
from hosts.runs.own_code import words_of
from hosts.runs.verdict import Verdict
from hosts.soak.task import Result, Task


def explored_of(task: Task, result: Result, ended: str = "") -> Explored:
    """Read the result of an exploration; ``ended``: why it was cancelled, if it was."""
    record: dict[str, Any] = result.record
    search = record["search"]
    found = result.verdict == Verdict.VIOLATION
    count = search["states"]
    states = f"{counted(count, 'state')} seen; " if count else ""
    # Whether the worker or its caller looked at the clock first: the time was over.
    over = f"time limit of {task.seconds:.1f} s reached" if search["bounded_by"] == ["seconds"] else result.reason
    why = ended if result.verdict == Verdict.CANCELLED and ended else over
    its_own = result.verdict == Verdict.CRASH and task.spec.names(result.reason)
    return Explored(
        command_for(task),
        complete=search["complete"],
        why="" if search["complete"] or found else states + why,
        states=search["states"],
        seconds=result.seconds,
        found=result.reason if found else "",
        fault=result.reason if its_own else "",
        checks=tuple(each["check"] for each in record["violations"]),
        entered=frozenset(window for window, count in record["windows"].items() if count),
        same_as=tuple(search.get("same_as", ())),
    )


def command_for(task: Task) -> str:
    """Return the command that does an exploration again."""
    words = ["pirace", "explore", *words_of(task.policy, task.code), "--scenario", task.scenario]
    if task.mutation is not None:
        words += ["--mutation", task.mutation]
    return shlex.join(words)
