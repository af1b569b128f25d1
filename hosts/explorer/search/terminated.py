"""What is over on every fair cycle, so that the look for endless cycles needs to see only the states behind it.

A thread that never comes back to a local state stands still on a cycle of the whole. If it could move it is left out,
which no fair cycle does; so it has ended, and its buffer is empty. Most senders are such. An IPI that only they send
is not sent again: in flight on a fair cycle, it would have to arrive, and the cycle could not close.
"""

from __future__ import annotations

from hosts.explorer.model.operations import Kind
from hosts.explorer.reduce.footprints import straight
from hosts.explorer.search.thread_tables import Learnt


def over_on_cycles(learnt: Learnt) -> list[int]:
    """Say what holds on every fair cycle: rows of place, shift, mask and value, one behind the other."""
    rows: list[int] = []
    over: set[int] = set()
    for thread in range(len(learnt.model.threads)):
        ends = learnt.ended(thread)
        if len(ends) == 1 and straight(learnt, thread) is not None:
            rows += [*learnt.layout["local", thread], ends[0], *learnt.layout["buffer", thread], 0]
            over.add(thread)
    sent = zip(learnt.operation, learnt.owner, strict=True)
    again = {(each.a, each.b) for each, (thread, _) in sent if each.kind == Kind.SEND and thread not in over}
    for number, slot in enumerate(learnt.slots):
        if slot not in again:
            rows += [*learnt.layout["slot", number], 0]
    return rows
