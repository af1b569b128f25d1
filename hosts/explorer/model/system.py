"""The transition system that is searched: threads as automata over numbered words, and the initial memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn, Protocol

from hosts.explorer.model.operations import Operation


class Transition(NamedTuple):
    """Where a thread gets to from one local state by one answer."""

    local: int
    windows: int = 0
    """A bit for each race window entered on the way, and for each check that fired (hosts.explorer.model.entered)."""
    sighting: int = -1
    """The first check that fired on the way, as ``check * 256 + vector`` (vector 255: none), or -1."""
    round: bool = True
    """Whether the thread may have come round: on every cycle of its local states is an edge of which this holds.
    What comes by itself is not put off there (:mod:`hosts.explorer.compiled.lazy_flush`), so the fewer the better."""


class SourceLocation(NamedTuple):
    """Where in the source an operation stands, for people."""

    function: str
    file: str
    line: int
    text: str
    """The primitive's name with its word's, as ``READ_ONCE(vcpu.mode)``."""


class Thread(Protocol):
    """A thread as an automaton, learned as far as it has been asked. Local states are numbered from 0, the initial one.

    The operation of local state 0 is scheduled. From every local state a scheduled operation or END comes after
    finitely many others. A branch (CHOOSE) is answered by a number below ``a``, a load by the word's value.
    """

    def operation(self, local: int) -> Operation:
        """Return what the thread does in a local state."""

    def step(self, local: int, answer: int) -> Transition:
        """Return where an answer leads; runs the thread's code if nobody has asked before."""

    def place(self, where: int) -> SourceLocation:
        """Return the source location of an operation."""

    def may_wait(self, local: int) -> bool:
        """Return whether nothing would be different if an interrupt due at this point were taken at the next.

        As far as is known: what handlers do may yet turn out to be more. ``local`` is that of a POINT.
        """

    @property
    def handled(self) -> int:
        """Count what is known of handlers: as long as it stays the same, so does what :meth:`may_wait` tells."""

    def give_way(self, local: int) -> NoReturn:
        """See to it that others get their turn: from a local state on the thread has come to no scheduled operation.

        AbstractionRefuted; NotTerminating if the thread cannot be stopped there; Endless if the fault is the user's.
        """

    def __len__(self) -> int:
        """Count the local states known so far."""


class SymmetryClass(NamedTuple):
    """Threads that do the same, each to words of its own: exchanged for one another they make no difference."""

    threads: tuple[int, ...]
    words: tuple[tuple[int, ...], ...]
    """For each thread the shared words of which every thread has one, all in the same order."""


class AbstractionRefuted(Exception):  # noqa: N818 - nothing is wrong, the model is to be built anew
    """A thread did what the model had ruled out so far (wrote a constant, shared a private word): build the model anew.

    Whoever raises it has already noted what it learnt, so that the next model is right about it.
    """


class NotTerminating(Exception):  # noqa: N818 - what the thread is
    """A thread went on and on without letting others act."""

    def __init__(self, place: SourceLocation) -> None:
        super().__init__(f"{place.file}:{place.line}: {place.function} goes on for ever without letting others act")


@dataclass(frozen=True)
class Model:
    """A closed system."""

    threads: Sequence[Thread]
    names: Sequence[str]
    """Of the threads: ``pCPU 0``, ``P1``."""
    words: Sequence[str]
    """Names of the shared words; a word's number is its place here."""
    initial: Sequence[int]
    """What each word holds at the start."""
    vectors: Sequence[int] = ()
    """IPI vectors; a vector's number is its place here, and the higher number is acknowledged first."""
    deferrable: frozenset[int] = frozenset()
    """Numbers of the vectors that only points with ``a`` set take: nothing would be different at others."""
    buffer_flag_of: Sequence[int] = ()
    """For each word the thread whose mark it is, or -1: while that thread's store buffer holds anything, others see the
    mark with bit 0 set, as it stands behind those stores."""
    reset_families: Sequence[Sequence[int]] = ()
    terminated: Sequence[int] = ()
    """Words that say that a thread starts nothing more (see Op.QUIESCENT)."""
    obligations: Sequence[int] = field(default=())
    """Words that hold what is owed to a guest while not zero (the PIR): no fair cycle may keep one so."""
    interrupters: Sequence[int] = ()
    """By thread those that are taken from the start for ones that send it IPIs, as bit sets; none: nobody is."""
    symmetry_classes: Sequence[SymmetryClass] = ()
    single: Mapping[int, int] = field(default_factory=dict)
    """Words that one thread alone writes, and by stores alone, with that thread: some of these stores reach memory
    together, as nobody can tell (:mod:`hosts.explorer.model.store_merging`)."""
    looks: dict[int, int] = field(default_factory=dict)
    """Of these, how often all others together look at any of its thread's in any run; known as the search goes on."""
