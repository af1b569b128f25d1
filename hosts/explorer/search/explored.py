"""The explored part of the state space: the states of each breadth-first level and where they are stored."""

from __future__ import annotations

import bisect

import numpy as np

from hosts.explorer.compiled import abi, hash_table
from hosts.explorer.search.decode import state_of
from hosts.explorer.search.visited import Store
from hosts.explorer.search.workers import Rounds


class Explored:
    """The states found by one attempt of a search."""

    def __init__(self, rounds: Rounds) -> None:
        """Begin with the initial state, which is all zeros: every first value has the number 0."""
        self.rounds = rounds
        self.learnt = rounds.learnt
        self.workers = rounds.workers
        self.store = Store(self.learnt.layout.words, self.workers, rounds.each_of_many)
        self.store.begin(np.zeros(self.store.words, np.int64))
        self.levels: list[list[int]] = [[0] * self.workers]
        """By level: for each worker where its states of that level begin."""

    @property
    def work(self) -> list[abi.Work]:
        """The workers' workspaces."""
        return self.rounds.work

    @property
    def depth(self) -> int:
        """Return the deepest level that has a state."""
        return len(self.levels) - (1 if self.levels[-1] != self.store.counts else 2)

    def span(self, depth: int, worker: int) -> tuple[int, int]:
        """Return where a worker's states of one level begin and end."""
        ends = self.levels[depth + 1] if depth + 1 < len(self.levels) else self.store.counts
        return self.levels[depth][worker], ends[worker]

    def depth_of(self, place: int) -> int:
        """Return the level of the state at a place."""
        block, within = divmod(place, hash_table.BLOCK + 1)
        worker = block % self.workers
        number = block // self.workers * (hash_table.BLOCK + 1) + within
        return bisect.bisect_right(self.levels, number, key=lambda level: level[worker]) - 1

    def finals(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Return the local states and memory of every distinct final state: all threads ended, nothing on its way."""
        finals = set()
        ended = [self.learnt.ended(t) for t in range(len(self.learnt.model.threads))]
        words = self.store.words
        for w, count in enumerate(self.store.counts):
            for start in range(0, count, 1 << hash_table.BLOCK_BITS):
                at = int(hash_table.place_of(start, w, self.workers))
                some = min(count - start, 1 << hash_table.BLOCK_BITS)
                block = self.store.states[at * words : (at + some) * words].reshape(some, words)
                keep = np.ones(some, bool)
                for t, places in enumerate(ended):
                    held = self.learnt.layout["local", t]
                    keep &= np.isin(block[:, held.place] >> held.shift & held.mask, places)
                for packed in block[keep].tolist():
                    state = state_of(self.learnt, packed)
                    if not any(state.buffers) and not state.flight:
                        finals.add((state.locals, state.memory))
        return sorted(finals)
