"""Keyed threads and exact ones walked together; and builders of many configurations that load the protocol once."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import TypeVar

from emu.mutations import Mutation
from hosts.explorer.build import Builder
from hosts.explorer.initial_state import initial_words
from hosts.explorer.model.operations import Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Outcome, Product, State
from hosts.explorer.model.system import AbstractionRefuted, Model, SourceLocation, Transition
from hosts.explorer.model.without_handlers import WithoutHandlers
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.cfg import cut
from hosts.explorer.threads.harness import Scope, drivers
from hosts.explorer.threads.history import ExactProtocol, ExactThread
from hosts.explorer.threads.machine_words import World
from hosts.explorer.threads.primitives import direct
from hosts.explorer.threads.protocol import Protocol
from hosts.loader.program import Program, load_program

T = TypeVar("T")


@cache
def program() -> Program:
    """Load the protocol, once for all tests."""
    return load_program()


@cache
def _protocol() -> Protocol:
    """Cut its functions, once for all tests."""
    return Protocol(program(), {}, {})


def builder_of(scope: Scope, policy: int, mutation: Mutation | None, *, fold: bool = True) -> Builder:
    """Make what ``Builder(program(), scope, policy, mutation, fold)`` makes, in a tenth of the time."""
    made = Builder.__new__(Builder)
    made.program, made.scope, made.policy, made.mutation = program(), scope, policy, mutation
    made.fold, made.exact = fold, False
    number = mutation.number if mutation is not None else 0
    first, tasks = initial_words(scope, policy, number), scope.task_pcpus
    made.world = World.made(first, scope.pcpus, scope.vcpus, number, fold=fold, tasks=tasks)
    made.protocol = copy.copy(_protocol())
    made.protocol.suspending |= set(drivers(scope))
    made.protocol.flows = made.protocol.flows | {
        name: cut(tree, "<scope>", "scope", made.protocol.suspends, made.protocol.namespace)
        for name, tree in drivers(scope).items()
    }
    return _selected(made)


def variant_of(builder: Builder, policy: int, mutation: Mutation | None) -> Builder:
    """Return the builder of another policy and mutation that has learnt what this one has about words."""
    made = copy.copy(builder)
    made.policy, made.mutation = policy, mutation
    made.world = copy.deepcopy(builder.world)
    made.world.mutation = mutation.number if mutation is not None else 0
    made.world.words.initial = initial_words(builder.scope, policy, made.world.mutation)
    return _selected(made)


def _selected(builder: Builder) -> Builder:
    """Let the functions, which all builders share, ask for this builder's mutation."""
    builder.protocol.namespace.update(direct(builder.world))
    return builder


def until_stable(attempt: Callable[[], T]) -> T:
    """Try again for as long as something is learnt that the model had ruled out."""
    while True:
        try:
            return attempt()
        except AbstractionRefuted:
            continue


class DifferentError(AssertionError):
    """A keyed thread and an exact one do not do the same."""


class Pair(WithoutHandlers):
    """An exact thread, and at its side the keyed one, which must do the same at every step.

    Its local states are the exact ones; ``keyed_of`` gives the keyed state of each.
    """

    def __init__(self, exact: ExactThread, keyed: Automaton) -> None:
        self.exact = exact
        self.keyed = keyed
        self.keyed_of: list[int] = []
        self._note(0, 0)

    def __len__(self) -> int:
        return len(self.exact)

    def operation(self, local: int) -> Operation:
        """Return the exact thread's operation."""
        return self.exact.operation(local)

    def step(self, local: int, answer: int) -> Transition:
        """Go one step with both."""
        edge = self.exact.step(local, answer)
        other = self.keyed.step(self.keyed_of[local], answer)
        if edge[1:3] != other[1:3]:
            raise DifferentError(self._told(local), f"{answer=}: events {edge[1:3]} against {other[1:3]}")
        self._note(edge.local, other.local)
        return edge

    def place(self, where: int) -> SourceLocation:
        """Return the exact thread's place."""
        return self.exact.place(where)

    def _note(self, exact: int, keyed: int) -> None:
        if exact < len(self.keyed_of):
            if self.keyed_of[exact] != keyed:
                raise DifferentError(self._told(exact), f"{keyed} against {self.keyed_of[exact]} before")
            return
        assert exact == len(self.keyed_of)
        self.keyed_of.append(keyed)
        one, two = self.exact.operation(exact), self.keyed.operation(keyed)
        if one.kind != two.kind or (one.word, one.a, one.b, one.flags) != (two.word, two.a, two.b, two.flags):
            raise DifferentError(self._told(exact), f"{one} against {two}")
        if one.kind and self._stands(self.exact.place(one.where)) != self._stands(self.keyed.place(two.where)):
            raise DifferentError(self._told(exact), f"{self.exact.place(one.where)}, {self.keyed.place(two.where)}")

    def _stands(self, place: SourceLocation) -> tuple[str, int, str]:
        return place.function, place.line, place.text.partition("(")[0]

    def _told(self, exact: int) -> str:
        return f"thread {self.exact.number} after {self.exact.history(exact)}"

    def merged(self) -> int:
        """Count the histories that have been called the same as one before."""
        return len(self.keyed_of) - len(set(self.keyed_of))


def pairs_of(builder: Builder) -> tuple[Model, list[Pair]]:
    """Make a model of pairs."""
    model = builder.model()
    functions = ExactProtocol(builder.program, drivers(builder.scope), builder.world)
    pairs = [
        Pair(ExactThread(i, functions, f"thread_{i}", builder.world), keyed)
        for i, keyed in enumerate(model.threads)
        if isinstance(keyed, Automaton)
    ]
    return Model(**{**vars(model), "threads": pairs}), pairs


def projected(state: State, pairs: list[Pair]) -> State:
    """Put keyed local states in the place of exact ones."""
    return state._replace(locals=tuple(pair.keyed_of[local] for pair, local in zip(pairs, state.locals, strict=True)))


def levels(product: Product, most: int) -> Iterator[set[State]]:
    """Return the states at each depth, breadth first, as long as there are not more than so many."""
    level = {product.initial()}
    seen = set(level)
    while level and len(seen) <= most:
        yield level
        level = {outcome.state for state in level for outcome in product.outcomes(state)} - seen
        seen |= level


def walk(product: Product, draw: random.Random, steps: int) -> Iterator[Outcome]:
    """Walk about at random, one agent after the other for a while each, so that the walk gets somewhere."""
    state = product.initial()
    agent = 0
    for _ in range(steps):
        if draw.random() < 0.2:
            agent = draw.randrange(len(state.locals))
        outcomes = [*product.runs(state, agent)] if draw.random() < 0.8 else []
        outcomes = outcomes or list(product.outcomes(state))
        if not outcomes:
            return
        outcome = draw.choice(outcomes)
        yield outcome
        state = outcome.state


def learnt(model: Model, options: Options, draw: random.Random, near: int, walks: int, steps: int) -> None:
    """Let keyed threads see the nearest states and some that are far."""
    product = Product(model, options)
    for _ in levels(product, near):
        pass
    for _ in range(walks):
        for _ in walk(product, draw, steps):
            pass


def answers_of(keyed: Automaton) -> dict[int, list[int]]:
    """Return for each local state the answers that are known."""
    known: dict[int, list[int]] = {}
    for local, answer in keyed.edges:
        known.setdefault(local, []).append(answer)
    return known


def strolled(pair: Pair, draw: random.Random, steps: int) -> int:
    """Walk a pair along answers that the keyed thread knows, whatever came before; give how far."""
    local = 0
    known = answers_of(pair.keyed)
    for done in range(steps):
        answers = known.get(pair.keyed_of[local])
        if answers is None:
            return done
        local = pair.step(local, draw.choice(answers)).local
    return steps
