"""Local transition cache (Blom, van de Pol and Weber 2010: LTSmin): a step is computed once for all equal views.

What a step depends on is noted while it is worked out (:func:`hosts.explorer.compiled.state_fields.depend_on`): bits of
the packed state, words that others may use or write, threads that have ended. It is gathered by the place where the
agent's thread rests. What a state has of that, with the place, is the key of a *record*: the steps, as the bits that
they change. A record is used only if the whole key is the same; there is room for one record per hash, and the last one
stays.

What is gathered only grows, so that an old record stays true: whoever finds it with a longer view has the same bits in
all of that. A key made before the view grew must not be used (``C_GREW``).

The memory is asked for what many states need before any of it is used (``touch``, then ``prepare``): these looks go all
over the place, and would otherwise be waited for one after the other.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hosts.explorer.compiled.abi import (
    A_KEY,
    A_RECORD,
    A_ROW,
    C_GREW,
    C_RECORDS,
    C_ROUND,
    C_WORKED,
    DONE,
    END,
    EVERYTHING,
    H_THREADS,
    H_WORDS,
    N_SIZE,
    N_STUCK,
    NEAR_ENDED,
    NEAR_SIZE,
    NEAR_USES,
    NEAR_WRITES,
    OPEN,
    T_BK,
    T_LK,
    T_SIZE,
    V_RELIED,
    V_STATUS,
    V_USES,
    V_WRITES,
    Tables,
    Work,
)
from hosts.explorer.compiled.hash_table import LOW32, MIX1, MIX2, MIX3
from hosts.explorer.compiled.lazy_flush import clear
from hosts.explorer.compiled.state_fields import stored_field
from hosts.explorer.compiled.visibility import waiting_words
from hosts.explorer.jit.intrinsics import Ints, called, get, inlined, prefetch, put

LINE: Final = 8
"""Words of a cache line."""
MOST: Final = 2
"""Steps in one record: nearly all have one."""
STUCK, ROUNDED, NUMBER = 1, 2, 4
"""Bits of a record's word: the thread is stuck, its step comes round; above them, how many steps there are."""


@inlined
def view_size(words: int) -> int:
    """Return the words of a row of ``Work.views``."""
    return (V_RELIED + words + NEAR_SIZE + LINE - 1) // LINE * LINE


@inlined
def record_size(words: int) -> int:
    """Return the words of a record: key, how many steps, what they notice, the steps."""
    return (words + NEAR_SIZE + N_SIZE + MOST * (words + 1) + LINE - 1) // LINE * LINE


@inlined
def ahead_size(words: int, threads: int) -> int:
    """Return the words that are kept of a state looked up ahead."""
    return 1 + 2 * threads + (threads + 1) * (A_KEY + words + NEAR_SIZE)


@inlined
def near_at(base: int, t: int) -> int:
    """Return where NEAR_USES and NEAR_WRITES of a thread lie, of the state at ``base`` of ``Work.ahead``."""
    return base + 1 + 2 * t


@inlined
def asked_at(tables: Tables, base: int, t: int) -> int:
    """Return where the columns A of a thread lie, or of a drain (``t``: as many as there are threads)."""
    return base + 1 + 2 * tables.header[H_THREADS] + t * (A_KEY + tables.header[H_WORDS] + NEAR_SIZE)


@inlined
def touch(tables: Tables, work: Work, states: Ints, at: int, base: int) -> None:
    """Ask the memory for the rows of the places where the threads rest."""
    size = view_size(tables.header[H_WORDS])
    for t in range(tables.header[H_THREADS]):
        local = stored_field(states, at, tables.threads, t * T_SIZE + T_LK)
        row = (t * tables.rest.shape[1] + local) * size
        prefetch(work.views, row)
        put(work.ahead, asked_at(tables, base, t) + A_ROW, row)


@called
def prepare(tables: Tables, work: Work, states: Ints, at: int, base: int) -> None:
    """Work out what the threads' steps depend on, and ask the memory for the records of that."""
    near(tables, work, states, at, base)
    for t in range(tables.header[H_THREADS]):
        if ((get(work.ahead, base) >> t) & 1) == 0:
            asked = asked_at(tables, base, t)
            ask(tables, work, states, at, base, t, asked)
            prefetch(work.records, get(work.ahead, asked + A_RECORD))
            prefetch(work.records, get(work.ahead, asked + A_RECORD) + LINE)


@inlined
def near(tables: Tables, work: Work, states: Ints, at: int, base: int) -> None:
    """Note the threads that have ended, and for each the words that others may use and write from now on."""
    ahead, views = work.ahead, work.views
    ended = np.int64(0)
    uses = np.int64(0)
    writes = np.int64(0)
    more_uses = np.int64(0)
    more_writes = np.int64(0)
    for t in range(tables.header[H_THREADS]):
        row = get(ahead, asked_at(tables, base, t) + A_ROW)
        if get(views, row + V_STATUS) == 0:
            look_up(tables, work, row)
        if get(views, row + V_STATUS) == DONE:
            ended |= np.int64(1) << t
        used = get(views, row + V_USES)
        written = get(views, row + V_WRITES)
        if used != EVERYTHING and stored_field(states, at, tables.threads, t * T_SIZE + T_BK) != 0:
            waiting = waiting_words(tables, states, at, t)
            used |= waiting
            written |= waiting
        put(ahead, near_at(base, t) + NEAR_USES, used)
        put(ahead, near_at(base, t) + NEAR_WRITES, written)
        more_uses |= uses & used
        more_writes |= writes & written
        uses |= used
        writes |= written
    put(ahead, base, ended)
    for t in range(tables.header[H_THREADS]):
        at_uses, at_writes = near_at(base, t) + NEAR_USES, near_at(base, t) + NEAR_WRITES
        put(ahead, at_uses, (uses & ~get(ahead, at_uses)) | more_uses)
        put(ahead, at_writes, (writes & ~get(ahead, at_writes)) | more_writes)


@called
def look_up(tables: Tables, work: Work, row: int) -> None:
    """Enter a place to rest: it stays as it is until the search begins anew."""
    g = get(tables.rest, row // view_size(tables.header[H_WORDS]))
    put(work.views, row + V_USES, get(tables.future, 2 * g))
    put(work.views, row + V_WRITES, get(tables.future, 2 * g + 1))
    put(work.views, row + V_STATUS, DONE if (get(tables.operations, g * 8) & 31) == END else OPEN)


@inlined
def ask(tables: Tables, work: Work, states: Ints, at: int, base: int, t: int, asked: int) -> None:
    """Make the key of the row in A_ROW, and tell in A_RECORD where its record would lie."""
    ahead, words = work.ahead, tables.header[H_WORDS]
    row, key = get(ahead, asked + A_ROW), asked + A_KEY
    h = np.int64(MIX1)
    for k in range(words):
        bits = get(states, at + k) & get(work.views, row + V_RELIED + k)
        put(ahead, key + k, bits)
        h = (h + bits) * MIX2
        h ^= (h >> 32) & LOW32
    key += words
    relied = row + V_RELIED + words
    uses = get(ahead, near_at(base, t) + NEAR_USES) & get(work.views, relied + NEAR_USES)
    writes = get(ahead, near_at(base, t) + NEAR_WRITES) & get(work.views, relied + NEAR_WRITES)
    # With the place, so that no key is all zeros as an empty record is, nor that of another place.
    ended = ((2 * row + 1) << 32) | (get(ahead, base) & get(work.views, relied + NEAR_ENDED))
    put(ahead, key + NEAR_USES, uses)
    put(ahead, key + NEAR_WRITES, writes)
    put(ahead, key + NEAR_ENDED, ended)
    h = (h + uses * MIX1 + (writes ^ (ended >> 12)) * MIX3 + ended) * MIX2
    h ^= (h >> 32) & LOW32
    put(ahead, asked + A_RECORD, (h & work.counts[C_RECORDS]) * record_size(words))


@inlined
def recall(tables: Tables, work: Work, states: Ints, at: int, agent: int, asked: int, n: int) -> int:
    """Put the cached steps of an agent behind the first ``n`` successors; return their number then, or -1."""
    words, records, record = tables.header[H_WORDS], work.records, get(work.ahead, asked + A_RECORD)
    for k in range(words + NEAR_SIZE):
        if get(records, record + k) != get(work.ahead, asked + A_KEY + k):
            return -1
    record += words + NEAR_SIZE
    if n + MOST >= work.labels.shape[0] - 1:
        return -1
    # How many steps, whether they come round and whether they are stuck share a word, the last of what is noticed.
    known = get(records, record + N_STUCK)
    for k in range(N_STUCK):
        put(work.noticed, agent * N_SIZE + k, get(records, record + k))
    put(work.noticed, agent * N_SIZE + N_STUCK, known & STUCK)
    if (known & ROUNDED) != 0:
        work.counts[C_ROUND] = 1
    record += N_SIZE
    for _ in range(known // NUMBER):
        for k in range(words):
            put(work.out, n * words + k, get(states, at + k) ^ get(records, record + k))
        put(work.labels, n, get(records, record + words))
        record += words + 1
        n += 1
    return n


@called
def remember(
    tables: Tables, work: Work, states: Ints, at: int, base: int, agent: int, asked: int, first: int, n: int
) -> None:
    """Remember what an agent's steps led to: the successors from ``first`` to ``n``."""
    words, records = tables.header[H_WORDS], work.records
    row = get(work.ahead, asked + A_ROW)
    work.counts[C_WORKED] += 1
    for k in range(words + NEAR_SIZE):
        before = get(work.views, row + V_RELIED + k)
        after = before | get(work.relied, k)
        if after != before:
            put(work.views, row + V_RELIED + k, after)
            work.counts[C_GREW] = 1
    if n - first > MOST:
        return
    ask(tables, work, states, at, base, agent % tables.header[H_THREADS], asked)
    record = get(work.ahead, asked + A_RECORD)
    for k in range(words + NEAR_SIZE):
        put(records, record + k, get(work.ahead, asked + A_KEY + k))
    record += words + NEAR_SIZE
    for k in range(N_STUCK):
        put(records, record + k, get(work.noticed, agent * N_SIZE + k))
    known = (n - first) * NUMBER + get(work.noticed, agent * N_SIZE + N_STUCK)
    put(records, record + N_STUCK, known + (ROUNDED if work.counts[C_ROUND] != 0 else 0))
    record += N_SIZE
    for each in range(first, n):
        for k in range(words):
            put(records, record + k, get(states, at + k) ^ get(work.out, each * words + k))
        put(records, record + words, get(work.labels, each))
        record += words + 1


@inlined
def begin(tables: Tables, work: Work, base: int, agent: int) -> None:
    """Set out to work out an agent's steps: nothing relied on, nothing noticed."""
    t = agent % tables.header[H_THREADS]
    put(work.near, 2 * t + NEAR_USES, get(work.ahead, near_at(base, t) + NEAR_USES))
    put(work.near, 2 * t + NEAR_WRITES, get(work.ahead, near_at(base, t) + NEAR_WRITES))
    for k in range(work.relied.shape[0]):
        put(work.relied, k, 0)
    clear(work, agent)
