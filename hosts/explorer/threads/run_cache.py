"""A cache of runs of a thread's code, keyed by what each depended on, so that none is made twice.

A run from one operation to the next depends on the answer, on the frames that run, and on the private words that are
read before they are written: seldom on the whole stack, or on all words. In most local states the code has been run
before with all of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from hosts.explorer.model.operations import Operation
from hosts.explorer.threads.unbounded_loops import Passed


class Numbered(Protocol):
    """A frame that waits; equal ones have the same number."""

    @property
    def number(self) -> int:
        """Return the number."""


F = TypeVar("F", bound=Numbered)
Start = tuple[int, int, int, int]
"""The frame that runs on, the kind of the operation that is answered and its ``a``, the answer."""


class Run(NamedTuple):
    """The result of a run, independent of the rest of the thread's state."""

    ran: int
    """How many frames ran, or were returned to: the last of the stack."""
    frames: tuple[Any, ...]
    """What is in their place."""
    operation: Operation
    put: Mapping[int, int]
    """What own words hold that were written, by slot."""
    passed: Passed | None
    reads: set[int]
    writes: set[int]
    windows: int
    sighting: int
    round: bool

    def written(self, own: Sequence[int], first: Sequence[int]) -> list[int]:
        """Return own words with what was written; ``first``: what they hold at the start."""
        words = [*own, *first[len(own) :]]
        for slot, value in self.put.items():
            words[slot] = value
        return words


class Runs(Generic[F]):
    """The runs of one thread."""

    def __init__(self) -> None:
        self._known: dict[Start, dict[tuple[int, tuple[int, ...]], dict[tuple[int, ...], Run]]] = {}
        """By what they began with; by how many frames ran and which words counted; by those."""

    def add(self, start: Start, frames: Sequence[F], found: Mapping[int, int], run: Run) -> None:
        """Store a run; ``found``: the private words, by slot, that it read before it wrote them."""
        alike = self._known.setdefault(start, {}).setdefault((run.ran, tuple(found)), {})
        alike[(*[frame.number for frame in frames[len(frames) - run.ran :]], *found.values())] = run

    def find(self, start: Start, frames: Sequence[F], own: Sequence[int], first: Sequence[int]) -> Run | None:
        """Return the run from a local state, if it is known."""
        for (ran, slots), alike in self._known.get(start, {}).items():
            if ran <= len(frames):
                numbers = [frame.number for frame in frames[len(frames) - ran :]]
                run = alike.get((*numbers, *[own[slot] if slot < len(own) else first[slot] for slot in slots]))
                if run is not None:
                    return run
        return None
