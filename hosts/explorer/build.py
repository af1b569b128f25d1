"""Construction of the model: from a program and a scope to the threads, words and vectors of a transition system."""

from __future__ import annotations

from dataclasses import dataclass, field

from emu.machine import USER
from emu.mutations import Mutation
from emu.vectors import POSTED_INTR_WAKEUP_VECTOR
from hosts.explorer.initial_state import initial_words
from hosts.explorer.model.system import Model, Thread
from hosts.explorer.reduce.symmetry_candidates import align, equal_columns, groups
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.deferrable import deferrable_of
from hosts.explorer.threads.expected_sharing import expected_own, expected_shared
from hosts.explorer.threads.harness import Scope, drivers
from hosts.explorer.threads.history import ExactProtocol, ExactThread
from hosts.explorer.threads.machine_words import SILENT, World
from hosts.explorer.threads.primitives import direct
from hosts.explorer.threads.protocol import Protocol
from hosts.explorer.threads.symbols import word_name
from hosts.loader.program import Program


@dataclass
class Builder:
    """Builds models of one configuration; each is built with what the ones before it have refuted."""

    program: Program
    scope: Scope
    policy: int
    mutation: Mutation | None = None
    fold: bool = True
    exact: bool = False
    """Tell local states apart by the whole history of answers; needs a bound, as histories never repeat."""
    warm: bool = field(default=False, init=False)
    """Whether the machine has been walked about in (see :func:`warm_up`)."""
    world: World = field(init=False)
    protocol: Protocol = field(init=False)

    def __post_init__(self) -> None:
        """Load the protocol for this scope."""
        number = self.mutation.number if self.mutation is not None else 0
        initial = initial_words(self.scope, self.policy, number, self.program.own)
        pcpus, vcpus, tasks = self.scope.pcpus, self.scope.vcpus, self.scope.task_pcpus
        self.world = World.made(initial, pcpus, vcpus, number, fold=self.fold, tasks=tasks)
        for word in expected_shared(self.world.machine, self.scope):
            self.world.words.share(word, range(tasks))
        self.world.words.expect(expected_own(self.world.machine, self.scope))
        if tasks > 1:
            self.world.interrupted |= {(i, True) for i in range(tasks)}
            self.world.vectors = tuple(sorted({*self.world.vectors, POSTED_INTR_WAKEUP_VECTOR}))
        self.world.deferrable = deferrable_of(self.program) if not tasks else frozenset()
        self.world.rule = self.program.rule
        self.world.own = self.program.own
        self.protocol = Protocol(self.program, drivers(self.scope), direct(self.world))

    def _thread(self, number: int) -> Thread:
        if self.exact:
            functions = ExactProtocol(self.program, drivers(self.scope), self.world)
            return ExactThread(number, functions, f"thread_{number}", self.world)
        return Automaton(number, self.protocol, f"thread_{number}", self.world)

    def model(self) -> Model:
        """Return a new model, of whose threads nothing has been learnt."""
        world, pcpus, tasks = self.world, self.scope.pcpus, self.scope.task_pcpus
        self.cut_at(world.suspends)
        for group in self._symmetric:
            align(world, group)
        threads: list[Thread] = [self._thread(i) for i in range(self.scope.pcpus)]
        shared = list(world.words.shared)
        numbers = world.words.shared
        return Model(
            threads=threads,
            names=self.scope.names,
            words=[word_name(world.machine, word, world.own) for word in shared],
            initial=[world.words.initial.get(word, 0) for word in shared],
            vectors=world.vectors,
            deferrable=frozenset(world.vectors.index(vector) for vector in world.deferrable),
            buffer_flag_of=[world.folds.inside.get(word, -1) for word in shared],
            reset_families=[[numbers[word] for word in family if word in numbers] for family in world.folds.families],
            terminated=[numbers[SILENT]],
            obligations=[numbers[word] for word in self.obligations if word in numbers],
            symmetry_classes=groups(world, self._symmetric),
            interrupters=[(1 << pcpus) - 1] * tasks + [0] * (pcpus - tasks) if tasks > 1 else [],
            single={numbers[word]: owner for word, owner in world.words.single.items()},
        )

    def cut_at(self, more: frozenset[str]) -> None:
        """Cut the protocol at these primitives for private words, too, and at no others of them."""
        if more != self.protocol.more:
            self.protocol = Protocol(self.program, drivers(self.scope), direct(self.world), more)

    @property
    def obligations(self) -> list[int]:
        """Return the words that hold obligations: the PIRs, each of which must become 0 infinitely often.

        Where vCPUs are tasks there are none: nothing ticks, so that one that waits for a pCPU may wait for ever.
        """
        if self.scope.task_pcpus:
            return []
        return [self.world.machine.vcpus[v].pi_desc.pir[i] for v in range(self.scope.vcpus) for i in range(4)]

    @property
    def _symmetric(self) -> list[tuple[int, ...]]:
        """Return the candidates for symmetry: threads with equal columns; a user's code might tell them apart."""
        users = self.policy == USER or bool(self.program.replaced) or bool(self.program.own)
        return [] if self.exact or users else equal_columns(self.scope)
