"""The memory of a search: the packed states in the order found, and the hash table over them.

One array holds the states of all workers, in blocks that take turns; each worker has its own part of the table.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hosts.explorer import kernel

FIRST_STATES = 1 << 14
FIRST_SLOTS = 1 << 15


class Store:
    """States and table."""

    def __init__(self, words: int, workers: int, each: Callable[[Callable[[int], int]], object]) -> None:
        """``each`` does something for every worker."""
        self._each = each
        self.words = words
        self.workers = workers
        self.counts = [0] * workers
        self.room = FIRST_STATES
        self.states: npt.NDArray[np.int64] = np.empty(self.room * workers * words, np.int64)
        self.slots = FIRST_SLOTS
        self.table: npt.NDArray[np.int64] = np.zeros(self.slots * workers, np.int64)

    @property
    def total(self) -> int:
        """Count the states."""
        return sum(self.counts)

    @property
    def bytes(self) -> int:
        """Count the bytes of the states and of the table."""
        return self.total * self.words * 8 + self.table.nbytes

    @property
    def limit(self) -> int:
        """Tell how many states each worker may have before room has to be made."""
        return min(self.room, self.slots * 3 // 4)

    def begin(self, packed: npt.NDArray[np.int64]) -> None:
        """Enter the first state."""
        owner = self.owner(packed)
        at = int(kernel.place_of(0, owner, self.workers)) * self.words
        self.states[at : at + self.words] = packed
        self.counts[owner] = 1
        kernel.fill(self.states, self.table, self.words, owner, self.workers, 0, 1)

    def owner(self, packed: npt.NDArray[np.int64]) -> int:
        """Tell which worker owns a state."""
        return int(kernel.owner_of(kernel.hash_of(packed, 0, self.words), self.workers))

    def ensure(self, more: int) -> None:
        """Make room for so many more states of each worker."""
        need = max(self.counts) + more
        while self.room < need:
            self.room += max(self.room // 2, 1 << 14) + kernel.BLOCK & ~kernel.BLOCK
        size = self.room * self.workers * self.words
        if len(self.states) < size:
            # In place where the C library can: big arrays are moved page by page, not copied.
            self.states.resize(size, refcheck=False)
        if self.slots * 3 // 4 < need:
            while self.slots * 3 // 4 < need:
                self.slots *= 2
            self.table = np.zeros(self.slots * self.workers, np.int64)
            self._each(self._refill)

    def _refill(self, worker: int) -> int:
        """Enter a worker's states into a new table, some at a time so that a signal is heard."""
        count = self.counts[worker]
        for start in range(0, count, 1 << 18):
            stop = min(start + (1 << 18), count)
            kernel.fill(self.states, self.table, self.words, worker, self.workers, start, stop)
        return count

    def at(self, place: int) -> list[int]:
        """Give a packed state."""
        return [int(word) for word in self.states[place * self.words : (place + 1) * self.words]]
