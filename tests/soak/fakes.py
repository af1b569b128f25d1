"""What does a campaign's tasks in no time, and a campaign's other parts for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

from emu.observe.accounting import COUNTERS, WINDOWS
from hosts.runs.verdict import Verdict
from hosts.soak.placement.topology import Topology
from hosts.soak.task import Result, Task

Outcome = Callable[[Task, int], Result | BaseException | None]
"""Returns what comes of a task and of which attempt at any (from 1); None: it goes on until it is cancelled."""


def result_of(task: Task, verdict: str = Verdict.PASS, **other: Any) -> Result:
    """Return a result as a worker gives it, all windows entered."""
    found = [{"check": "C1", "count": 3, "first": {"vector": 61, "turn": 4}}] if verdict == Verdict.VIOLATION else []
    expected = verdict == (Verdict.VIOLATION if task.mutation is not None else Verdict.PASS)
    as_expected = expected if verdict in (Verdict.PASS, Verdict.VIOLATION) else None
    seconds = other.pop("seconds", task.seconds)
    record = {
        "record": "result",
        "scenario": task.scenario,
        "policy": task.policy,
        "mutation": task.mutation,
        "verdict": verdict,
        "violations": found,
        "counts": dict.fromkeys(COUNTERS, 10),
        "windows": dict.fromkeys(WINDOWS, 5),
        "round_trip_ns": [],
        "seconds": seconds,
    }
    given = {"as_expected": as_expected, "reason": "C1 x 3" if found else "", "record": record, **other}
    return Result(verdict=verdict, seconds=seconds, where="here", processors=task.processors, **given)


def fine(task: Task, _attempt: int = 1) -> Result:
    """Be what is hoped for."""
    return result_of(task, Verdict.VIOLATION if task.mutation is not None else Verdict.PASS)


class FakeExecutor:
    """Does each task at once, as ``outcome`` says."""

    stage = ""

    def __init__(self, outcome: Outcome = fine, slots: int = 1, topologies: Sequence[Topology] = ()) -> None:
        self.outcome, self.slots = outcome, slots
        self.tasks: list[Task] = []
        self.files: list[Path | None] = []
        self.cancels = 0
        self.closed = False
        self._topologies = tuple(topologies)
        self._open: list[tuple[Future[Result], Task]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def topologies(self) -> tuple[Topology, ...]:
        """Return those of the workers' hosts."""
        return self._topologies

    def submit(self, _do: object, task: Task, machine_file: Path | None) -> Future[Result]:
        """Do it."""
        self.tasks.append(task)
        self.files.append(machine_file)
        future: Future[Result] = Future()
        future.set_running_or_notify_cancel()
        came = self.outcome(task, len(self.tasks))
        if came is None:
            self._open.append((future, task))
        elif isinstance(came, BaseException):
            future.set_exception(came)
        else:
            future.set_result(came)
        return future

    def cancel_running(self) -> None:
        """End what goes on."""
        self.cancels += 1
        for future, task in self._open:
            future.set_result(result_of(task, Verdict.CANCELLED, seconds=0.1, as_expected=None))
        self._open.clear()
