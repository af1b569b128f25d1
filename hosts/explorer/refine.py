"""The refinement loop: build a model, search it, and build it again when the search refutes what it assumed of a word.

Implements counterexample-guided abstraction refinement (Clarke et al. 2000): the abstraction is which words are shared
between threads. A random walk over the model finds most of the shared words before the first search.
"""

from __future__ import annotations

import functools
import math
import random
import time
from collections.abc import Callable
from typing import Final

from hosts.explorer.build import Builder
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product
from hosts.explorer.model.system import AbstractionRefuted, Model
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Progress, Result
from hosts.explorer.threads.automaton import Automaton
from hosts.explorer.threads.unbounded_loops import refuse_endless


def explore(
    builder: Builder,
    options: Options,
    progress: Callable[[Progress], bool] | None = None,
    learning: Learning | None = None,
) -> tuple[Result, Search, Model]:
    """Search, and build and search the model again as long as a thread refutes what was assumed of a word.

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
        except AbstractionRefuted:
            known = None
            continue
        refuse_endless(builder.world)
        if (
            options.progress_check
            and result.complete
            and result.violation is None
            and share_obligations(builder, model)
        ):
            known = None
            continue
        result.seconds = time.monotonic() - begun
        if learning is not None:
            learning.keep(builder, options, search.packed)
        return result, search, model


def share_obligations(builder: Builder, model: Model) -> bool:
    """Share the private obligations of a thread that can go round a loop without meeting them; return whether any.

    Whether another thread ends that loop, and whether the cycle is fair, only the search for cycles can tell.
    """
    words = builder.world.words
    alone = [word for word in builder.obligations if word not in words.shared]
    for word in alone:
        if any(isinstance(thread, Automaton) and thread.keeps(word) for thread in model.threads):
            words.open(word)
    return not words.shared.keys().isdisjoint(alone)


def _goes_on(progress: Callable[[Progress], bool] | None, begun: float) -> bool:
    """Report progress before any state has been searched; return whether to go on."""
    return progress is None or progress(Progress(0, 0, 0, 0, time.monotonic() - begun, 0))


WALKING_AT_MOST: Final = 0.5
"""Share of the time that the walks may take; what they do not find, the search does, and is repeated."""
WALKS: Final = 150
WALK_STEPS: Final = 200
NEAR_STATES: Final = 600


def warm_up(builder: Builder, options: Options, goes_on: Callable[[], bool] = lambda: True) -> None:
    """Seed the sharing analysis by random walks and the nearest states, before the search begins."""
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
        except AbstractionRefuted:
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
