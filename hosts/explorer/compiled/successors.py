"""Successor generation: the expansion of states into the visited set."""

from __future__ import annotations

import numpy as np

from hosts.explorer.compiled.abi import (
    A_ROW,
    AHEAD,
    C_BRANCHING,
    C_ENDED,
    C_GREW,
    C_REQUESTS,
    C_RETRY,
    C_ROUND,
    C_SIGHTS,
    C_STATES,
    C_STUCK,
    C_TRANSITIONS,
    C_WHOLE,
    H_SLOTS,
    H_SYMMETRIC,
    H_THREADS,
    H_WORDS,
    H_WORKERS,
    N_LOOKS,
    N_SIZE,
    REQ_ROOM,
    T_BK,
    T_LK,
    T_SIZE,
    Tables,
    Work,
)
from hosts.explorer.compiled.canonical import in_order
from hosts.explorer.compiled.effects import arrivals, request
from hosts.explorer.compiled.hash_table import BATCH, INDEX_MASK, enter, hash_of, lookup, place_of
from hosts.explorer.compiled.lazy_flush import clear, due
from hosts.explorer.compiled.state_fields import stored_field
from hosts.explorer.compiled.step import steps
from hosts.explorer.compiled.transition_cache import (
    ahead_size,
    ask,
    asked_at,
    begin,
    prepare,
    recall,
    remember,
    touch,
    view_size,
)
from hosts.explorer.jit.intrinsics import Ints, called, compiled, get, inlined, prefetch, put


@called
def successors(tables: Tables, work: Work, states: Ints, at: int) -> int:
    """Put all that one state leads to into ``work.out``; return their number (:func:`follow`)."""
    touch(tables, work, states, at, 0)
    prepare(tables, work, states, at, 0)
    return follow(tables, work, states, at, 0, 0)


@inlined
def follow(tables: Tables, work: Work, states: Ints, at: int, base: int, first: int) -> int:
    """Put all that a state prepared at ``base`` leads to behind the first successors, in order; return their number.

    ``counts[C_WHOLE]`` becomes 0 if something was not known yet: then these are not all.
    """
    number = moves(tables, work, states, at, base, first)
    if tables.header[H_SYMMETRIC] != 0:
        for each in range(first, first + number):
            in_order(tables, work.out, each * tables.header[H_WORDS])
    return number


@inlined
def moves(tables: Tables, work: Work, states: Ints, at: int, base: int, first: int) -> int:
    """Put what all agents make of a state behind the first successors; as :func:`follow`."""
    counts, threads = work.counts, tables.header[H_THREADS]
    counts[C_WHOLE] = 1
    counts[C_ROUND] = 0
    counts[C_ENDED] = get(work.ahead, base)
    n = first
    for t in range(threads):
        if ((get(work.ahead, base) >> t) & 1) == 0:
            n = act(tables, work, states, at, base, t, asked_at(tables, base, t), n)
        else:
            clear(work, t)
    if counts[C_WHOLE] == 0:
        return n - first  # what would be noticed is not known yet
    outstanding = np.int64(0)
    for k in range(tables.header[H_WORDS]):
        outstanding |= get(states, at + k) & get(tables.outstanding, k)
    return come(tables, work, states, at, base, first, n) - first if outstanding != 0 else n - first


@called
def come(tables: Tables, work: Work, states: Ints, at: int, base: int, first: int, n: int) -> int:
    """Put the drains and the arrivals that are due behind ``n`` successors; return their number then."""
    threads = tables.header[H_THREADS]
    drain = due(tables, work, states, at, n > first)
    for t in range(threads):
        put(work.noticed, (threads + t) * N_SIZE + N_LOOKS, 0)
        if ((drain >> t) & 1) != 0 and stored_field(states, at, tables.threads, t * T_SIZE + T_BK) != 0:
            place = (threads + t) * tables.rest.shape[1] + stored_field(states, at, tables.threads, t * T_SIZE + T_LK)
            asked = asked_at(tables, base, threads)
            put(work.ahead, asked + A_ROW, place * view_size(tables.header[H_WORDS]))
            ask(tables, work, states, at, base, t, asked)
            n = act(tables, work, states, at, base, threads + t, asked, n)
    if n + threads + tables.header[H_SLOTS] >= work.labels.shape[0] - 1:
        request(work, REQ_ROOM, 0, 0)
        return n
    return arrivals(tables, work, states, at, n)


@inlined
def act(tables: Tables, work: Work, states: Ints, at: int, base: int, agent: int, asked: int, n: int) -> int:
    """Put what an agent can do behind ``n`` successors; return their number then."""
    known = recall(tables, work, states, at, agent, asked, n)
    return known if known >= 0 else work_out(tables, work, states, at, base, agent, asked, n)


@called
def work_out(tables: Tables, work: Work, states: Ints, at: int, base: int, agent: int, asked: int, n: int) -> int:
    """Put what an agent can do behind ``n`` successors, and cache it if it is all known; return their number then."""
    counts = work.counts
    whole, came_round = counts[C_WHOLE], counts[C_ROUND]
    counts[C_WHOLE] = 1
    counts[C_ROUND] = 0
    begin(tables, work, base, agent)
    end = steps(tables, work, states, at, agent, n)
    if counts[C_WHOLE] != 0:
        remember(tables, work, states, at, base, agent, asked, n, end)
    counts[C_WHOLE] &= whole
    counts[C_ROUND] |= came_round
    return end


@inlined
def stands_still(tables: Tables, work: Work, number: int) -> bool:
    """Return whether a state that leads to so many others is a deadlock."""
    return number == 0 and work.counts[C_ENDED] != (np.int64(1) << tables.header[H_THREADS]) - 1


@called
def note_sight(work: Work, sighting: int) -> None:
    """Remember a sighting once."""
    n = work.counts[C_SIGHTS]
    for i in range(n):
        if work.sights[i] == sighting:
            return
    if n < work.sights.shape[0]:
        work.sights[n] = sighting
        work.counts[C_SIGHTS] = n + 1


@inlined
def count_and_hash(tables: Tables, work: Work, at: int, first: int, number: int) -> None:
    """Count what a state led to, and hash it; if that was not all, put the state aside."""
    counts, words = work.counts, tables.header[H_WORDS]
    if counts[C_WHOLE] == 0:
        work.retry[counts[C_RETRY]] = at
        counts[C_RETRY] += 1
    else:
        counts[C_TRANSITIONS] += number
        if number > 1:
            counts[C_BRANCHING] = 1
        elif stands_still(tables, work, number):
            counts[C_STUCK] = 1
    for each in range(first, first + number):
        sighting = work.labels[each] >> 32
        if sighting != 0:
            note_sight(work, sighting - 1)
        put(work.hashes, each, hash_of(work.out, each * words, words))


@inlined
def look_ahead(tables: Tables, work: Work, states: Ints, todo: Ints, source: int, first: int, number: int) -> None:
    """Prepare some states to be expanded."""
    words, size = tables.header[H_WORDS], ahead_size(tables.header[H_WORDS], tables.header[H_THREADS])
    for each in range(number):
        touch(tables, work, states, pick(tables, todo, source, first + each) * words, each * size)
    for each in range(number):
        prepare(tables, work, states, pick(tables, todo, source, first + each) * words, each * size)
    work.counts[C_GREW] = 0


@inlined
def pick(tables: Tables, todo: Ints, source: int, number: int) -> int:
    """Return the place of one of the states to be expanded."""
    return todo[number] if todo.shape[0] > 0 else place_of(number, source, tables.header[H_WORKERS])


@compiled
def expand(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    worker: int,
    todo: Ints,
    source: int,
    start: int,
    stop: int,
    limit: int,
) -> int:
    """Expand the states ``start`` to ``stop`` of the worker ``source`` (of the places ``todo``, if that holds any).

    Returns where it stopped: early, if there is no room for more (``limit`` states), or too much is put aside.
    """
    counts, words, workers = work.counts, tables.header[H_WORDS], tables.header[H_WORKERS]
    size = ahead_size(words, tables.header[H_THREADS])
    waiting = np.int64(0)
    room = work.labels.shape[0] - BATCH
    count = counts[C_STATES]
    begun = prepared = i = start
    while i < stop:
        if waiting >= BATCH:
            count = enter(states, table, work.out, work.hashes, waiting, words, worker, workers, count)
            waiting = np.int64(0)
        if count + room + BATCH > limit or counts[C_RETRY] >= work.retry.shape[0]:
            break
        if 2 * counts[C_REQUESTS] > work.requests.shape[0]:
            break
        if i == prepared:
            begun, prepared = i, min(i + AHEAD, stop)
            look_ahead(tables, work, states, todo, source, i, prepared - i)
        at, base = pick(tables, todo, source, i), (i - begun) * size
        if counts[C_GREW] != 0:
            prepare(tables, work, states, at * words, base)
        number = follow(tables, work, states, at * words, base, waiting)
        count_and_hash(tables, work, at, waiting, number)
        waiting += number
        i += 1
    counts[C_STATES] = enter(states, table, work.out, work.hashes, waiting, words, worker, workers, count)
    return i


@compiled
def look_up_successors(tables: Tables, work: Work, states: Ints, table: Ints, at: int, places: Ints) -> int:
    """Expand a stored state and look its successors up: put their places into ``places``; return how many there are."""
    words = tables.header[H_WORDS]
    last = table.shape[0] - 1
    number = successors(tables, work, states, at * words)
    for each in range(number):
        h = hash_of(work.out, each * words, words)
        put(work.hashes, each, h)
        prefetch(table, h & last)
    for each in range(number):
        entry = get(table, get(work.hashes, each) & last)
        if entry != 0:
            prefetch(states, ((entry & INDEX_MASK) - 1) * words)
    for each in range(number):
        places[each] = lookup(states, table, work.out, each * words, get(work.hashes, each), words)
    return number
