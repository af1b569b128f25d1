"""The machine that the threads of a model share, as far as it is known: words, vectors, and who takes interrupts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

from emu.machine import MAX_PCPUS, Machine, Vcpu
from emu.memory import WORD_BYTES
from emu.vectors import DEVICE_VECTOR, POSTED_INTR_VECTOR, RESCHEDULE_VECTOR
from hosts.explorer.model.system import AbstractionRefuted
from hosts.explorer.threads.abstraction import Folding, Role, folding
from hosts.explorer.threads.continuations import Continuations
from hosts.explorer.threads.sharing import Words
from hosts.loader.own.declared import NOTHING_OWN, Own
from hosts.word64 import BASE

VECTORS: Final = tuple(sorted((DEVICE_VECTOR, POSTED_INTR_VECTOR, RESCHEDULE_VECTOR)))
"""What travels as an IPI in the scenarios; whatever else a rule or a mutation sends is found out on the way."""


FIRST_VCPU: Final = Machine(BASE).vcpus[0].at
SILENT: Final = -WORD_BYTES
"""The address, outside of the machine, of the word that counts the threads that start nothing more: 1 when all do."""


_FLAGS: Final = 2 * MAX_PCPUS
HERE: Final = SILENT - WORD_BYTES * 2 * _FLAGS
"""The address of what stands for the number of the pCPU that runs a piece of code."""


def over_word(user: int) -> int:
    """Return the address of the flag that the run of a thread, or of a task, is over."""
    return SILENT - WORD_BYTES * (user + 1)


def current_word(thread: int) -> int:
    """Return the address of the word that says which task runs on a thread: 1 + its vCPU's number, or 0."""
    return SILENT - WORD_BYTES * (_FLAGS + thread + 1)


class Touched(NamedTuple):
    """Private words that a piece of code reads and writes."""

    reads: set[int]
    writes: set[int]


@dataclass
class World:
    """What is known of one machine; it grows while automata are learnt, and outlives them."""

    machine: Machine
    pcpus: int
    vcpus: int
    words: Words
    folds: Folding
    mutation: int
    eager: bool = True
    """Two reductions. An IPI of a delivery leaves in the step before: its arrival is free, and who sends is *inside*
    until it has left, so sending early and arriving late is the same to everybody. What comes behind it may not come
    early with it: it is an effect, and ends the step of a mark that begins. And an interrupt whose handler does nothing
    is taken at the last point of an open window: at any point before, nothing would be different. For that nobody may
    look within an open window at what is on its way: an interrupt that waits for the last point is, and would be an
    excuse that it is not if it has been taken. All checks are made with interrupts off (a test looks)."""
    vectors: tuple[int, ...] = VECTORS
    """What travels as an IPI, as far as is known; the highest is acknowledged first."""
    deferrable: frozenset[int] = frozenset()
    """Vectors whose handlers in root mode do nothing but count (see hosts.explorer.threads.deferrable)."""
    forget: bool = True
    """Reduction: a local that no later block reads is no part of a local state."""
    interrupted: set[tuple[int, bool]] = field(default_factory=set)
    """Threads that somebody sends IPIs to, with whether those have handlers that do something."""
    uninterrupted: set[tuple[int, bool]] = field(default_factory=set)
    """Threads of which something has been learned as if nobody did."""
    slots: list[dict[int, int]] = field(default_factory=list)
    """For each thread the places of its own words among them, by address."""
    spots: dict[tuple[str, int, int], int] = field(default_factory=dict)
    """Numbers of the places that frames can wait at: function, block, call."""
    breathers: set[tuple[str, int]] = field(default_factory=set)
    """Loops, by function and block, in whose turns others may act (:mod:`hosts.explorer.threads.unbounded_loops`)."""
    guides: dict[int, int] = field(default_factory=dict)
    """Private words of pCPUs that the explorer itself goes by, with their threads: no other thread may write them."""
    suspends: frozenset[str] = frozenset()
    """Primitives for private words that are operations like others here, as others use such words too."""
    rule: frozenset[str] = frozenset()
    """The functions of the user's own rule."""
    own: Own = NOTHING_OWN
    """What the user's code brings along."""
    suspects: list[tuple[str, int, int, frozenset[int]]] = field(default_factory=list)
    """Loops of the user's (file and line), with the thread and the words that nobody else was known to use."""
    renewers: list[set[int]] = field(default_factory=list)
    """For each family of notes the users that renew it."""
    tasks: int = 0
    """How many pCPUs run vCPUs as tasks; 0: each of the first ones runs one vCPU for ever, on its own stack."""
    handlers: Touched = field(default_factory=lambda: Touched(set(), set()))
    """What handlers of interrupts do to words that are a thread's or a task's own, on any thread."""
    continuations: Continuations = field(default_factory=Continuations)
    """Of suspended tasks."""

    @classmethod
    def made(
        cls, initial: dict[int, int], pcpus: int, vcpus: int, mutation: int, *, fold: bool, tasks: int = 0
    ) -> World:
        """Make the world of a machine with its power-on words."""
        machine = Machine(BASE)
        folds = folding(machine, pcpus, vcpus, fold=fold)
        words = Words(initial)
        words.share(SILENT, range(pcpus))
        if vcpus > 1 or tasks:  # a sleeper whose waker is not known yet would seem never to come to an end
            for v in range(vcpus):
                words.share(machine.vcpus[v].wait.state, range(pcpus))
        for v in range(vcpus):  # C7 looks at them, but so seldom that a search would begin anew late
            words.read.update(int(machine.vcpus[v].untold[i]) for i in range(pcpus))
        words.read.update(current_word(i) for i in range(tasks))
        words.grows = tasks > 0
        made = cls(machine, pcpus, vcpus, words, folds, mutation, tasks=tasks)
        for i in range(pcpus):
            irq = machine.pcpus[i].irq
            made.guides |= {int(irq.enabled): i, int(irq.inside_depth): i}
        made.slots = [{} for _ in range(pcpus)]
        made.renewers = [set() for _ in range(vcpus)]
        return made

    @property
    def serving(self) -> int:
        """How many pCPUs run vCPUs: the others are the ones that fall silent first."""
        return self.tasks or self.vcpus

    def vcpu_of(self, word: int) -> int:
        """Return the number of the vCPU to which a word belongs, or -1."""
        number = (word - FIRST_VCPU) // Vcpu.nbytes
        return number if 0 <= number < self.vcpus else -1

    def use(self, user: int, word: int, *, write: bool) -> int:
        """Note the use of a word by a thread, or by a task (:meth:`~hosts.explorer.threads.memory.Access.user`).

        What is a note of a generation is used by those who renew it too.
        """
        kind = self.words.use(user, word, write=write)
        role = self.folds.of(word)
        if role.role == Role.UNTOLD:
            for other in self.renewers[role.number]:
                self.words.use(other, word, write=True)
            return self.words.kind(word)
        return kind

    def renew(self, user: int, family: int) -> list[int]:
        """Record that somebody resets a family of words; return those of it that nobody else uses."""
        self.renewers[family].add(user)
        used = [word for word in self.folds.families[family] if word in self.words.users]
        for word in used:
            self.words.use(user, word, write=True)
        return [word for word in used if word not in self.words.shared]

    def suspend(self, primitive: str) -> NoReturn:
        """Cut the protocol at a primitive for private words, too; AbstractionRefuted."""
        self.suspends |= {primitive}
        raise AbstractionRefuted(primitive)

    def number_of(self, vector: int, is_deferrable: Callable[[int], bool]) -> int:
        """Return the number of a vector that is sent; AbstractionRefuted if nobody has sent it before."""
        if vector not in self.vectors:
            self.vectors = tuple(sorted((*self.vectors, vector)))
            self.deferrable |= {vector} if is_deferrable(vector) else set()
            raise AbstractionRefuted(vector)
        return self.vectors.index(vector)

    def interrupts(self, target: int, vector: int) -> None:
        """Record that a thread is sent an IPI."""
        kind = (target, vector not in self.deferrable)
        self.interrupted.add(kind)
        if kind in self.uninterrupted:
            self.uninterrupted.discard(kind)
            raise AbstractionRefuted(target)

    def has_point(self, thread: int, *, last: bool) -> bool:
        """Return whether a thread is known to take interrupts at a point; ``last``: the last one of an open window."""
        return self._is_interrupted(thread, harm=True) or (
            (last or not self.eager) and self._is_interrupted(thread, harm=False)
        )

    def with_points(self, *, last: bool) -> tuple[int, ...]:
        """Return the threads that take interrupts at every point, or those that do at the last of an open window."""
        every = {thread for thread, harm in self.interrupted if harm or not self.eager}
        return tuple(sorted({thread for thread, _ in self.interrupted} - every if last else every))

    def _is_interrupted(self, thread: int, *, harm: bool) -> bool:
        kind = (thread, harm)
        if kind in self.interrupted:
            return True
        self.uninterrupted.add(kind)
        return False
