"""Future footprints: the words that a thread may still use, which make persistent sets (Godefroid 1996).

A thread that goes on with a word which no other thread will ever use again needs no scheduling point there: nobody can
tell. That is so for much of what a vCPU does once its senders are past their posts. Only threads that never come back
to a local state are looked at (senders are such); of the others it is taken for granted that they may use everything.

More may be learnt of a thread than the search assumed; then it begins anew
(:class:`hosts.explorer.search.assumptions.AssumptionRefuted`). Up to the operation that contradicts, it was right, so
that it has come to that operation if any run does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from hosts.explorer.compiled import abi
from hosts.explorer.compiled.abi import EVERYTHING
from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model
from hosts.explorer.reduce.known_threads import KnownThreads

MOST: Final = 4000
"""Local states of a thread that is looked at; more are not worth the while."""


class Known(NamedTuple):
    """What is known of what may come."""

    uses: int
    writes: int
    """Words, as bit sets."""
    open: bool
    """Nothing is known yet of what comes behind one of the operations."""


class Footprints:
    """The futures of all threads. Assumptions stay as they are until the search begins anew."""

    def __init__(self, model: Model, options: Options) -> None:
        self._model = model
        self._active = options.reduce and options.fuse
        self.learnt: set[int] = set()
        """Threads of which something has been learnt since the last look."""
        self.stronger_known = False
        """Stronger assumptions are known by now."""
        self._assumed = [False] * len(model.threads)
        """By thread: whether anything is assumed."""
        self._endless: set[int] = set()
        """Threads that go round, or are too big to look at."""

    def commit(self, learnt: KnownThreads) -> None:
        """Assume that there is no more than what is known now."""
        learnt.future[:] = EVERYTHING
        self._assumed = [False] * len(self._model.threads)
        self.stronger_known = False
        self.learnt.clear()
        for thread in range(len(self._model.threads) if self._active else 0):
            if thread in self._endless:
                continue
            for number, (uses, writes, ahead) in self._known(learnt, thread).items():
                if not ahead:
                    learnt.future[number] = uses, writes
                    self._assumed[thread] = True

    def refuted(self, learnt: KnownThreads) -> bool:
        """Take note of what has been learnt; return whether something is more than it was taken for."""
        threads, self.learnt = sorted(self.learnt), set()
        return self._active and any(self._contradicted(learnt, thread) for thread in threads)

    def _contradicted(self, learnt: KnownThreads, thread: int) -> bool:
        future = learnt.future
        known = {} if thread in self._endless else self._known(learnt, thread)
        if not known:
            before, self._assumed[thread] = self._assumed[thread], False
            self._endless.add(thread)
            return before
        grown = False
        for number, (uses, writes, ahead) in known.items():
            assumed = future[number].tolist()
            if assumed != [EVERYTHING, EVERYTHING]:
                grown |= bool(uses & ~assumed[0] or writes & ~assumed[1])
            else:
                self.stronger_known |= not ahead
        return grown

    def _known(self, learnt: KnownThreads, thread: int) -> dict[int, Known]:
        """Return what is known of a thread, by operation; nothing of one that goes round, or is too big to look at."""
        order = straight(learnt, thread) if len(learnt.number[thread]) <= MOST else None
        known: dict[int, Known] = {}
        for number in order or ():
            operation = learnt.operation[number]
            after = [known[each] for each in following(learnt, number)]
            uses, writes = _used(self._model, operation)
            for each in after:
                uses |= each.uses
                writes |= each.writes
            ahead = not after and operation.kind != Op.END
            known[number] = Known(uses, writes, ahead or any(each.open for each in after))
        return known


def _used(model: Model, operation: Operation) -> tuple[int, int]:
    """Return the words that an operation uses, and those that it writes, as bit sets."""
    words = [operation.word] if operation.word >= 0 else []
    if operation.kind == Op.RESET:
        words = list(model.reset_families[operation.a])
    elif operation.kind == Op.QUIESCENT:
        words = list(model.terminated)
    uses = sum(1 << word for word in set(words) if word < abi.WIDE)
    return uses, 0 if operation.kind in (Op.LOAD, Op.GHOST_READ, Op.QUIESCENT) else uses


def straight(learnt: KnownThreads, thread: int) -> list[int] | None:
    """Return a thread's operations, each behind all that may follow; None if it can come back to one of them."""
    return later_first(learnt.number[thread].values(), lambda number: following(learnt, number))


def following(learnt: KnownThreads, number: int) -> list[int]:
    """Return the operations that are known to come right after one."""
    base = int(learnt.tables.operations[number, abi.BASE])
    edges = learnt.tables.edges[base : base + learnt.edges_of(learnt.operation[number])]
    return [edge & abi.NEXT_MASK for edge in edges.tolist() if edge >= 0]


def later_first(nodes: Iterable[int], after: Callable[[int], Iterable[int]]) -> list[int] | None:
    """Return nodes and all that can be reached from them, each behind those after it; None if there is a cycle."""
    done: dict[int, None] = {}
    for first in nodes:
        if first in done:
            continue
        under_way = {first}
        ways = [(first, iter(after(first)))]
        while ways:
            node, rest = ways[-1]
            for each in rest:
                if each in under_way:
                    return None
                if each not in done:
                    under_way.add(each)
                    ways.append((each, iter(after(each))))
                    break
            else:
                ways.pop()
                under_way.discard(node)
                done[node] = None
    return list(done)
