"""Effects of operations on a packed state."""

from __future__ import annotations

from typing import Final

import numpy as np

from hosts.explorer.compiled.abi import (
    ACK,
    ARRIVE,
    ASKED,
    BASE,
    C_LONGEST,
    C_REQUESTS,
    C_WHOLE,
    CONST,
    EXTRA,
    H_SLOTS,
    H_THREADS,
    H_WORDS,
    IN_FLIGHT,
    LOCKED,
    NEXT_MASK,
    NOTE_SHIFT,
    PENDING,
    PLAIN,
    POINT,
    PUT,
    QUIESCENT,
    R_ID,
    R_PLACE,
    R_SIZE,
    READ,
    REQ_EDGE,
    REQ_FLIGHT,
    REQ_NOTHING,
    RESET,
    S_MASK,
    S_PLACE,
    S_SHIFT,
    S_SIZE,
    S_TARGET,
    S_VECTOR,
    SEND,
    STORE,
    T_BK,
    T_BS,
    T_EW,
    T_PK,
    T_PS,
    T_SIZE,
    T_SLOT0,
    UNKNOWN,
    WORD,
    Tables,
    Work,
)
from hosts.explorer.compiled.lazy_flush import looked_for, notice
from hosts.explorer.compiled.state_fields import (
    copy,
    newest,
    read_field,
    read_word,
    set_field,
    stored_field,
    write_field,
    write_word,
)
from hosts.explorer.compiled.store_buffers import looks_at, put_behind
from hosts.explorer.compiled.visibility import flying, quiescent
from hosts.explorer.jit.intrinsics import Ints, called, get, inlined, put

LONGEST_STEP: Final = 100_000


@called
def request(work: Work, kind: int, what: int, more: int) -> None:
    """Note what is missing."""
    n = work.counts[C_REQUESTS]
    if n < work.requests.shape[0]:
        work.requests[n, 0] = kind
        work.requests[n, 1] = what
        work.requests[n, 2] = more
        work.counts[C_REQUESTS] = n + 1
    work.counts[C_WHOLE] = 0


@inlined
def read(tables: Tables, work: Work, states: Ints, at: int, thread: int, record: int, buffer: int) -> int:
    """Return the number of the value that a thread reads: its own buffer's first, of another's mark what shows."""
    operations = tables.operations
    if buffer != 0:
        waiting = newest(tables, thread, buffer, get(operations, record + WORD))
        if waiting >= 0:
            return waiting
    value = read_word(tables, work, states, at, record)
    owner = get(operations, record + EXTRA) - 1
    if owner >= 0 and read_field(work, states, at, tables.threads, owner * T_SIZE + T_BK) != 0:
        return get(tables.buffered_alias, get(operations, record + CONST) + value)
    return value


@inlined
def do(  # noqa: C901, PLR0911 - a branch for each kind
    tables: Tables, work: Work, at: int, thread: int, operation: int, code: int, buffer: int
) -> int:
    """Do an operation, but no choice, to the state at ``at`` of ``work.out``; return the edge that it takes.

    -1: it cannot be done yet, and a request says why. What a locked operation leaves is in its edge.
    """
    out, record = work.out, operation * 8
    operations, thread_row = tables.operations, thread * T_SIZE
    if code == READ:
        return read(tables, work, out, at, thread, record, buffer)
    if code == LOCKED:
        return read_word(tables, work, out, at, record)
    if code in (POINT, PENDING):
        pending = read_field(work, out, at, tables.threads, thread_row + T_PK)
        return 1 if (pending if code == PENDING else pending & get(operations, record + CONST)) != 0 else 0
    if code == IN_FLIGHT:
        return 1 if flying(tables, work, out, at, thread) else 0
    if code == QUIESCENT:
        return quiescent(tables, work, out, at, thread)
    if code == ACK:
        return acknowledge(tables, work, at, thread, operation)
    if code == SEND:
        return send(tables, work, at, get(operations, record + CONST))
    if code == PUT:
        write_word(tables, work, out, at, record, get(operations, record + CONST))
    elif code == STORE:
        wait(tables, work, at, thread, record, buffer)
    elif code == RESET:
        for row in range(get(operations, record + CONST), get(operations, record + EXTRA)):
            write_field(work, out, at, tables.rows, row * R_SIZE + R_PLACE, get(tables.rows, row * R_SIZE + R_ID))
    return 0


@inlined
def wait(tables: Tables, work: Work, at: int, thread: int, record: int, buffer: int) -> None:
    """Let a store wait behind those in the buffer, which has room."""
    row, length = thread * T_SIZE, 0
    store = get(tables.operations, record + CONST)
    if buffer != 0 and looks_at(tables, thread, store) != 0:
        buffer = put_behind(tables, work, thread, buffer, store)
        set_field(work.out, at, tables.threads, row + T_BK, buffer)
        buffer >>= get(tables.threads, row + T_EW)
        while buffer != 0:
            length += 1
            buffer >>= get(tables.threads, row + T_EW)
    else:
        shift = get(tables.threads, row + T_BS)
        while buffer != 0:
            length += 1
            buffer >>= get(tables.threads, row + T_EW)
            shift += get(tables.threads, row + T_EW)
        place = at + get(tables.threads, row + T_BK)
        put(work.out, place, get(work.out, place) | (store << shift))
    if length >= work.counts[C_LONGEST]:
        work.counts[C_LONGEST] = length + 1


@inlined
def send(tables: Tables, work: Work, at: int, slot: int) -> int:
    """Put an IPI on its way; -1: its counter is too narrow for one more."""
    row = slot * S_SIZE
    if read_field(work, work.out, at, tables.slots, row + S_PLACE) == get(tables.slots, row + S_MASK):
        request(work, REQ_FLIGHT, slot, 0)
        return -1
    place = at + get(tables.slots, row + S_PLACE)
    put(work.out, place, get(work.out, place) + (1 << get(tables.slots, row + S_SHIFT)))
    return 0


@inlined
def acknowledge(tables: Tables, work: Work, at: int, thread: int, operation: int) -> int:
    """Take the highest pending vector that counts here; return its number, or -1 if there is none."""
    row = thread * T_SIZE
    taken = read_field(work, work.out, at, tables.threads, row + T_PK) & get(tables.operations, operation * 8 + CONST)
    if taken == 0:
        request(work, REQ_NOTHING, operation, 0)
        return -1
    bit = 0
    while (taken >> (bit + 1)) != 0:
        bit += 1
    place = at + get(tables.threads, row + T_PK)
    put(work.out, place, get(work.out, place) & ~(1 << (get(tables.threads, row + T_PS) + bit)))
    return get(tables.slots, (get(tables.threads, row + T_SLOT0) + bit) * S_SIZE + S_VECTOR)


@inlined
def edge_of(tables: Tables, work: Work, operation: int, index: int) -> int:
    """Return a transition; a negative one is not known yet, and is requested once."""
    at = get(tables.operations, operation * 8 + BASE) + index
    edge = get(tables.edges, at)
    if edge < 0:
        if edge == UNKNOWN:
            if work.counts[C_REQUESTS] < work.requests.shape[0]:
                tables.edges[at] = ASKED
            request(work, REQ_EDGE, operation, index)
        work.counts[C_WHOLE] = 0
    return edge


@inlined
def instruments(
    tables: Tables, work: Work, states: Ints, at: int, agent: int, g: int, done: int
) -> tuple[int, int, int, int]:
    """Do what instruments read and put within a step, as far as it is known.

    Returns the operation behind that, the operations done so far, the windows entered and the sighting.
    """
    operations = tables.operations
    windows = sighting = np.int64(0)
    t = agent % tables.header[H_THREADS]
    if (get(operations, g * 8) & (PLAIN << 5)) != 0:
        buffer = read_field(work, states, at, tables.threads, t * T_SIZE + T_BK)
        while sighting == 0 and (get(operations, g * 8) & (PLAIN << 5)) != 0 and done <= LONGEST_STEP:
            record = g * 8
            index = np.int64(0)
            if (get(operations, record) & 31) == READ:
                index = read(tables, work, states, at, t, record, buffer)
            else:
                write_word(tables, work, states, at, record, get(operations, record + CONST))
            edge = get(tables.edges, get(operations, record + BASE) + index)
            notice(tables, work, states, at, agent, record, get(operations, record) & 31)
            if edge < 0:
                break  # whoever called asks for it
            note = edge >> NOTE_SHIFT
            if note != 0:
                windows |= get(tables.notes, note * 2)
                sighting = get(tables.notes, note * 2 + 1)
            done += 1
            g = edge & NEXT_MASK
    return g, done, windows, sighting


@inlined
def arrivals(tables: Tables, work: Work, states: Ints, at: int, n: int) -> int:
    """Put the arrivals of the IPIs in flight that are due behind the first ``n`` successors; return their number."""
    header, threads, slots, out = tables.header, tables.threads, tables.slots, work.out
    words = header[H_WORDS]
    for slot in range(header[H_SLOTS]):
        row = slot * S_SIZE
        t = get(slots, row + S_TARGET)
        if stored_field(states, at, slots, row + S_PLACE) != 0 and looked_for(tables, work, t, slot):
            o = n * words
            copy(out, o, states, at, words)
            flight = o + get(slots, row + S_PLACE)
            put(out, flight, get(out, flight) - (1 << get(slots, row + S_SHIFT)))
            pending = o + get(threads, t * T_SIZE + T_PK)
            bit = get(threads, t * T_SIZE + T_PS) + slot - get(threads, t * T_SIZE + T_SLOT0)
            put(out, pending, get(out, pending) | (1 << bit))
            put(work.labels, n, t | (ARRIVE << 8) | (slot << 16))
            n += 1
    return n
