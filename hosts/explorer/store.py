"""The memory of a search: the packed states in the order found, and the hash table over them.

One array holds the states of all workers, in blocks that take turns; one table, which all of them fill.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hosts.explorer import finding

FIRST_STATES = 1 << 14
FIRST_SLOTS = 1 << 15

Each = Callable[[Callable[[int], int], int], object]


class Store:
    """States and table."""

    def __init__(self, words: int, workers: int, each: Each) -> None:
        """``each`` does something for every worker; it is told how many states there are."""
        self._each = each
        self.words = words
        self.workers = workers
        self.counts = [0] * workers
        self.room = FIRST_STATES
        self.states: npt.NDArray[np.int64] = np.empty(self.room * workers * words, np.int64)
        self.slots = FIRST_SLOTS
        self.table: npt.NDArray[np.int64] = np.zeros(self.slots, np.int64)

    @property
    def total(self) -> int:
        """Count the states."""
        return sum(self.counts)

    @property
    def bytes(self) -> int:
        """Count the bytes of the states and of the table."""
        return self.total * self.words * 8 + self.table.nbytes

    @property
    def limits(self) -> list[int]:
        """Tell how many states each worker may have before room has to be made."""
        share = (self._most - self.total) // self.workers
        return [min(self.room, count + share) for count in self.counts]

    @property
    def _most(self) -> int:
        """Tell how many states the table takes before it gets slow."""
        return self.slots * 7 // 8

    def begin(self, packed: npt.NDArray[np.int64]) -> None:
        """Enter the first state."""
        self.states[: self.words] = packed
        self.counts[0] = 1
        finding.fill(self.states, self.table, self.words, 0, self.workers, 0, 1)

    def ensure(self, more: int) -> None:
        """Make room for so many more states of each worker."""
        need = max(self.counts) + more
        while self.room < need:
            self.room += max(self.room // 2, 1 << 14) + finding.BLOCK & ~finding.BLOCK
        size = self.room * self.workers * self.words
        if len(self.states) < size:
            # In place where the C library can: big arrays are moved page by page, not copied.
            self.states.resize(size, refcheck=False)
        if self._most < self.total + more * self.workers:
            while self._most < self.total + more * self.workers:
                self.slots *= 2
            self._index()

    def move(self, moves: npt.NDArray[np.int64], words: int) -> None:
        """Bring all states into another layout, each at its place."""
        old, few = self.states, self.words
        if words != few:
            self.states = np.empty(self.room * self.workers * words, np.int64)
            self.words = words

        def some(worker: int) -> int:
            count = self.counts[worker]
            for start in range(0, count, 1 << 18):
                stop = min(start + (1 << 18), count)
                finding.move(old, self.states, moves, few, words, worker, self.workers, start, stop)
            return count

        self._each(some, self.total)
        self._index()

    def _index(self) -> None:
        """Make the table anew."""
        self.table = np.zeros(0, np.int64)  # two at a time would not fit
        self.table = np.zeros(self.slots, np.int64)
        self._each(self._fill, self.total)

    def _fill(self, worker: int) -> int:
        """Enter a worker's states into a new table, some at a time so that a signal is heard."""
        count = self.counts[worker]
        for start in range(0, count, 1 << 18):
            stop = min(start + (1 << 18), count)
            finding.fill(self.states, self.table, self.words, worker, self.workers, start, stop)
        return count

    def at(self, place: int) -> list[int]:
        """Give a packed state."""
        return [int(word) for word in self.states[place * self.words : (place + 1) * self.words]]
