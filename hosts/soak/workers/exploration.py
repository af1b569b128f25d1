"""The exploration of one scope as a task of a campaign."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from hosts.explorer.counterexample.witness_file import text
from hosts.explorer.model.options import Options
from hosts.explorer.search.result import Progress, Result
from hosts.explorer.threads.harness import ScopeError
from hosts.loader.user_code import UserCode, read_code
from hosts.report.jsonl import explorer_record
from hosts.runs.collect import Measured
from hosts.runs.explore_request import DEFAULT_SCENARIO, Asked, rows_of
from hosts.runs.explorer_runner import Explorer, Searched
from hosts.runs.explorer_verdict import judged, out_of_time, search_facts, with_expected_violations
from hosts.runs.plan import PlanError, chosen_mutations, chosen_scenarios
from hosts.runs.verdict import Circumstances, Row, Verdict, grade
from hosts.soak.task import Task
from hosts.soak.workers.race_result import declared_by_task, policy_of

MOST_BYTES: Final = 4_000_000_000
SHARE: Final = 4
"""A search may take one part in so many of the machine's memory: other processes run beside it."""
WITNESS: Final = "witness.json"


@dataclass(frozen=True)
class Found:
    """The result of a search."""

    row: Row
    record: dict[str, Any]
    files: dict[str, bytes]


def explore(task: Task, begin: Callable[[], None], cancelled: Callable[[], bool]) -> Found:
    """Search until the end, the budget's end or cancellation; ``begin`` is called when everything is loaded."""
    code = read_code(task.spec)
    asked = _asked(task, code)
    engine = _engine(code)
    options = Options(max_bytes=most_bytes(), seconds=task.seconds)
    begin()
    watch = _Watch(task.seconds, cancelled)
    searched = with_expected_violations(engine, asked, options, watch, engine.search(asked, options, watch))
    if watch.out_of_time:
        searched = out_of_time(searched)
    row = judged(asked, searched, options, cancelled=cancelled())
    row = replace(row, planned=replace(row.planned, canary=task.canary))
    files = _witness(searched) if row.verdict is Verdict.VIOLATION and not task.canary else {}
    return Found(row, explorer_record(row, search_facts(asked, searched, options)), files)


@functools.lru_cache(maxsize=1)
def _engine(code: UserCode | None) -> Explorer:
    """Return the explorer of code as it was read; cached, since a worker explores the same again and again."""
    return Explorer(code)


def not_searched(task: Task, what: Circumstances) -> tuple[Row, dict[str, Any]]:
    """Return the row and the record of a task that was not searched."""
    asked = _asked(task)
    row = grade(replace(asked.planned, canary=task.canary), Measured(), what)
    options = Options(max_bytes=most_bytes(), seconds=task.seconds)
    return row, explorer_record(row, search_facts(asked, Searched(Result()), options))


def _asked(task: Task, code: UserCode | None = None) -> Asked:
    named = task.scenario != DEFAULT_SCENARIO.name
    declared = declared_by_task(task, code)
    scenarios = chosen_scenarios([task.scenario], declared) if named else (DEFAULT_SCENARIO,)
    mutations = chosen_mutations([task.mutation]) if task.mutation is not None else (None,)
    try:
        row = rows_of(scenarios, [policy_of(task, code)], mutations, task.scope or None, declared=declared)[-1]
    except ScopeError as error:
        raise PlanError(str(error)) from None
    return replace(row, planned=replace(row.planned, code=task.code))


def most_bytes() -> int:
    """Return the bytes of memory that a search may take."""
    return min(MOST_BYTES, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // SHARE)


class _Watch:
    """The watch of a search: false when the budget is spent or the search is cancelled."""

    def __init__(self, seconds: float, cancelled: Callable[[], bool]) -> None:
        self._until = time.monotonic() + seconds
        self._cancelled = cancelled
        self.out_of_time = False

    def __call__(self, _progress: Progress) -> bool:
        self.out_of_time = not self._cancelled() and time.monotonic() >= self._until
        return not self._cancelled() and not self.out_of_time


def _witness(searched: Searched) -> dict[str, bytes]:
    return {} if searched.witness is None else {WITNESS: text(searched.witness).encode()}
