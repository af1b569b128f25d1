"""Threads that never come back to a local state: on a cycle of the whole they stand still.

A thread that stands still and could move is left out, which no fair cycle does; so on a fair cycle it has ended, and
its buffer is empty. Most senders are such, and the look for endless cycles needs to see only the states behind them.
"""

from __future__ import annotations

from hosts.explorer.futures import straight
from hosts.explorer.tables import Learnt


def ended_and_drained(learnt: Learnt) -> list[int]:
    """Say what holds on every fair cycle: rows of place, shift, mask and value, one behind the other."""
    rows: list[int] = []
    for thread in range(len(learnt.model.threads)):
        ends = learnt.ended(thread)
        if len(ends) == 1 and straight(learnt, thread) is not None:
            rows += [*learnt.layout["local", thread], ends[0], *learnt.layout["buffer", thread], 0]
    return rows
