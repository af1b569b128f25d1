"""Non-progress cycles under weak fairness: cycles on which an obligation is never met.

The states in which one of ``Model.obligations`` is not zero and the moves between them fall into strongly connected
components (Tarjan 1972, in compiled code, edges worked out again and not stored). A component has a fair cycle if each
thread, each buffer and each IPI in flight moves inside it or is unable to move in some state of it (weak fairness); if
the whole component has none, no part of it has one, as whoever is left out of the whole is left out of the part.

A thread that never comes back to a local state stands still on a cycle of the whole. If it could move it is left out,
which no fair cycle does; so it has ended, and its buffer is empty. Most senders are such. An IPI that only they send
is not sent again: in flight on a fair cycle, it would have to arrive, and the cycle could not close. Only the states in
which all that is so are walked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from hosts.explorer.compiled import abi, hash_table, scc
from hosts.explorer.model.operations import Op
from hosts.explorer.model.state_vector import WIDEST, TooWide
from hosts.explorer.reduce.footprints import straight
from hosts.explorer.search.explored import Explored
from hosts.explorer.search.thread_tables import ThreadTables

CHUNK: Final = 1 << 18
"""States looked through in one compiled call."""
BUDGET: Final = 100_000
"""Expansions in one compiled call."""


class FairCycles:
    """The fair cycles of a search that is complete."""

    def __init__(self, explored: Explored) -> None:
        self.explored = explored
        self.learnt = explored.learnt
        self.store = explored.store
        places = self.store.places
        self.hits: npt.NDArray[np.int8] = np.zeros(places, np.int8)
        tables = self.learnt.tables
        agents = 2 * int(tables.header[abi.H_THREADS]) + int(tables.header[abi.H_SLOTS])
        if agents > WIDEST:
            raise TooWide(f"{agents} threads, buffers and IPIs; fairness to {WIDEST} at most can be checked")

    def find(self, going_on: Callable[[], bool]) -> bool:
        """Look at each debt; return whether that came to its end (``going_on`` has not said no)."""
        return all(self._find(word, going_on) for word in self.learnt.model.obligations)

    def nearest(self) -> tuple[int, list[int]]:
        """Return the lowest level with a state on a fair cycle, and the places of its states on fair cycles; or -1."""
        by_level: dict[int, list[int]] = {}
        found = np.flatnonzero(self.hits)
        block, within = np.divmod(found, hash_table.BLOCK + 1)
        worker = block % self.store.workers
        number = block // self.store.workers * (hash_table.BLOCK + 1) + within
        depth = np.zeros(len(found), np.int64)
        for each in range(self.store.workers):
            begins = np.array([level[each] for level in self.explored.levels])
            mine = worker == each
            depth[mine] = np.searchsorted(begins, number[mine], side="right") - 1
        if not len(found):
            return -1, []
        nearest = int(depth.min())
        by_level[nearest] = found[depth == nearest].tolist()
        return nearest, by_level[nearest]

    def _find(self, word: int, going_on: Callable[[], bool]) -> bool:
        learnt, store = self.learnt, self.store
        field = learnt.layout["word", word]
        zero = learnt.values[word].known_number(0)
        if not field.mask and zero == 0:
            return True
        owing = np.array([*field, zero, *over_on_cycles(learnt)], np.int64)
        return self._walk(owing, self._roots(owing, store.counts), going_on)

    def _roots(self, owing: npt.NDArray[np.int64], counts: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return the places of the states, so many of each worker, in which the debt is unpaid."""
        tables, states = self.learnt.tables, self.store.states

        def some(worker: int) -> list[npt.NDArray[np.int64]]:
            found, room = [], np.zeros(CHUNK, np.int64)
            for start in range(0, max(counts[worker], 1), CHUNK):
                stop = min(start + CHUNK, counts[worker])
                found.append(room[: scc.gather(tables, states, owing, worker, start, stop, room)].copy())
            return found

        parts = self.explored.rounds.each_of_many(some, sum(counts))
        return np.concatenate([each for part in parts for each in part])

    def _walk(self, owing: npt.NDArray[np.int64], roots: npt.NDArray[np.int64], going_on: Callable[[], bool]) -> bool:
        """Look at some states and what they lead to; return whether that came to its end."""
        store = self.store
        work = self.explored.work[0]
        room = len(work.labels)
        parts = scc.Components(
            owing=owing,
            roots=roots,
            order=np.zeros(store.places, np.int32),
            low=np.zeros(store.places, np.int32),
            frames=np.zeros((1 << 12, scc.F_SIZE), np.int64),
            kids=np.zeros(4 * room, np.int64),
            members=np.zeros(1 << 12, np.int64),
            walk=np.zeros(scc.G_SIZE, np.int64),
            hits=self.hits,
            places=np.zeros(room, np.int64),
        )
        while scc.walk_components(self.learnt.tables, work, store.states, store.table, parts, BUDGET):
            parts = _with_room(parts, room)
            if not going_on():
                return False
        return True


def _with_room(parts: scc.Components, room: int) -> scc.Components:
    """Double those arrays that are full."""
    full = {
        "frames": parts.walk[scc.G_FRAMES] + 1 >= len(parts.frames),
        "members": parts.walk[scc.G_STACK] + 1 >= len(parts.members),
        "kids": parts.walk[scc.G_KIDS] + room >= len(parts.kids),
    }
    arrays = {name: getattr(parts, name) for name, is_so in full.items() if is_so}
    return parts._replace(**{name: np.concatenate([each, np.zeros_like(each)]) for name, each in arrays.items()})


def over_on_cycles(learnt: ThreadTables) -> list[int]:
    """Return what holds on every fair cycle: rows of place, shift, mask and value, one behind the other."""
    rows: list[int] = []
    over: set[int] = set()
    for thread in range(len(learnt.model.threads)):
        ends = learnt.ended(thread)
        if len(ends) == 1 and straight(learnt, thread) is not None:
            rows += [*learnt.layout["local", thread], ends[0], *learnt.layout["buffer", thread], 0]
            over.add(thread)
    sent = zip(learnt.operation, learnt.owner, strict=True)
    again = {(each.a, each.b) for each, (thread, _) in sent if each.kind == Op.SEND and thread not in over}
    for number, slot in enumerate(learnt.slots):
        if slot not in again:
            rows += [*learnt.layout["slot", number], 0]
    return rows
