"""Backward breadth-first search in compiled code: from a violation to the initial state, one level in each call."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hosts.explorer.compiled.abi import H_THREADS, H_WORKERS, Tables, Work
from hosts.explorer.compiled.hash_table import place_of
from hosts.explorer.compiled.successors import look_up_successors, stands_still
from hosts.explorer.jit.intrinsics import Ints, called, compiled

FAR = 1 << 14
"""More changes of thread than any trail has."""


class Backward(NamedTuple):
    """What the search backwards reads and writes."""

    row_of: npt.NDArray[np.int32]
    """By state: its row of ``costs``, or -1 if it is on no shortest trail. Only states of later levels have one: the
    caller enters a level when it is done."""
    costs: npt.NDArray[np.int16]
    """By row and thread: the fewest changes of thread on the way to the violation if that thread moves next."""
    places: Ints
    """The states found in this call."""
    around: Ints
    """Room for the places of one state's successors."""


@compiled
def search_backward(
    tables: Tables,
    work: Work,
    states: Ints,
    table: Ints,
    backward: Backward,
    worker: int,
    start: int,
    stop: int,
    sighting: int,
    rows: int,
) -> int:
    """Work out the costs of a worker's states ``start`` to ``stop``; return how many of them are on a shortest trail.

    ``sighting``: 0: those with a successor that is on one; -1: deadlocks; else those with a transition on which that
    check fires. ``rows``: the first free row of ``costs``.
    """
    workers = tables.header[H_WORKERS]
    found = 0
    for i in range(start, stop):
        at = place_of(i, worker, workers)
        if costs_of(tables, work, states, table, backward, at, sighting, rows + found):
            backward.places[found] = at
            found += 1
    return found


@called
def costs_of(
    tables: Tables, work: Work, states: Ints, table: Ints, backward: Backward, at: int, sighting: int, row: int
) -> bool:
    """Work out the costs of one state into a row; return whether it is on a shortest trail."""
    costs, around, threads = backward.costs, backward.around, tables.header[H_THREADS]
    number = look_up_successors(tables, work, states, table, at, around)
    if sighting < 0:
        stuck = stands_still(tables, work, number)
        for t in range(threads if stuck else 0):
            costs[row, t] = 0
        return stuck
    on = False
    for each in range(number):
        t = work.labels[each] & 0xFF
        cost = np.int64(FAR)
        if sighting > 0:
            if (work.labels[each] >> 32) == sighting:
                cost = np.int64(0)
        else:
            next_row = backward.row_of[around[each]]
            if next_row >= 0:
                cost = np.int64(costs[next_row, t])
                for other in range(threads):
                    cost = min(cost, np.int64(costs[next_row, other]) + 1)
        if cost < costs[row, t]:
            costs[row, t] = cost
            on = True
    return on
