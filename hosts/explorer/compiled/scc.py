"""Strongly connected components in compiled code (Tarjan, 1972), and whether a component has a fair cycle.

The walk does not recurse, and can be left and gone on with: the arrays may have to grow, and Ctrl-C has to be heard.
"""

from __future__ import annotations

from typing import NamedTuple

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
from hosts.explorer.compiled.state_fields import stored_field
from hosts.explorer.compiled.successors import look_up_successors, successors
from hosts.explorer.jit.intrinsics import Ints, called, compiled, get, prefetch, put

G_FRAMES, G_KIDS, G_STACK, G_NUMBER, G_PARTS, G_ROOT, G_SIZE = range(7)
"""Columns of ``Components.walk``: how many frames, kids and members there are, how many states have been entered and
how many components completed, and which root is next."""

F_STATE, F_KIDS, F_SELF, F_SIZE = range(4)
"""Columns of a frame: the state, where its kids begin, whether it is its own successor."""


class Components(NamedTuple):
    """What the walk reads and writes."""

    owing: Ints
    """What holds on every cycle looked for (:func:`owes`)."""
    roots: Ints
    """The places of the states from which it is walked."""
    order: npt.NDArray[np.int32]
    """By state: when it was entered, from 1; 0: not yet."""
    low: npt.NDArray[np.int32]
    """By state: Tarjan's low link; minus the number of its component when that is complete."""
    frames: Ints
    """The path: F, two-dimensional."""
    kids: Ints
    """Successors of the states on the path that are still to be looked at: each state is expanded once (and once more
    in a cycle)."""
    members: Ints
    """Tarjan's stack."""
    walk: Ints
    """How far it has come: G."""
    hits: npt.NDArray[np.int8]
    """By state: whether it lies on a fair cycle."""
    places: Ints
    """Room for the places of one state's successors."""


@called
def owes(states: Ints, at: int, owing: Ints) -> bool:
    """Return whether a state may lie on a cycle that is fair and pays nothing.

    ``owing`` holds rows of place, shift, mask and value: the first field must differ from its value, others be equal.
    """
    if stored_field(states, at, owing, 0) == owing[3]:
        return False
    for row in range(4, owing.shape[0], 4):  # noqa: SIM110 - compiled
        if stored_field(states, at, owing, row) != owing[row + 3]:
            return False
    return True


@compiled
def gather(tables: Tables, states: Ints, owing: Ints, worker: int, start: int, stop: int, places: Ints) -> int:
    """Put the places of those of a worker's states that :func:`owes` speaks of into ``places``; return their number."""
    words, workers = tables.header[H_WORDS], tables.header[H_WORKERS]
    found = 0
    for i in range(start, stop):
        at = place_of(i, worker, workers)
        if owes(states, at * words, owing):
            places[found] = at
            found += 1
    return found


@called
def look_up_owing(tables: Tables, work: Work, states: Ints, table: Ints, scc: Components, at: int) -> int:
    """Expand a state and put the places of those successors in which the debt is unpaid into ``scc.places``."""
    words, owing, order, low, places = tables.header[H_WORDS], scc.owing, scc.order, scc.low, scc.places
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


@called
def agents_of(tables: Tables, work: Work, number: int, places: Ints, low: npt.NDArray[np.int32], part: int) -> int:
    """Return the agents that can move (with ``part``: that move inside this component), as a bit set."""
    threads = tables.header[H_THREADS]
    agents = np.int64(0)
    for each in range(number):
        if part == 0 or low[places[each]] == part:
            label = work.labels[each]
            t, agent, slot = label & 0xFF, (label >> 8) & 0xFF, (label >> 16) & 0xFFFF
            bit = t if agent == RUN else (threads + t if agent == DRAIN else 2 * threads + slot)
            agents |= 1 << bit
    return agents


@called
def movable(tables: Tables, states: Ints, place: int) -> int:
    """Return the buffers and the IPIs that can move in a state, put off or not, as a bit set of agents."""
    threads = tables.header[H_THREADS]
    at = place * tables.header[H_WORDS]
    agents = np.int64(0)
    for t in range(threads):
        if stored_field(states, at, tables.threads, t * T_SIZE + T_BK) != 0:
            agents |= np.int64(1) << (threads + t)
    for slot in range(tables.header[H_SLOTS]):
        if stored_field(states, at, tables.slots, slot * S_SIZE + S_PLACE) != 0:
            agents |= np.int64(1) << (2 * threads + slot)
    return agents


@called
def is_fair(tables: Tables, work: Work, states: Ints, table: Ints, scc: Components, begin: int, end: int) -> bool:
    """Return whether a component has a fair cycle: each agent moves in it, or cannot move in some state of it."""
    members, low, places = scc.members, scc.low, scc.places
    everybody = (np.int64(1) << (2 * tables.header[H_THREADS] + tables.header[H_SLOTS])) - 1
    excused = np.int64(0)
    for i in range(begin, end):
        number = look_up_successors(tables, work, states, table, members[i], places)
        excused |= agents_of(tables, work, number, places, low, low[members[i]])
        able = agents_of(tables, work, number, places, low, np.int64(0)) | movable(tables, states, members[i])
        excused |= everybody & ~able
        if excused == everybody:
            return True
    return False


@compiled
def walk_components(tables: Tables, work: Work, states: Ints, table: Ints, scc: Components, budget: int) -> bool:
    """Go on with the walk for about so many expansions; return whether more is to be done, or an array is too small."""
    walk, order, low = scc.walk, scc.order, scc.low
    spent = np.int64(0)
    while spent < budget:
        if is_full(work, scc):
            return True
        top = walk[G_FRAMES] - 1
        at = np.int64(-1)
        if top < 0:
            if walk[G_ROOT] >= scc.roots.shape[0]:
                return False
            at = scc.roots[walk[G_ROOT]]
            walk[G_ROOT] += 1
            spent += 1
        elif walk[G_KIDS] > scc.frames[top, F_KIDS]:
            walk[G_KIDS] -= 1
            at = scc.kids[walk[G_KIDS]]
            if order[at] != 0 and low[at] >= 0:
                parent = scc.frames[top, F_STATE]
                low[parent] = min(low[parent], order[at])
        else:
            spent += leave(tables, work, states, table, scc)
        if at >= 0 and order[at] == 0:
            enter_state(tables, work, states, table, scc, at)
            spent += 1
    return True


@called
def is_full(work: Work, scc: Components) -> bool:
    """Return whether one more state may find no room."""
    walk = scc.walk
    if walk[G_FRAMES] + 1 >= scc.frames.shape[0] or walk[G_STACK] + 1 >= scc.members.shape[0]:
        return True
    return walk[G_KIDS] + work.labels.shape[0] >= scc.kids.shape[0]


@called
def enter_state(tables: Tables, work: Work, states: Ints, table: Ints, scc: Components, at: int) -> None:
    """Put a state behind the path, and its successors among those to be looked at."""
    walk, frames = scc.walk, scc.frames
    walk[G_NUMBER] += 1
    scc.order[at] = walk[G_NUMBER]
    scc.low[at] = walk[G_NUMBER]
    scc.members[walk[G_STACK]] = at
    walk[G_STACK] += 1
    top = walk[G_FRAMES]
    walk[G_FRAMES] += 1
    frames[top, F_STATE] = at
    frames[top, F_KIDS] = walk[G_KIDS]
    frames[top, F_SELF] = 0
    for each in range(look_up_owing(tables, work, states, table, scc, at)):
        kid = scc.places[each]
        if kid == at:
            frames[top, F_SELF] = 1
        else:
            scc.kids[walk[G_KIDS]] = kid
            walk[G_KIDS] += 1


@called
def leave(tables: Tables, work: Work, states: Ints, table: Ints, scc: Components) -> int:
    """Take the last state off the path, and its component if that is complete; return how many states were judged."""
    walk, frames, low = scc.walk, scc.frames, scc.low
    top = walk[G_FRAMES] - 1
    walk[G_FRAMES] = top
    at = frames[top, F_STATE]
    if low[at] != scc.order[at]:
        parent = frames[top - 1, F_STATE]
        low[parent] = min(low[parent], low[at])
        return 0
    end = walk[G_STACK]
    begin = end - 1
    while scc.members[begin] != at:
        begin -= 1
    walk[G_STACK] = begin
    walk[G_PARTS] += 1
    for i in range(begin, end):
        low[scc.members[i]] = -walk[G_PARTS]
    if end - begin == 1 and frames[top, F_SELF] == 0:
        return 0  # no cycle
    if is_fair(tables, work, states, table, scc, begin, end):
        for i in range(begin, end):
            scc.hits[scc.members[i]] = 1
    return end - begin
