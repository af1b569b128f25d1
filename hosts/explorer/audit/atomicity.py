"""Atomicity of a relaxed read-modify-write: whether, in one counterexample, no write came between load and store."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from hosts.explorer.counterexample.witness import Step
from hosts.explorer.model.operations import BY_WRITTEN, Op
from hosts.explorer.model.rmw import modifies


def was_atomic(steps: Sequence[Step], function: str, line: int) -> bool:
    """Return whether no other write came between the load and the store of the operation at a line, which waited."""
    waiting: dict[int, deque[tuple[str, bool]]] = {}
    """For each thread the stores in its buffer, the oldest first: the word, and whether it is one of these."""
    for step in steps:
        mine = waiting.setdefault(step.thread, deque())
        if step.agent == "drain":
            word, _ = mine.popleft()
            if _awaited(waiting, step.thread, word):
                return False
        for row in step.rows:
            if row.kind == Op.STORE.written:
                mine.append((row.word, row.function == function and row.line == line))
            elif modifies(BY_WRITTEN[row.kind], row.answer, row.a, row.b) and _awaited(waiting, step.thread, row.word):
                return False
    return True


def _awaited(waiting: Mapping[int, deque[tuple[str, bool]]], thread: int, word: str) -> bool:
    """Return whether such a store of another thread to a word waits."""
    return any((word, True) in buffer for other, buffer in waiting.items() if other != thread)
