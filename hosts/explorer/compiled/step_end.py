"""Scheduling points: where a step ends, and where it goes on because no other thread can tell (Lipton 1975)."""

from __future__ import annotations

from hosts.explorer.compiled.abi import (
    ASK,
    C_WAITED,
    CONST,
    DRAINS,
    EXTRA,
    FREE,
    H_FUSE,
    H_REDUCE,
    LOCKED,
    OWN,
    POINT,
    READ,
    REQ_BUFFER,
    REQ_FREE,
    STORE,
    T_FULL,
    T_PK,
    T_SIZE,
    WORD,
    Tables,
    Work,
)
from hosts.explorer.compiled.effects import request
from hosts.explorer.compiled.state_fields import newest, read_field
from hosts.explorer.compiled.store_buffers import finds_room
from hosts.explorer.compiled.visibility import free_now, invisible, on_obligation, uninterruptible
from hosts.explorer.jit.intrinsics import get, inlined

GO_ON, REST, NOWHERE = range(3)
"""What becomes of a step: it does its next operation, it ends in front of it, or there is no such step (yet)."""
STAY, PASS, PASS_POINT, PASS_UNSURE, ASKING = range(5)
"""What becomes of a scheduling point behind a step's first operation. UNSURE: unless others can tell after all."""


@inlined
def way_past(tables: Tables, work: Work, at: int, t: int, g: int, buffer: int, paid: bool) -> int:  # noqa: C901, FBT001, PLR0911
    """Return whether a step goes on past the scheduling point before an operation: only if no other thread can tell."""
    header, operations, record = tables.header, tables.operations, g * 8
    code, flags = get(operations, record) & 31, get(operations, record) >> 5
    if code == POINT:
        if get(operations, record + EXTRA) != 0 and uninterruptible(tables, work, work.out, at, t):
            return PASS_POINT
        if (flags & (FREE | ASK)) == 0:
            return STAY
        # What may yet come can wait for the next point; what is pending is taken here.
        if (read_field(work, work.out, at, tables.threads, t * T_SIZE + T_PK) & get(operations, record + CONST)) != 0:
            return STAY
        if (flags & ASK) == 0:
            return PASS_POINT
        request(work, REQ_FREE, g, 0)
        return ASKING
    if header[H_REDUCE] == 0:
        return STAY
    if (flags & (FREE | ASK)) != 0:
        if not free_now(tables, work, work.out, at, t, code):
            return STAY
        if (flags & ASK) == 0:
            return PASS
        request(work, REQ_FREE, g, 0)
        return ASKING
    if header[H_FUSE] != 0 and code in (READ, LOCKED) and invisible(tables, work, t, record, buffer):
        return STAY if code == LOCKED and paid and on_obligation(tables, record) else PASS_UNSURE
    return STAY


@inlined
def held_up(tables: Tables, work: Work, t: int, g: int, buffer: int) -> int:
    """Return whether the own buffer lets an operation be done: GO_ON, REST until it does, NOWHERE: a request tells."""
    threads, record = tables.threads, g * 8
    code, flags = get(tables.operations, record) & 31, get(tables.operations, record) >> 5
    if code == STORE:
        if finds_room(tables, work, t, record, buffer):
            return GO_ON
        if get(threads, t * T_SIZE + T_FULL) == 0:
            request(work, REQ_BUFFER, t, 0)
            return NOWHERE
        work.counts[C_WAITED] = 1
        return REST
    if buffer == 0:
        return GO_ON
    if (flags & DRAINS) != 0:
        return REST
    waits = (flags & OWN) != 0 and newest(tables, t, buffer, get(tables.operations, record + WORD)) >= 0
    return REST if waits else GO_ON
