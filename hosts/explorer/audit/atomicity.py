"""What the ways of weakening a locked operation say together: which of its two halves is needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hosts.explorer.audit.relax import NEITHER, NO_ATOMICITY, NO_FENCE_BEFORE, NO_FENCE_BEHIND
from hosts.explorer.counterexample.witness import Row, Step
from hosts.explorer.model.operations import Kind

if TYPE_CHECKING:
    from hosts.explorer.audit.audit import Answer, Tried

_CHANGES: Final = {
    Kind.XCHG.name: lambda row: row.answer != row.a,
    Kind.CMPXCHG.name: lambda row: row.answer == row.a,
    Kind.OR.name: lambda row: row.answer | row.a != row.answer,
    Kind.AND.name: lambda row: row.answer & row.a != row.answer,
    Kind.ADD.name: lambda row: row.a != 0,
}
"""Whether a locked operation has changed its word."""


def was_atomic(steps: Sequence[Step], function: str, line: int) -> bool:
    """Tell whether no other write came between the load and the store of the operation at a line, which waited."""
    waiting: dict[int, deque[tuple[str, bool]]] = {}
    """For each thread the stores in its buffer, the oldest first: the word, and whether it is one of these."""
    for step in steps:
        mine = waiting.setdefault(step.thread, deque())
        if step.agent == "drain":
            word, _ = mine.popleft()
            if _awaited(waiting, step.thread, word):
                return False
        for row in step.rows:
            if row.kind == Kind.STORE.name:
                mine.append((row.word, row.function == function and row.line == line))
            elif _changed(row) and _awaited(waiting, step.thread, row.word):
                return False
    return True


def _changed(row: Row) -> bool:
    changes = _CHANGES.get(row.kind)
    return changes is not None and changes(row)


def _awaited(waiting: Mapping[int, deque[tuple[str, bool]]], thread: int, word: str) -> bool:
    """Tell whether such a store of another thread to a word waits."""
    return any((word, True) in buffer for other, buffer in waiting.items() if other != thread)


def halves(answers: Mapping[str, Answer], tried: Sequence[Tried]) -> tuple[Answer, Answer]:
    """Say whether the fence is needed, and whether the atomicity is.

    A violation without a fence behind shows that the fence is needed if the operation was atomic in it all the same;
    or if one that is fenced but not atomic does no harm. It is not needed if no run in which it is atomic violates
    anything.
    """
    atomicity = answers[NO_ATOMICITY]
    before, behind = answers[NO_FENCE_BEFORE], answers[NO_FENCE_BEHIND]
    shown = [each for each in tried if each.way == NO_FENCE_BEHIND and each.outcome == "violation"]
    proven = behind == "needed" and (any(each.atomic for each in shown) or atomicity == "not needed")
    if before == "needed" or proven:
        return "needed", atomicity
    if shown and all(each.apart for each in shown):
        others = [each for each in tried if each.way == NO_FENCE_BEHIND and each not in shown]
        behind = "unknown" if any(each.outcome in ("bounded", "fault") for each in others) else "not needed"
    return ("not needed" if before == behind == "not needed" else "unknown"), atomicity


def locked_verdict(answers: Mapping[str, Answer], tried: Sequence[Tried]) -> str:
    """Put into words what a locked operation is needed for."""
    fence, atomicity = halves(answers, tried)
    if fence == atomicity == "needed":
        return "needs both"
    if fence == atomicity == "not needed":
        return {"needed": "needs one of the two", "not needed": "needs neither"}.get(answers[NEITHER], "unknown")
    if fence == atomicity == "unknown":
        return "unknown"
    names = {"the fence": fence, "atomicity": atomicity}
    parts = [f"needs {name}" for name, answer in names.items() if answer == "needed"]
    parts += [f"{name} unknown" for name, answer in names.items() if answer == "unknown"]
    if not parts or parts[0].endswith("unknown"):
        parts += [f"{name} not needed" for name, answer in names.items() if answer == "not needed"]
    return ", ".join(parts)
