"""Storage of the visited states: packed states in the order found, and the hash table over them.

One array holds the states of all workers, in blocks that take turns; one table, which all of them fill.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from hosts.explorer.compiled import hash_table

FIRST_STATES: Final = 1 << 14
FIRST_SLOTS: Final = 1 << 15
MANY_SLOTS: Final = 1 << 27
"""From here on the table grows more slowly: it takes a GB. Making it anew costs as much as filling it."""
MAP_NORESERVE: Final = 0x4000
"""Which Python does not name: see mmap(2)."""
SPARE: Final = 16
"""How many times the room that is needed is asked for: what is not written to costs no memory."""

Each = Callable[[Callable[[int], int], int], object]


def reserved(words: int) -> npt.NDArray[np.int64]:
    """Return an array of zeros of at least so many words, in huge pages where there are any.

    States and remembered steps are looked at all over the place: small pages cost as much as the looks themselves.
    """
    for times in (SPARE, 1):
        try:
            memory = mmap.mmap(-1, words * 8 * times, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
        except OSError:
            continue  # the system promises no more than it has
        with contextlib.suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
        return np.frombuffer(memory, np.int64)
    raise MemoryError(f"no memory for {words * 8 >> 20} MB of states")


class Store:
    """States and table."""

    def __init__(self, words: int, workers: int, each: Each) -> None:
        """``each`` does something for every worker; it is told how many states there are."""
        self._each = each
        self.words = words
        self.workers = workers
        self.counts = [0] * workers
        self.room = FIRST_STATES
        self.states = reserved(self.room * workers * words)
        self.slots = FIRST_SLOTS
        self.table: npt.NDArray[np.int64] = np.zeros(self.slots, np.int64)

    @property
    def total(self) -> int:
        """Count the states."""
        return sum(self.counts)

    @property
    def places(self) -> int:
        """Count the places there is room for."""
        return self.room * self.workers

    @property
    def bytes(self) -> int:
        """Count the bytes of the states and of the table."""
        return self.total * self.words * 8 + self.table.nbytes

    @property
    def limits(self) -> list[int]:
        """Return how many states each worker may have before room has to be made."""
        share = (self._most - self.total) // self.workers
        return [min(self.room, count + share) for count in self.counts]

    @property
    def _most(self) -> int:
        """Return how many states the table takes before it gets slow."""
        return self.slots * 7 // 8

    def begin(self, packed: npt.NDArray[np.int64]) -> None:
        """Enter the first state."""
        self.states[: self.words] = packed
        self.counts[0] = 1
        hash_table.fill(self.states, self.table, _hashes(), self.words, 0, self.workers, 0, 1)

    def ensure(self, more: int) -> None:
        """Make room for so many more states of each worker."""
        need = max(self.counts) + more
        while self.room < need:
            self.room += max(self.room // 2, 1 << 14) + hash_table.BLOCK & ~hash_table.BLOCK
        size = self.room * self.workers * self.words
        if len(self.states) < size:
            few, self.states = self.states, reserved(size)
            self.states[: len(few)] = few
        if self._most < self.total + more * self.workers:
            while self._most < self.total + more * self.workers:
                self.slots *= 4 if self.slots < MANY_SLOTS else 2
            self._index()

    def move(self, moves: npt.NDArray[np.int64], words: int) -> None:
        """Bring all states into another layout, each at its place."""
        old, few = self.states, self.words
        if words != few:
            self.states = reserved(self.room * self.workers * words)
            self.words = words

        def some(worker: int) -> int:
            count, state = self.counts[worker], np.zeros(words, np.int64)
            for start in range(0, count, 1 << 18):
                stop = min(start + (1 << 18), count)
                hash_table.move(old, self.states, state, moves, few, worker, self.workers, start, stop)
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
        count, hashes = self.counts[worker], _hashes()
        for start in range(0, count, 1 << 18):
            stop = min(start + (1 << 18), count)
            hash_table.fill(self.states, self.table, hashes, self.words, worker, self.workers, start, stop)
        return count

    def at(self, place: int) -> list[int]:
        """Return a packed state."""
        return [int(word) for word in self.states[place * self.words : (place + 1) * self.words]]


def _hashes() -> npt.NDArray[np.int64]:
    return np.zeros(hash_table.BATCH, np.int64)
