# ruff: noqa: SIM102 - compiled loops: one function where a call would cost
"""What others can see of a thread's steps: the questions of the reduction, and of QUIET, in compiled code."""

from __future__ import annotations

import numpy as np

from hosts.explorer.codes import (
    CONST,
    END,
    EVERYTHING,
    EXTRA,
    H_DEBT,
    H_QUIET0,
    H_QUIET1,
    H_THREADS,
    LOCKED,
    P_WORD,
    PUT,
    R_ID,
    R_PLACE,
    R_SIZE,
    R_WORD,
    READ,
    RENEW,
    S_PLACE,
    S_SIZE,
    STEADY,
    STORE,
    T_BK,
    T_EW,
    T_GUARD0,
    T_GUARD1,
    T_HARM,
    T_LK,
    T_PK,
    T_SENDERS,
    T_SILENT0,
    T_SILENT1,
    T_SIZE,
    T_SLOT0,
    T_SLOT1,
    T_TIED,
    T_WATCHED,
    WIDE,
    WORD,
    Tables,
    Work,
)
from hosts.explorer.fields import held, newest, oldest
from hosts.explorer.intrinsics import Ints, get, inlined, put


@inlined
def free_now(tables: Tables, states: Ints, at: int, thread: int, kind: int) -> bool:
    """Tell whether a store entering the own buffer can be seen by nobody at this moment.

    Others see that a buffer is not empty in two ways: a mark of this thread, looked at from outside, shows bit 0
    (nothing new if it is set anyway), and QUIET (nothing new if this thread has not fallen silent).
    """
    threads = tables.threads
    if kind != STORE:
        return True
    if threads[thread, T_TIED] != 0:
        return False
    for row in range(threads[thread, T_GUARD0], threads[thread, T_GUARD1]):
        value = held(states, at, tables.rows, row * R_SIZE + R_PLACE)
        if tables.ghosts[tables.rows[row, R_ID] + value] != value:
            return False
    if threads[thread, T_WATCHED] == 0:
        return True
    for row in range(threads[thread, T_SILENT0], threads[thread, T_SILENT1]):
        value = held(states, at, tables.rows, row * R_SIZE + R_PLACE)
        if value != tables.rows[row, R_ID]:
            buffer = held(states, at, threads, thread * T_SIZE + T_BK)
            if newest(tables, thread, buffer, tables.rows[row, R_WORD]) < 0:
                return True
    return False


@inlined
def flying(tables: Tables, states: Ints, at: int, thread: int) -> bool:
    """Tell whether an IPI to a thread is in flight."""
    slots = tables.slots
    for slot in range(tables.threads[thread, T_SLOT0], tables.threads[thread, T_SLOT1]):
        if held(states, at, slots, slot * S_SIZE + S_PLACE) != 0:
            return True
    return False


@inlined
def nobody_else(near: int, word: int) -> bool:
    """Tell whether no other thread uses a word from now on."""
    return 0 <= word < WIDE and ((near >> word) & 1) == 0


@inlined
def owed(tables: Tables, record: int) -> bool:
    """Tell whether an operation is on a word that holds what is owed to a guest."""
    return is_debt(tables.header, get(tables.operations, record + WORD))


@inlined
def is_debt(header: Ints, word: int) -> bool:
    """Tell whether a word holds what is owed to a guest."""
    return word >= WIDE or (word >= 0 and ((get(header, H_DEBT) >> word) & 1) != 0)


@inlined
def has_ended(tables: Tables, states: Ints, at: int, t: int) -> bool:
    """Tell whether a thread has ended."""
    g = get(tables.rest, t * tables.rest.shape[1] + held(states, at, tables.threads, t * T_SIZE + T_LK))
    return (get(tables.operations, g * 8) & 31) == END


@inlined
def waiting_words(tables: Tables, states: Ints, at: int, t: int) -> int:
    """Give the words of the stores in a thread's buffer, as a bit set."""
    words = np.int64(0)
    rest = held(states, at, tables.threads, t * T_SIZE + T_BK)
    while rest != 0:
        word = get(tables.pairs, oldest(tables, t, rest) + P_WORD)
        words |= np.int64(1) << word if word < WIDE else np.int64(EVERYTHING)
        rest >>= get(tables.threads, t * T_SIZE + T_EW)
    return words


@inlined
def note_near(tables: Tables, work: Work, states: Ints, at: int) -> None:
    """Note for each thread the words that others may use, and those that they may write, from now on."""
    threads, near = tables.threads, work.near
    number = tables.header[H_THREADS]
    resters = tables.rest.shape[1]
    uses = np.int64(0)
    writes = np.int64(0)
    more_uses = np.int64(0)
    more_writes = np.int64(0)
    for t in range(number):
        row = t * T_SIZE
        g = get(tables.rest, t * resters + held(states, at, threads, row + T_LK))
        used = get(tables.future, 2 * g)
        written = get(tables.future, 2 * g + 1)
        if used != EVERYTHING:
            waiting = waiting_words(tables, states, at, t)
            used |= waiting
            written |= waiting
        put(near, 2 * t, used)
        put(near, 2 * t + 1, written)
        more_uses |= uses & used
        more_writes |= writes & written
        uses |= used
        writes |= written
    for t in range(number):
        put(near, 2 * t, (uses & ~get(near, 2 * t)) | more_uses)
        put(near, 2 * t + 1, (writes & ~get(near, 2 * t + 1)) | more_writes)


@inlined
def unnoticed(tables: Tables, work: Work, thread: int, record: int, buffer: int) -> bool:
    """Tell whether nobody can notice an operation of a thread, whenever it is done from now on.

    What goes straight to memory overtakes the own ``buffer``.
    """
    uses, writes = get(work.near, 2 * thread), get(work.near, 2 * thread + 1)
    code, word = get(tables.operations, record) & 31, get(tables.operations, record + WORD)
    if code == READ:
        # Of a mark others' buffers show too, which they may fill any time.
        return nobody_else(writes, word) and get(tables.operations, record + EXTRA) == 0
    if code in (PUT, LOCKED):
        return buffer == 0 and nobody_else(uses, word)
    if code == RENEW and buffer == 0:
        for row in range(get(tables.operations, record + CONST), get(tables.operations, record + EXTRA)):
            if not nobody_else(uses, get(tables.rows, row * R_SIZE + R_WORD)):
                return False
        return True
    return code == STEADY


@inlined
def calm(tables: Tables, states: Ints, at: int, thread: int) -> bool:
    """Tell whether nothing will ever interrupt a thread at a point that leaves some vectors to later ones."""
    threads, slots = tables.threads, tables.slots
    if held(states, at, threads, thread * T_SIZE + T_PK) & threads[thread, T_HARM]:
        return False
    for slot in range(threads[thread, T_SLOT0], threads[thread, T_SLOT1]):
        if (threads[thread, T_HARM] >> (slot - threads[thread, T_SLOT0])) & 1:
            if held(states, at, slots, slot * S_SIZE + S_PLACE) != 0:
                return False
    for t in range(tables.header[H_THREADS]):
        if (threads[thread, T_SENDERS] >> t) & 1:
            if not has_ended(tables, states, at, t):
                return False
    return True


@inlined
def quiet(tables: Tables, states: Ints, at: int, thread: int) -> int:
    """Answer QUIET."""
    rows = tables.rows
    for row in range(tables.header[H_QUIET0], tables.header[H_QUIET1]):
        value = held(states, at, rows, row * R_SIZE + R_PLACE)
        if value != rows[row, R_ID]:
            return 0
    for each in range(tables.header[H_THREADS]):
        if held(states, at, tables.threads, each * T_SIZE + T_BK) != 0:
            return 0
    return 0 if flying(tables, states, at, thread) else 1
