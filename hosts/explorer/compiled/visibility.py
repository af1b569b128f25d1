# ruff: noqa: SIM102 - compiled loops: one function where a call would cost
"""Visibility of operations: what other threads can see of a step, asked by the partial-order reduction."""

from __future__ import annotations

import numpy as np

from hosts.explorer.compiled.abi import (
    C_ENDED,
    CONST,
    EVERYTHING,
    EXTRA,
    H_OBLIGATIONS,
    H_TERMINATED0,
    H_TERMINATED1,
    H_THREADS,
    LOCKED,
    NEAR_ENDED,
    NEAR_USES,
    NEAR_WRITES,
    P_WORD,
    PUT,
    R_ID,
    R_PLACE,
    R_SIZE,
    R_WORD,
    READ,
    RESET,
    S_PLACE,
    S_SIZE,
    STEADY,
    STORE,
    T_BK,
    T_EW,
    T_GUARD0,
    T_GUARD1,
    T_HARM,
    T_PK,
    T_SENDERS,
    T_SIZE,
    T_SLOT0,
    T_SLOT1,
    T_TERMINATED0,
    T_TERMINATED1,
    T_TIED,
    T_WATCHED,
    WIDE,
    WORD,
    Tables,
    Work,
)
from hosts.explorer.compiled.state_fields import depend_on, newest, oldest, read_field, stored_field
from hosts.explorer.jit.intrinsics import Ints, get, inlined


@inlined
def free_now(tables: Tables, work: Work, states: Ints, at: int, thread: int, kind: int) -> bool:
    """Return whether a store entering the own buffer can be seen by nobody at this moment.

    Others see that a buffer is not empty in two ways: a mark of this thread, looked at from outside, shows bit 0
    (nothing new if it is set anyway), and QUIESCENT (nothing new if this thread has not fallen silent).
    """
    threads = tables.threads
    if kind != STORE:
        return True
    if threads[thread, T_TIED] != 0:
        return False
    for row in range(threads[thread, T_GUARD0], threads[thread, T_GUARD1]):
        value = read_field(work, states, at, tables.rows, row * R_SIZE + R_PLACE)
        if tables.buffered_alias[tables.rows[row, R_ID] + value] != value:
            return False
    if threads[thread, T_WATCHED] == 0:
        return True
    for row in range(threads[thread, T_TERMINATED0], threads[thread, T_TERMINATED1]):
        value = read_field(work, states, at, tables.rows, row * R_SIZE + R_PLACE)
        if value != tables.rows[row, R_ID]:
            buffer = read_field(work, states, at, threads, thread * T_SIZE + T_BK)
            if newest(tables, thread, buffer, tables.rows[row, R_WORD]) < 0:
                return True
    return False


@inlined
def flying(tables: Tables, work: Work, states: Ints, at: int, thread: int) -> bool:
    """Return whether an IPI to a thread is in flight."""
    slots = tables.slots
    for slot in range(tables.threads[thread, T_SLOT0], tables.threads[thread, T_SLOT1]):
        if read_field(work, states, at, slots, slot * S_SIZE + S_PLACE) != 0:
            return True
    return False


@inlined
def nobody_else(work: Work, thread: int, what: int, word: int) -> bool:
    """Return whether no other thread uses (``what``: NEAR_USES) or writes (NEAR_WRITES) a word from now on."""
    if word < 0 or word >= WIDE:
        return False
    depend_on(work, work.back.shape[0] + what, np.int64(1) << word)
    return ((get(work.near, 2 * thread + what) >> word) & 1) == 0


@inlined
def on_obligation(tables: Tables, record: int) -> bool:
    """Return whether an operation is on a word that holds what is owed to a guest."""
    return is_obligation(tables.header, get(tables.operations, record + WORD))


@inlined
def is_obligation(header: Ints, word: int) -> bool:
    """Return whether a word holds what is owed to a guest."""
    return word >= WIDE or (word >= 0 and ((get(header, H_OBLIGATIONS) >> word) & 1) != 0)


@inlined
def waiting_words(tables: Tables, states: Ints, at: int, t: int) -> int:
    """Return the words of the stores in a thread's buffer, as a bit set."""
    words = np.int64(0)
    rest = stored_field(states, at, tables.threads, t * T_SIZE + T_BK)
    while rest != 0:
        word = get(tables.pairs, oldest(tables, t, rest) + P_WORD)
        words |= np.int64(1) << word if word < WIDE else np.int64(EVERYTHING)
        rest >>= get(tables.threads, t * T_SIZE + T_EW)
    return words


@inlined
def invisible(tables: Tables, work: Work, thread: int, record: int, buffer: int) -> bool:
    """Return whether nobody can notice an operation of a thread, whenever it is done from now on.

    What goes straight to memory overtakes the own ``buffer``.
    """
    code, word = get(tables.operations, record) & 31, get(tables.operations, record + WORD)
    if code == READ:
        # Of a mark others' buffers show too, which they may fill any time.
        return nobody_else(work, thread, NEAR_WRITES, word) and get(tables.operations, record + EXTRA) == 0
    if code in (PUT, LOCKED):
        return buffer == 0 and nobody_else(work, thread, NEAR_USES, word)
    if code == RESET and buffer == 0:
        for row in range(get(tables.operations, record + CONST), get(tables.operations, record + EXTRA)):
            word = get(tables.rows, row * R_SIZE + R_WORD)
            if not nobody_else(work, thread, NEAR_USES, word):
                return False
        return True
    return code == STEADY


@inlined
def uninterruptible(tables: Tables, work: Work, states: Ints, at: int, thread: int) -> bool:
    """Return whether nothing will ever interrupt a thread at a point that leaves some vectors to later ones."""
    threads, slots = tables.threads, tables.slots
    if read_field(work, states, at, threads, thread * T_SIZE + T_PK) & threads[thread, T_HARM]:
        return False
    for slot in range(threads[thread, T_SLOT0], threads[thread, T_SLOT1]):
        if (threads[thread, T_HARM] >> (slot - threads[thread, T_SLOT0])) & 1:
            if read_field(work, states, at, slots, slot * S_SIZE + S_PLACE) != 0:
                return False
    senders = threads[thread, T_SENDERS] & ((np.int64(1) << tables.header[H_THREADS]) - 1)
    depend_on(work, work.back.shape[0] + NEAR_ENDED, senders)
    return senders & ~work.counts[C_ENDED] == 0


@inlined
def quiescent(tables: Tables, work: Work, states: Ints, at: int, thread: int) -> int:
    """Answer QUIESCENT."""
    rows = tables.rows
    for row in range(tables.header[H_TERMINATED0], tables.header[H_TERMINATED1]):
        value = read_field(work, states, at, rows, row * R_SIZE + R_PLACE)
        if value != rows[row, R_ID]:
            return 0
    for each in range(tables.header[H_THREADS]):
        if read_field(work, states, at, tables.threads, each * T_SIZE + T_BK) != 0:
            return 0
    return 0 if flying(tables, work, states, at, thread) else 1
