"""Bounds on reads: how often, in any run, other threads read the words that one thread alone writes.

More may be learnt of a thread than the search assumed; then it begins anew, as for
:mod:`hosts.explorer.reduce.footprints`. Up to the look that is one too many, it was right, so that it has come to that
look if any run does.
"""

from __future__ import annotations

from typing import Final

from hosts.explorer.model.operations import Op
from hosts.explorer.model.system import Model
from hosts.explorer.reduce.footprints import following
from hosts.explorer.reduce.known_threads import KnownThreads

MANY: Final = 16
"""Reads that are too many to be a bound: as many as a loop takes."""


class ReadBounds:
    """Assumptions stay as they are until it begins anew."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._looked_at = -1

    def commit(self, learnt: KnownThreads) -> None:
        """Assume that there is no more than what is known now."""
        self._model.looks.clear()
        self._model.looks.update({word: looks for word, looks in self._known(learnt).items() if looks < MANY})

    def refuted(self, learnt: KnownThreads) -> bool:
        """Return whether somebody looks more often than was assumed."""
        if not self._model.single or self._looked_at == learnt.learnt:
            return False
        known = self._known(learnt)
        return any(known[word] > looks for word, looks in self._model.looks.items())

    def _known(self, learnt: KnownThreads) -> dict[int, int]:
        self._looked_at = learnt.learnt
        single = self._model.single
        found: dict[int, int] = {}
        for owner in set(single.values()):
            words = {word for word in single if single[word] == owner}
            others = (thread for thread in range(len(self._model.threads)) if thread != owner)
            found |= dict.fromkeys(words, sum(_most(learnt, thread, words) for thread in others))
        return found


def _most(learnt: KnownThreads, thread: int, words: set[int]) -> int:
    """Count a thread's looks at some words in a run that has most of them; MANY: as many, or more."""
    numbers = list(learnt.number[thread].values())
    looks = {number: int(_looks(learnt, number, words)) for number in numbers}
    if not any(looks.values()):
        return 0
    after = {number: following(learnt, number) for number in numbers}
    most = dict.fromkeys(numbers, 0)
    grown = True
    while grown:
        grown = False
        for number in reversed(numbers):
            now = min(looks[number] + max((most[each] for each in after[number]), default=0), MANY)
            grown |= now > most[number]
            most[number] = now
    return max(most.values())


def _looks(learnt: KnownThreads, number: int, words: set[int]) -> bool:
    operation = learnt.operation[number]
    return operation.kind in (Op.LOAD, Op.GHOST_READ) and operation.word in words
