"""A store buffer in software: as x86 has it, flushed when the witness says so."""

from __future__ import annotations

from collections import deque

from hosts.replay.memory import Memory


class StoreBuffer:
    """The stores of one pCPU that the others do not see yet, the oldest first.

    ``waiting`` shows the readers of this pCPU's *inside* mark that the mark, too, stands behind such stores.
    """

    def __init__(self, memory: Memory, waiting: int, depth: int) -> None:
        """``waiting`` is the word that shows the others how many there are; a depth of 0 is no buffer at all."""
        self._memory = memory
        self._waiting = waiting
        self.depth = depth
        self._stores: deque[tuple[int, int]] = deque()

    def __len__(self) -> int:
        """Return the number of buffered stores."""
        return len(self._stores)

    @property
    def full(self) -> bool:
        """Return whether a further store has to wait for room."""
        return 0 < self.depth <= len(self._stores)

    def holds(self, word: int) -> bool:
        """Return whether a store to a word waits."""
        return any(waiting == word for waiting, _ in self._stores)

    def store(self, word: int, value: int) -> None:
        """Put a store behind the others."""
        if self.depth == 0:
            self._memory.write(word, value)
            return
        self._stores.append((word, value))
        self._publish()

    def load(self, word: int) -> int:
        """Read a word as its own pCPU does: the newest store to it that waits, else memory."""
        for waiting, value in reversed(self._stores):
            if waiting == word:
                return value
        return self._memory.read(word)

    def drain(self) -> tuple[int, int]:
        """Flush the oldest store to memory; return its word and value."""
        word, value = self._stores.popleft()
        self._memory.write(word, value)
        self._publish()
        return word, value

    def _publish(self) -> None:
        self._memory.write(self._waiting, len(self._stores))
