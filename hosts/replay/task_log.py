"""Logs of tasks: what primitives have answered a task so far, so that any process can run its code again up to there.

A task that is switched away from is saved as a log, and its context word holds the log's number; while it runs, 0. A
log is what its parent holds, the one that the task was resumed from, and what was answered since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from emu.machine import MAX_PCPUS

_OWNERS: Final = 4 * MAX_PCPUS
_IDLE: Final = 2 * MAX_PCPUS
"""Behind it are the idle tasks of the pCPUs; the tasks of vCPUs begin at 1."""


class Answer(NamedTuple):
    """One call of a primitive and its result."""

    primitive: str
    arguments: tuple[int, ...]
    result: int | None

    @property
    def call(self) -> str:
        """Return the call as text."""
        return f"{self.primitive}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True)
class LogSaved:
    """Message to the scheduler: a task was switched away from."""

    number: int
    parent: int
    added: tuple[Answer, ...]


@dataclass(frozen=True)
class LogWanted:
    """Message to the scheduler: a task is to be resumed that has run elsewhere."""

    number: int


@dataclass(frozen=True)
class LogSent:
    """The scheduler's answer: the whole log; None if there is none of that number."""

    answers: tuple[Answer, ...] | None


def first_log(vcpu: int) -> int:
    """Return the number of the empty log of a vCPU's task that has not run yet."""
    return vcpu + 1


def idle_log(cpu: int) -> int:
    """Return the number that stands for the idle task of a pCPU, which has no log: it never migrates."""
    return _IDLE + cpu + 1


def later_log(first: int, cpu: int, pcpus: int, saved: int) -> int:
    """Return the number of the log that a pCPU saves after ``saved`` others; no two are equal."""
    return (saved * pcpus + cpu + 1) * _OWNERS + first


def first_of(number: int) -> int:
    """Return the number that a task, or an idle task, began with."""
    return number % _OWNERS


def is_task(number: int) -> bool:
    """Return whether a number can be that of a task's log, not of an idle task, or none at all."""
    return 0 < first_of(number) <= MAX_PCPUS


class SavedLogs:
    """All logs of one replay, in the scheduler."""

    def __init__(self) -> None:
        self._saved: dict[int, LogSaved] = {}

    def save(self, saved: LogSaved) -> None:
        """Keep a log."""
        self._saved[saved.number] = saved

    def whole(self, number: int) -> LogSent:
        """Return a log with all that its parents hold."""
        if not is_task(number):
            return LogSent(None)
        parts: list[tuple[Answer, ...]] = []
        at = number
        while at != first_of(number):
            saved = self._saved.get(at)
            if saved is None:
                return LogSent(None)
            parts.append(saved.added)
            at = saved.parent
        return LogSent(tuple(answer for part in reversed(parts) for answer in part))
