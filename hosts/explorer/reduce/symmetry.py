"""Symmetry of threads (Ip and Dill 1996): each step of one is compared with the same step of its equals.

So their local states, places to rest, values and stores get the same numbers, and a packed state can be sorted: what
one of them has in it, field by field, changes places with what another has (:mod:`hosts.explorer.compiled.canonical`).
"""

from __future__ import annotations

from collections.abc import Iterator

from hosts.explorer.model.operations import Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.state_vector import Name
from hosts.explorer.model.system import Model, SymmetryClass, Transition


class Symmetry:
    """The groups of a model, as long as nothing tells their members apart."""

    def __init__(self, model: Model, options: Options) -> None:
        self._model = model
        wanted = options.symmetry and options.fuse and not options.keep_finals
        self.groups = [each for each in model.symmetry_classes if _alike_at_first(model, each)] if wanted else []
        """Not where an instrument that asks one pCPU after the other can be met on its way, nor where ends are kept."""
        orbits = [orbit for group in self.groups for orbit in zip(*group.words, strict=True)]
        self.split = False
        """Some have been taken for different since the search began."""
        self._orbits = {word: orbit for orbit in orbits for word in orbit}

    def others(self, thread: int) -> tuple[int, ...]:
        """Return the threads that are like one."""
        if not self.groups:
            return ()
        found = next((group.threads for group in self.groups if thread in group.threads), ())
        return tuple(each for each in found if each != thread)

    def orbit(self, word: int) -> tuple[int, ...]:
        """Return the words that share the values of one, as each is its owner's same word; they do so for good."""
        return self._orbits.get(word, (word,))

    def differ(self, thread: int, local: int, answer: int, edge: Transition) -> bool:
        """Ask the others for the same step; return whether it is another one."""
        return any(
            self._model.threads[other].step(local, answer) != edge or not self._same(thread, other, edge.local)
            for other in self.others(thread)
        )

    def split_class(self, thread: int | None = None) -> None:
        """Take the threads like one, or all, for different from now on."""
        self.split = True
        self.groups = [] if thread is None else [each for each in self.groups if thread not in each.threads]

    def _same(self, one: int, other: int, local: int) -> bool:
        """Return whether two do the same, each to its own words."""
        group = next(group for group in self.groups if one in group.threads)
        return _do_the_same(self._model, group, one, other, local)

    def fields(self) -> Iterator[list[list[Name]]]:
        """Return for each group, member by member, what lies in a state of it."""
        for group in self.groups:
            rows = zip(group.threads, group.words, strict=True)
            yield [[("local", t), ("buffer", t), *(("word", word) for word in words)] for t, words in rows]


def _do_the_same(model: Model, group: SymmetryClass, one: int, other: int, local: int) -> bool:
    """Return whether what two threads do in a local state is the same, each to its own words."""
    first, second = (model.threads[thread].operation(local)._replace(where=0) for thread in (one, other))
    return _renamed(group, one, other, first) == second


def _renamed(group: SymmetryClass, one: int, other: int, operation: Operation) -> Operation:
    """Return what another thread would do: the same to the word of its own."""
    mine, theirs = (group.words[group.threads.index(thread)] for thread in (one, other))
    swap = dict(zip(mine, theirs, strict=True)) | dict(zip(theirs, mine, strict=True))
    return operation._replace(word=swap.get(operation.word, operation.word))


def _alike_at_first(model: Model, group: SymmetryClass) -> bool:
    """Return whether nothing tells the members apart at the start."""
    behind = tuple(model.buffer_flag_of) or (-1,) * len(model.words)
    for orbit in zip(*group.words, strict=True):
        marks = [behind[word] == thread for word, thread in zip(orbit, group.threads, strict=True)]
        owners = {behind[word] for word in orbit}
        if len({model.initial[word] for word in orbit}) > 1 or not (all(marks) or owners == {-1}):
            return False
    one, *others = group.threads
    return all(_do_the_same(model, group, one, other, 0) for other in others)
