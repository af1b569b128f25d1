"""Independence of operations: which threads read, write and wait for which word (movers of Lipton 1975).

A store loses its scheduling point if nobody can tell whether it entered the buffer now or a little later, and the same
holds for what belongs to its step. That depends on what the other threads do, of which more is learnt as the search
goes on. When an assumption is refuted, the search starts again without it. That is enough: up to the first
operation that contradicts, the reduced search was right, so it finds that operation if any run has it.
"""

from __future__ import annotations

from hosts.explorer.model.operations import LOCKED, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model


class Independence:
    """Bit sets of threads, by word."""

    def __init__(self, model: Model, options: Options) -> None:
        self._model = model
        self._active = options.reduce
        words = len(model.words)
        self._behind = tuple(model.buffer_flag_of) or (-1,) * words
        self.readers = [0] * words
        self.writers = [0] * words
        self._peekers = [0] * words
        self._storers = [0] * words
        self._interrupters = list(model.interrupters) or [0] * len(model.threads)
        """By thread: those that send it IPIs which no point may leave to a later one."""
        self._watchers = 0
        """Threads that ask QUIESCENT."""
        self._assumed: set[tuple[int, int]] = set()
        """(thread, word): nobody else had to do with the word when a segment was found unseen."""
        self._committed: list[object] = []
        self._dirty = False

    def add(self, thread: int, operation: Operation) -> None:
        """Take note of an operation."""
        kind, word, bit = operation.kind, operation.word, 1 << thread
        before = self.writers[word] if word >= 0 else 0, self._watchers
        if kind in (Op.LOAD, Op.GHOST_READ) or kind in LOCKED:
            self._dirty |= not self.readers[word] & bit or (kind == Op.GHOST_READ and not self._peekers[word] & bit)
            self.readers[word] |= bit
            if kind == Op.GHOST_READ:
                self._peekers[word] |= bit
        if kind in (Op.STORE, Op.GHOST_WRITE, Op.GHOST_ADD) or kind in LOCKED:
            self.writers[word] |= bit
            if kind == Op.STORE:
                self._dirty |= not self._storers[word] & bit
                self._storers[word] |= bit
        if kind == Op.SEND and operation.b not in self._model.deferrable:
            self._dirty |= not self._interrupters[operation.a] & bit
            self._interrupters[operation.a] |= bit
        if kind == Op.RESET:
            for each in self._model.reset_families[operation.a]:
                self._dirty |= not self.writers[each] & bit
                self.writers[each] |= bit
        if kind == Op.QUIESCENT:
            self._watchers |= bit
            for each in self._model.terminated:
                self._dirty |= not self.readers[each] & bit
                self.readers[each] |= bit
        self._dirty |= before != ((self.writers[word] if word >= 0 else 0), self._watchers)

    @property
    def changed(self) -> bool:
        """Return whether an assumption has been refuted since the layout."""
        if not self._active or not self._dirty:
            return False
        self._dirty = False
        return self._now() != self._committed or any(not self._private(*each) for each in self._assumed)

    def commit(self) -> None:
        """Assume that there is no more than what is known now."""
        self._assumed.clear()
        self._dirty = False
        self._committed = self._now()

    def _now(self) -> list[object]:
        threads = range(len(self._model.threads))
        by_thread = [(self.watched(t), self.tied(t), self.guards(t), self.own_terminated(t)) for t in threads]
        return [*by_thread, tuple(self._interrupters)]

    def interrupters(self, thread: int) -> int:
        """Return the threads that may interrupt one at any of its points, as a bit set."""
        return self._interrupters[thread]

    def guards(self, thread: int) -> list[int]:
        """Return a thread's marks that others look at: they see its buffer, unless bit 0 is set anyway."""
        others = ~(1 << thread)
        return [word for word, owner in enumerate(self._behind) if owner == thread and self._peekers[word] & others]

    def tied(self, thread: int) -> bool:
        """Return whether a mark of a thread can change when the thread itself does not move."""
        others = ~(1 << thread)
        return any(self.writers[word] & others or self._storers[word] for word in self.guards(thread))

    def watched(self, thread: int) -> bool:
        """Return whether another thread asks QUIESCENT, which sees this one's buffer."""
        return self._watchers & ~(1 << thread) != 0

    def own_terminated(self, thread: int) -> list[int]:
        """Return the silent words that only this thread writes: while one is not 1, QUIESCENT is 0 anyway."""
        return [word for word in self._model.terminated if not self.writers[word] & ~(1 << thread)]

    def invisible(self, thread: int, operation: Operation) -> bool:
        """Return whether the other threads, the buffers and the IPIs cannot tell when an operation is done."""
        kind = operation.kind
        if kind in (Op.STORE, Op.FENCE, Op.YIELD):
            return True
        if kind == Op.GHOST_WRITE:
            words = [operation.word]
        elif kind == Op.RESET:
            words = list(self._model.reset_families[operation.a])
        else:
            return False
        private = all(self._private(thread, word) for word in words)
        if private:
            self._assumed.update((thread, word) for word in words)
        return private

    def _private(self, thread: int, word: int) -> bool:
        if word in self._model.obligations or word in self._model.terminated or self._storers[word]:
            return False
        return not (self.readers[word] | self.writers[word]) & ~(1 << thread)
