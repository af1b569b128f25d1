# ruff: noqa: C901 - compiled loops: one function where a call would cost
"""Lazy flushes and deliveries: a store reaches memory, and an IPI arrives, only before a step that notices it.

Both come by themselves, stay possible until they have come, and are noticed only by some operations. So it is enough
that they come right before a step that notices: whatever run there is, one in which they come as late as that is the
same to every thread. A state from which no step would notice is not left that way:

- a store is noticed by whoever uses its word in memory, whoever looks at whether that buffer is empty, and by the own
  thread if it can go no further before the buffer has drained; two buffers that hold the same word go together;
- an arrival is noticed by its target, when that looks at what is pending or in flight, or acknowledges this vector or
  a lower one.

What a step notices is what it has just been seen to do, so nothing is assumed. Threads that have ended are not waited
for. Nothing may be put off for ever, or fair cycles would be missed: where a thread comes round
(:class:`hosts.explorer.model.system.Transition`), all that can come does. That is so once those threads have ended that
cannot come round: on a fair cycle they have.
"""

from __future__ import annotations

import numpy as np

from hosts.explorer.compiled.abi import (
    ACK,
    C_ENDED,
    C_ROUND,
    CONST,
    EVERYTHING,
    EXTRA,
    H_OBLIGATIONS,
    H_REDUCE,
    H_ROUND,
    H_THREADS,
    IN_FLIGHT,
    LOCKED,
    N_BUFFERS,
    N_LOOKS,
    N_PUTS,
    N_SIZE,
    N_STUCK,
    N_USES,
    PENDING,
    POINT,
    PUT,
    QUIESCENT,
    READ,
    RESET,
    T_PK,
    T_SIZE,
    T_SLOT0,
    WIDE,
    WORD,
    Tables,
    Work,
)
from hosts.explorer.compiled.state_fields import read_field
from hosts.explorer.compiled.visibility import waiting_words
from hosts.explorer.jit.intrinsics import Ints, called, get, inlined, put


@inlined
def clear(work: Work, agent: int) -> None:
    """Begin with an agent: its steps have not been looked at."""
    for each in range(N_SIZE):
        put(work.noticed, agent * N_SIZE + each, 0)


@inlined
def notice(tables: Tables, work: Work, states: Ints, at: int, agent: int, record: int, code: int) -> None:
    """Note what an operation of an agent's step is about to notice in the state at ``at`` of ``states``."""
    operations, noticed, row = tables.operations, work.noticed, agent * N_SIZE
    if code in (READ, PUT, LOCKED):
        word = get(operations, record + WORD)
        bit = np.int64(1) << word if word < WIDE else np.int64(EVERYTHING)
        put(noticed, row + N_USES, get(noticed, row + N_USES) | bit)
        if code != READ:
            put(noticed, row + N_PUTS, get(noticed, row + N_PUTS) | bit)
        elif get(operations, record + EXTRA) != 0:
            owner = np.int64(1) << (get(operations, record + EXTRA) - 1)
            put(noticed, row + N_BUFFERS, get(noticed, row + N_BUFFERS) | owner)
    elif code in (POINT, PENDING, ACK):
        t = agent % tables.header[H_THREADS]
        pending = read_field(work, states, at, tables.threads, t * T_SIZE + T_PK)
        mask = np.int64(EVERYTHING) if code == PENDING else get(operations, record + CONST)
        pending &= mask
        if code == ACK:
            # A higher vector would be taken instead. Another IPI of the same one is merged with what is pending if it
            # comes now, and is one more to take if it comes later.
            while pending & (pending - 1) != 0:
                pending &= pending - 1
            mask &= -pending if pending != 0 else mask
        if code == ACK or pending == 0:
            put(noticed, row + N_LOOKS, get(noticed, row + N_LOOKS) | mask)
    elif code in (IN_FLIGHT, QUIESCENT):
        put(noticed, row + N_LOOKS, EVERYTHING)
        if code == QUIESCENT:
            put(noticed, row + N_USES, EVERYTHING)
            put(noticed, row + N_BUFFERS, EVERYTHING)
    elif code == RESET:
        put(noticed, row + N_USES, EVERYTHING)
        put(noticed, row + N_PUTS, EVERYTHING)


@inlined
def looked_for(tables: Tables, work: Work, t: int, slot: int) -> bool:
    """Return whether a thread looks for an IPI, in a step of its own or in one that begins with a drain."""
    drain = t + tables.header[H_THREADS]
    looks = get(work.noticed, t * N_SIZE + N_LOOKS) | get(work.noticed, drain * N_SIZE + N_LOOKS)
    return (looks >> (slot - get(tables.threads, t * T_SIZE + T_SLOT0))) & 1 != 0


@called
def due(tables: Tables, work: Work, states: Ints, at: int, moved: bool) -> int:  # noqa: FBT001
    """Return the threads whose buffers are to drain in this state, as a bit set; note the IPIs that are to arrive.

    ``moved``: some thread has a step here.
    """
    threads, noticed = tables.header[H_THREADS], work.noticed
    everything = not moved or tables.header[H_REDUCE] == 0
    ended = work.counts[C_ENDED]
    if work.counts[C_ROUND] != 0 and (ended | get(tables.header, H_ROUND)) == (np.int64(1) << threads) - 1:
        everything = True
    for t in range(threads):
        if everything or ((ended >> t) & 1) != 0:
            put(noticed, t * N_SIZE + N_LOOKS, EVERYTHING)
    if everything:
        return EVERYTHING
    found = np.int64(0)
    uses = np.int64(0)
    twice = np.int64(0)
    buffers = np.int64(0)
    for t in range(threads):
        used = get(noticed, t * N_SIZE + N_USES)
        twice |= uses & used
        uses |= used
        buffers |= get(noticed, t * N_SIZE + N_BUFFERS)
    coming = get(tables.header, H_OBLIGATIONS)
    again = True
    while again:
        again = False
        for t in range(threads):
            bit = np.int64(1) << t
            words = waiting_words(tables, states, at, t) if (found & bit) == 0 else np.int64(0)
            if words != 0:
                row = t * N_SIZE
                others = (uses & ~get(noticed, row + N_USES)) | twice | get(noticed, row + N_PUTS) | coming
                stuck = get(noticed, row + N_STUCK) != 0 or ((ended >> t) & 1) != 0
                # A word that no bit set has room for is taken for a debt.
                if stuck or words < 0 or (words & others) != 0 or ((buffers >> t) & 1) != 0:
                    found |= bit
                    coming |= words
                    again = True
    return found
