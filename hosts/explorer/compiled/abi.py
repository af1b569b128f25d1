"""Records and columns that the kernels and Python agree on: tables, workspaces, counters, requests."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hosts.explorer.jit.intrinsics import Ints

END, READ, STORE, PUT, LOCKED, STEADY, SEND, POINT, PENDING, ACK, CHOOSE, RESET, IN_FLIGHT, QUIESCENT = range(14)
"""What an operation is to the search. READ: load or ghost read. PUT: a constant straight into memory. LOCKED: the table
gives the new value, the old one is the answer (GHOST_ADD too). STEADY: fence or yield, the answer is 0."""

SCHEDULED, DRAINS, OWN, FREE, ASK, PLAIN, BEGINS = 1, 2, 4, 8, 16, 32, 64
"""Flags, above the five bits of the kind. DRAINS: needs an empty buffer. OWN: needs its word absent from it.
FREE: loses its scheduling point (partial order). ASK: nobody has worked out yet whether it does.
PLAIN: a READ or PUT inside a step, by far the most: nothing to decide. BEGINS: see hosts.explorer.model.operations."""

CODE, BASE, PLACE, SHIFT, MASK, CONST, WORD, EXTRA = range(8)
"""Columns of an operation's record. EXTRA: READ: one more than the thread whose mark it is;
RESET: where its rows end."""

# --- edges: next operation, new value, note ------------------------------------------------------------------------

UNKNOWN, ASKED = -1, -2
NEXT_BITS, VALUE_BITS = 24, 20
NEXT_MASK: Final = (1 << NEXT_BITS) - 1
VALUE_MASK: Final = (1 << VALUE_BITS) - 1
NOTE_SHIFT: Final = NEXT_BITS + VALUE_BITS

# --- columns of the layout -----------------------------------------------------------------------------------------

(
    H_WORDS, H_THREADS, H_WORKERS, H_FUSE, H_REDUCE, H_SLOTS, H_TERMINATED0, H_TERMINATED1, H_OBLIGATIONS, H_ROUND,
    H_SYMMETRIC, H_SIZE,
) = range(12)  # fmt: skip
"""Header. TERMINATED: rows of the words that QUIESCENT asks for. OBLIGATIONS: the words, as a bit set.
ROUND: the threads that may come round, as a bit set. SYMMETRIC: the numbers in ``Tables.symmetric``."""

(
    T_LK, T_LS, T_LM, T_BK, T_BS, T_BM, T_EW, T_TOP, T_FULL, T_PK, T_PS, T_PM,
    T_GUARD0, T_GUARD1, T_TERMINATED0, T_TERMINATED1, T_SLOT0, T_SLOT1, T_TIED, T_WATCHED, T_HARM, T_SENDERS, T_SIZE,
) = range(23)  # fmt: skip
"""A thread: local field, buffer field (EW: bits of an entry, TOP: where the last entry starts, FULL: as long as
asked for), pending field, rows of its marks that others look at, of its silent words, its slots; TIED: no store is
free; WATCHED: another thread asks QUIESCENT; HARM: the pending bits that every point takes; SENDERS: who sends such."""

S_PLACE, S_SHIFT, S_MASK, S_TARGET, S_VECTOR, S_SIZE = range(6)
"""An IPI slot: the count in flight of one vector to one thread."""

R_PLACE, R_SHIFT, R_MASK, R_ID, R_WORD, R_SIZE = range(6)
"""A row of a list: a word's field, one of its values (or, for a guard, where its ghost values start), the word."""

P_PLACE, P_SHIFT, P_MASK, P_ID, P_WORD, P_LOOKS, P_SIZE = range(7)
"""A store that may wait: its word's field, its value, its word."""

# --- what a call reports -------------------------------------------------------------------------------------------

(
    C_REQUESTS, C_RETRY, C_TRANSITIONS, C_WAITED, C_LONGEST, C_WINDOWS, C_BRANCHING, C_STUCK, C_SIGHTS, C_STATES,
    C_WHOLE, C_ENDED, C_ROUND, C_RECORDS, C_GREW, C_WORKED, C_SIZE,
) = range(17)  # fmt: skip
"""ENDED: the threads that have, as a bit set. RECORDS: one less than there are. GREW: a step turned out to depend on
more than those from its place did before. WORKED: steps worked out, not recalled."""

REQ_EDGE, REQ_REST, REQ_FREE, REQ_FLIGHT, REQ_BUFFER, REQ_LONG, REQ_NOTHING, REQ_STACK, REQ_ROOM = range(9)
"""Requests: an edge, a number for a place to rest, whether a store is free, wider fields, errors, more room."""

N_USES, N_PUTS, N_LOOKS, N_BUFFERS, N_STUCK, N_SIZE = range(6)
"""What the steps of a thread from the state at hand notice: words used in memory, and those written there (bit sets);
IPIs whose arrival it looks for, as bits of the pending field; threads whose buffers it looks at; whether it waits for
its own buffer."""

NEAR_USES, NEAR_WRITES, NEAR_ENDED, NEAR_SIZE = range(4)
"""What a step depends on besides the state: the words that others use from now on, and those that they write; the
threads that have ended."""

V_STATUS, V_USES, V_WRITES, V_RELIED = range(4)
"""Columns of what is known of an agent's steps from a place to rest: OPEN or DONE (0: nothing yet), the thread's future
there, and (as many as the state has words, and NEAR_SIZE) what the steps from there depend on, as bit sets."""
OPEN, DONE = 1, 2
"""The thread goes on from there, or has ended."""

A_ROW, A_RECORD, A_KEY = range(3)
"""What is looked up for an agent: its place's row, its record, and the key, of as many words as it depends on."""
AHEAD: Final = 16
"""States for which that is done together, so that the memory is asked for all of them at once."""

NOTED: Final = 62
"""Windows and checks that may occur in one search."""
ROUND: Final = 1 << NOTED
"""In a note's windows, above these: the thread may have come round (hosts.explorer.model.system)."""

EVERYTHING: Final = -1
"""All words, as a bit set."""
WIDE: Final = 62
"""Words that fit into a bit set; of those behind them it is taken for granted that all threads use them."""

RUN, DRAIN, ARRIVE = range(3)
"""Who moves."""


class Tables(NamedTuple):
    """The layout and what has been learnt."""

    header: Ints
    threads: Ints
    slots: Ints
    rows: Ints
    pairs: Ints
    """Stores that may wait, by thread and number."""
    operations: npt.NDArray[np.int32]
    rest: npt.NDArray[np.int32]
    """By thread and local field: the operation."""
    resting: npt.NDArray[np.int32]
    """By operation: the local field's value, or -1."""
    edges: Ints
    buffered_alias: npt.NDArray[np.int32]
    """A mark's value with bit 0 set, by value."""
    notes: Ints
    """By note: windows, and one more than the sighting."""
    outstanding: Ints
    """By packed word: the bits of all buffers and of all IPIs in flight."""
    future: Ints
    """By operation: the words that its thread may use from there on, and those that it may write, as bit sets
    (:mod:`hosts.explorer.reduce.footprints`)."""
    symmetric: Ints
    """Groups of threads that do the same (:mod:`hosts.explorer.compiled.canonical`)."""


class Work(NamedTuple):
    """What one worker writes."""

    out: Ints
    """Successors, packed."""
    labels: Ints
    """For each: thread, agent, slot, one more than the sighting."""
    hashes: Ints
    stack: Ints
    requests: Ints
    retry: Ints
    """Places of the states put aside."""
    sights: Ints
    counts: Ints
    near: Ints
    """By thread: the words that others may use from now on, and those that others may write."""
    noticed: Ints
    """By agent (threads, buffers): what its steps from here notice (:mod:`hosts.explorer.compiled.lazy_flush`)."""
    relied: Ints
    """What the step being worked out depends on, as bit sets: the packed words, then NEAR."""
    views: Ints
    """By agent and place to rest: V."""
    ahead: Ints
    """By state of those looked up together: ended threads, NEAR by thread, and by thread (and for a drain) A."""
    records: Ints
    """Steps remembered (:mod:`hosts.explorer.compiled.transition_cache`)."""
    block: Ints
    """What a buffer holds while a store is put behind it (:mod:`hosts.explorer.compiled.store_buffers`)."""
    back: Ints
    """The successor as it was before the operation that may turn out to be seen by others."""
