# ruff: noqa: C901, PLR0912, PLR0915 - compiled loops: one function where a call would cost
"""Compiled walks over the states found: back from a violation, and along the cycles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hosts.explorer.compiled.abi import (
    DRAIN,
    H_SLOTS,
    H_THREADS,
    H_WORDS,
    H_WORKERS,
    RUN,
    S_PLACE,
    S_SIZE,
    T_BK,
    T_SIZE,
    Tables,
    Work,
)
from hosts.explorer.compiled.hash_table import INDEX_MASK, hash_of, lookup, place_of
from hosts.explorer.compiled.state_fields import held
from hosts.explorer.compiled.successors import stands_still, successors
from hosts.explorer.jit.intrinsics import Ints, called, compiled, get, prefetch, put


@compiled
def look_up_all(tables: Tables, work: Work, states: Ints, table: Ints, at: int, places: Ints) -> int:
    """Expand a state and put the places of its successors into ``places``."""
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


@called
def owes(states: Ints, at: int, owing: Ints) -> bool:
    """Tell whether a state may lie on a cycle that is fair and pays nothing.

    ``owing`` holds rows of place, shift, mask and value: the first field must differ from its value, others be equal.
    """
    if held(states, at, owing, 0) == owing[3]:
        return False
    for row in range(4, owing.shape[0], 4):  # noqa: SIM110 - compiled
        if held(states, at, owing, row) != owing[row + 3]:
            return False
    return True


@compiled
def gather(tables: Tables, states: Ints, owing: Ints, worker: int, start: int, stop: int, places: Ints) -> int:
    """Put the places of those of a worker's states that :func:`owes` speaks of into ``places``; give their number."""
    words, workers = tables.header[H_WORDS], tables.header[H_WORKERS]
    found = 0
    for i in range(start, stop):
        at = place_of(i, worker, workers)
        if owes(states, at * words, owing):
            places[found] = at
            found += 1
    return found


@called
def look_up_owing(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    at: int,
    owing: Ints,
    order: npt.NDArray[np.int32],
    low: npt.NDArray[np.int32],
    places: Ints,
) -> int:
    """Expand a state and put the places of those successors in which the debt is unpaid into ``places``."""
    words = tables.header[H_WORDS]
    last = table.shape[0] - 1
    number = successors(tables, work, states, at * words)
    found = 0
    for each in range(number):
        if owes(work.out, each * words, owing):
            h = hash_of(work.out, each * words, words)
            put(work.hashes, each, h)
            prefetch(table, h & last)
    for each in range(number):
        if owes(work.out, each * words, owing):
            entry = get(table, get(work.hashes, each) & last)
            if entry != 0:
                prefetch(states, ((entry & INDEX_MASK) - 1) * words)
                prefetch(order, (entry & INDEX_MASK) - 1)
                prefetch(low, (entry & INDEX_MASK) - 1)
    for each in range(number):
        if owes(work.out, each * words, owing):
            places[found] = lookup(states, table, work.out, each * words, get(work.hashes, each), words)
            found += 1
    return found


@compiled
def backwards(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    worker: int,
    start: int,
    stop: int,
    sighting: int,
    row_of: npt.NDArray[np.int32],
    costs: npt.NDArray[np.int16],
    rows: int,
    places: Ints,
    around: Ints,
) -> int:
    """Work out the fewest changes of thread from some states to the violation; give how many are on a way.

    ``around`` is room for the places of one state's successors. ``row_of`` names states of the level after (and of
    later ones) only: the caller enters a level when it is done.
    """
    workers = tables.header[H_WORKERS]
    threads = tables.header[H_THREADS]
    found = 0
    for i in range(start, stop):
        at = place_of(i, worker, workers)
        number = look_up_all(tables, work, states, table, at, around)
        row = rows + found
        on = False
        if sighting < 0:
            if stands_still(tables, work, number):
                on = True
                for t in range(threads):
                    costs[row, t] = 0
        else:
            for each in range(number):
                t = work.told[each] & 0xFF
                cost = 1 << 14
                if sighting > 0:
                    if (work.told[each] >> 32) == sighting:
                        cost = 0
                else:
                    next_row = row_of[around[each]]
                    if next_row >= 0:
                        cost = np.int64(costs[next_row, t])
                        for other in range(threads):
                            cost = min(cost, np.int64(costs[next_row, other]) + 1)
                if cost < costs[row, t]:
                    costs[row, t] = cost
                    on = True
        if on:
            places[found] = at
            found += 1
    return found


G_FRAMES, G_KIDS, G_STACK, G_NUMBER, G_PARTS, G_ROOT, G_FAIR, G_SIZE = range(8)
"""How far the walk over the cycles has come."""


@called
def agents_of(tables: Tables, work: Work, number: int, places: Ints, low: npt.NDArray[np.int32], part: int) -> int:
    """Give the agents that can move (with ``part``: that move inside this component), as a bit set."""
    threads = tables.header[H_THREADS]
    agents = np.int64(0)
    for each in range(number):
        if part == 0 or low[places[each]] == part:
            told = work.told[each]
            t, agent, slot = told & 0xFF, (told >> 8) & 0xFF, (told >> 16) & 0xFFFF
            bit = t if agent == RUN else (threads + t if agent == DRAIN else 2 * threads + slot)
            agents |= 1 << bit
    return agents


@called
def coming(tables: Tables, states: Ints, place: int) -> int:
    """Give the buffers and the IPIs that can move in a state, put off or not, as a bit set of agents."""
    threads = tables.header[H_THREADS]
    at = place * tables.header[H_WORDS]
    agents = np.int64(0)
    for t in range(threads):
        if held(states, at, tables.threads, t * T_SIZE + T_BK) != 0:
            agents |= np.int64(1) << (threads + t)
    for slot in range(tables.header[H_SLOTS]):
        if held(states, at, tables.slots, slot * S_SIZE + S_PLACE) != 0:
            agents |= np.int64(1) << (2 * threads + slot)
    return agents


@called
def is_fair(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    members: Ints,
    begin: int,
    end: int,
    low: npt.NDArray[np.int32],
    places: Ints,
) -> bool:
    """Tell whether a component has a fair cycle: each agent moves in it, or cannot move in some state of it."""
    everybody = (np.int64(1) << (2 * tables.header[H_THREADS] + tables.header[H_SLOTS])) - 1
    excused = np.int64(0)
    for i in range(begin, end):
        number = look_up_all(tables, work, states, table, members[i], places)
        excused |= agents_of(tables, work, number, places, low, low[members[i]])
        able = agents_of(tables, work, number, places, low, np.int64(0)) | coming(tables, states, members[i])
        excused |= everybody & ~able
        if excused == everybody:
            return True
    return False


@compiled
def walk_cycles(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    owing: Ints,
    roots: Ints,
    order: npt.NDArray[np.int32],
    low: npt.NDArray[np.int32],
    frames: Ints,
    kids: Ints,
    members: Ints,
    walk: Ints,
    hits: npt.NDArray[np.int8],
    places: Ints,
    budget: int,
) -> bool:
    """Go on with Tarjan's walk over ``roots``, in which a debt is not zero; tell whether there is more to do.

    ``low`` of a state becomes minus its component's number when that is complete. ``kids`` holds the successors of the
    states on the way that are still to be looked at, so that each state is expanded once (and once more in a cycle).
    """
    room = work.told.shape[0]
    spent = 0
    while spent < budget:
        depth = walk[G_FRAMES]
        entering = np.int64(-1)
        if depth == 0:
            if walk[G_ROOT] >= roots.shape[0]:
                return False
            at = roots[walk[G_ROOT]]
            walk[G_ROOT] += 1
            spent += 1
            if order[at] == 0:
                entering = at
        else:
            top = depth - 1
            at = frames[top, 0]
            if walk[G_KIDS] > frames[top, 1]:
                walk[G_KIDS] -= 1
                kid = kids[walk[G_KIDS]]
                if order[kid] == 0:
                    entering = kid
                elif low[kid] >= 0:
                    low[at] = min(low[at], order[kid])
            else:
                if low[at] == order[at]:
                    begin = walk[G_STACK] - 1
                    while members[begin] != at:
                        begin -= 1
                    walk[G_PARTS] += 1
                    end = walk[G_STACK]
                    for i in range(begin, end):
                        low[members[i]] = -walk[G_PARTS]
                    walk[G_STACK] = begin
                    if end - begin > 1 or frames[top, 2] != 0:
                        spent += end - begin
                        if is_fair(tables, work, states, table, members, begin, end, low, places):
                            walk[G_FAIR] += 1
                            for i in range(begin, end):
                                hits[members[i]] = 1
                elif depth > 1:
                    parent = frames[top - 1, 0]
                    low[parent] = min(low[parent], low[at])
                walk[G_FRAMES] -= 1
        if entering >= 0:
            full = walk[G_FRAMES] + 1 >= frames.shape[0] or walk[G_STACK] + 1 >= members.shape[0]
            if full or walk[G_KIDS] + room >= kids.shape[0]:
                # Undo, so that the next call finds it again.
                if depth == 0:
                    walk[G_ROOT] -= 1
                else:
                    walk[G_KIDS] += 1
                return True
            at = entering
            walk[G_NUMBER] += 1
            order[at] = walk[G_NUMBER]
            low[at] = walk[G_NUMBER]
            members[walk[G_STACK]] = at
            walk[G_STACK] += 1
            top = walk[G_FRAMES]
            frames[top, 0] = at
            frames[top, 1] = walk[G_KIDS]
            frames[top, 2] = 0
            walk[G_FRAMES] += 1
            spent += 1
            number = look_up_owing(tables, work, states, table, at, owing, order, low, places)
            for each in range(number):
                kid = places[each]
                if kid == at:
                    frames[top, 2] = 1
                else:
                    kids[walk[G_KIDS]] = kid
                    walk[G_KIDS] += 1
    return True
