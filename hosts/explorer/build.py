"""From a program and a scope to a model, and on to its search: again whenever a thread turns out to share a word."""

from __future__ import annotations

import functools
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from emu.machine import USER
from emu.mutations import Mutation
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.initial_state import initial_words
from hosts.explorer.model.semantics import Product
from hosts.explorer.model.system import Model, Options, Thread, Unstable
from hosts.explorer.reduce.symmetry_candidates import align, equal_columns, groups
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Progress, Result
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.deferrable import harmless_vectors
from hosts.explorer.threads.harness import Scope, drivers
from hosts.explorer.threads.history import ExactProtocol, ExactThread
from hosts.explorer.threads.machine_words import SILENT, VECTORS, World
from hosts.explorer.threads.primitives import direct
from hosts.explorer.threads.protocol import Protocol, cut_of
from hosts.explorer.threads.symbols import word_name
from hosts.explorer.threads.unbounded_loops import refuse_endless
from hosts.loader.program import Program


@dataclass
class Builder:
    """Makes models of one configuration; each knows what was learnt from those before it."""

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
        initial = initial_words(self.scope, self.policy, number)
        self.world = World.made(initial, self.scope.pcpus, self.scope.vcpus, number, fold=self.fold)
        self.world.harmless = harmless_of(self.program)
        self.world.rule = self.program.rule
        self.protocol = Protocol(self.program, drivers(self.scope), direct(self.world))

    def _thread(self, number: int) -> Thread:
        if self.exact:
            functions = ExactProtocol(self.program, drivers(self.scope), self.world)
            return ExactThread(number, functions, f"thread_{number}", self.world)
        return Automaton(number, self.protocol, f"thread_{number}", self.world)

    def model(self) -> Model:
        """Give a model with threads of which nothing has been learned yet."""
        world = self.world
        self.cut_at(world.suspends)
        for group in self._alike:
            align(world, group)
        threads: list[Thread] = [self._thread(i) for i in range(self.scope.pcpus)]
        shared = list(world.words.shared)
        numbers = world.words.shared
        return Model(
            threads=threads,
            names=self.scope.names,
            words=[word_name(world.machine, word) for word in shared],
            initial=[world.words.initial.get(word, 0) for word in shared],
            vectors=world.vectors,
            late=frozenset(world.vectors.index(vector) for vector in world.harmless),
            behind=[world.folds.inside.get(word, -1) for word in shared],
            renewed=[[numbers[word] for word in family if word in numbers] for family in world.folds.families],
            silent=[numbers[SILENT]],
            debt=[numbers[word] for word in self.debts if word in numbers],
            alike=groups(world, self._alike),
            single={numbers[word]: owner for word, owner in world.words.single.items()},
        )

    def cut_at(self, more: frozenset[str]) -> None:
        """Have the protocol cut at primitives for private words, too, and at no others of them."""
        if more != self.protocol.more:
            self.protocol = Protocol(self.program, drivers(self.scope), direct(self.world), more)

    @property
    def debts(self) -> list[int]:
        """Give the words that hold what is owed to guests."""
        return [self.world.machine.vcpus[v].pi_desc.pir[i] for v in range(self.scope.vcpus) for i in range(4)]

    @property
    def _alike(self) -> list[tuple[int, ...]]:
        """Give the threads that do the same; a user's rule might tell them apart."""
        return [] if self.exact or self.policy == USER else equal_columns(self.scope)


def harmless_of(program: Program) -> frozenset[int]:
    """Give the vectors whose handlers only count, worked out once for each program."""
    cut = cut_of(program)
    if cut.harmless is None:
        cut.harmless = harmless_vectors(program, VECTORS)
    return cut.harmless


def explore(
    builder: Builder,
    options: Options,
    progress: Callable[[Progress], bool] | None = None,
    learning: Learning | None = None,
) -> tuple[Result, Search, Model]:
    """Search, beginning anew as long as something shows that the model took a word for less than it is.

    With ``learning``, what an earlier search has learnt is not learnt again. ``options.seconds`` bound all of it.
    Endless if a loop of the user's own rule never ends, whatever the others do.
    """
    begun = time.monotonic()
    builder.world.eager = options.reduce
    known = learning.find(builder, options) if learning is not None else None
    if not builder.warm and not builder.exact:
        until = begun + WALKING_AT_MOST * options.seconds if options.seconds else math.inf
        warm_up(builder, options, lambda: time.monotonic() < until and _goes_on(progress, begun))
        builder.warm = True
    while True:
        try:
            model, learnt = known if known is not None else (builder.model(), None)
            search = Search(model, options, learnt)
            if learning is not None and known is None and not builder.exact:
                search.on_learnt = functools.partial(learning.pack, builder, model, search.learnt)
            result = search.run(progress, begun)
        except Unstable:
            known = None
            continue
        refuse_endless(builder.world)
        if options.progress_check and result.complete and result.violation is None and open_debts(builder, model):
            known = None
            continue
        result.seconds = time.monotonic() - begun
        if learning is not None:
            learning.keep(builder, options, search.packed)
        return result, search, model


def open_debts(builder: Builder, model: Model) -> bool:
    """Share the debts of which one thread alone knows if it goes round without paying; tell whether there were any.

    Whether somebody else lets it out of there, and whether that is fair, only the search for cycles can tell.
    """
    words = builder.world.words
    alone = [word for word in builder.debts if word not in words.shared]
    for word in alone:
        if any(isinstance(thread, Automaton) and thread.keeps(word) for thread in model.threads):
            words.open(word)
    return not words.shared.keys().isdisjoint(alone)


def _goes_on(progress: Callable[[Progress], bool] | None, begun: float) -> bool:
    """Show that something is being done, though no state has been searched yet; tell whether to go on."""
    return progress is None or progress(Progress(0, 0, 0, 0, time.monotonic() - begun, 0))


WALKING_AT_MOST: Final = 0.5
"""Share of the time that walking about may take: what it does not find out, the search does, and begins anew."""
WALKS: Final = 150
WALK_STEPS: Final = 200
NEAR_STATES: Final = 600


def warm_up(builder: Builder, options: Options, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Walk about at random and look at the nearest states, so that what is shared is known before the search begins."""
    draw = random.Random(1)
    product, left = None, WALKS
    while left >= 0 and goes_on():
        try:
            product = product or Product(builder.model(), options)
            if left:
                _walk(product, draw)
            else:
                _look_around(product)
            left -= 1
        except Unstable:
            product = None


def _walk(product: Product, draw: random.Random) -> None:
    state = product.initial()
    for _ in range(WALK_STEPS):
        agents = list(product.agents(state))
        draw.shuffle(agents)
        outcomes = next((found for agent in agents if (found := list(agent))), None)
        if outcomes is None:
            break
        state = draw.choice(outcomes).state


def _look_around(product: Product) -> None:
    near = [product.initial()]
    seen = set(near)
    for state in near:
        for outcome in product.outcomes(state):
            if outcome.state not in seen and len(near) < NEAR_STATES:
                seen.add(outcome.state)
                near.append(outcome.state)
