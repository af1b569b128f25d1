"""The cycle of a no-progress: walked where the search finds one, nowhere else, and fair whoever looks at it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hosts.explorer.counterexample.lasso import cycle_from, lasso_from
from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Move, Product, State
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.search.bfs import Search
from tests.explore.models import Table, op, random_model, straight

TSO = Options(progress_check=True)
MOST = 2_000
"""States of a random model that is small enough."""


def states_of(model: Model, options: Options) -> list[State]:
    """Return every state of a model; nothing if there are many."""
    product = Product(model, options)
    queue = [product.initial()]
    seen = set(queue)
    for state in queue:
        for outcome in product.outcomes(state):
            if outcome.state not in seen:
                seen.add(outcome.state)
                queue.append(outcome.state)
        if len(queue) > MOST:
            return []
    return queue


def is_fair_and_unpaid(model: Model, options: Options, start: State, moves: Sequence[Move]) -> bool:
    """Take the moves of a cycle, and look at each state: who could move all the time must have moved."""
    product = Product(model, options)
    states = [start]
    for move in moves:
        states.append(product.outcome(states[-1], move).state)
    able = [{outcome.move[:3] for outcome in product.outcomes(state)} for state in states]
    left_out = set.intersection(*able) - {move[:3] for move in moves}
    unpaid = any(all(state.memory[word] != 0 for state in states) for word in model.obligations)
    return bool(moves) and states[-1] == start and not left_out and unpaid


def test_random_models() -> None:
    """Where the search says no-progress a cycle is found at its end; where it says none, no state has one."""
    rng = random.Random(11)
    found = clean = 0
    while min(found, clean) < 12:
        model = replace(random_model(rng, loops=True), obligations=[rng.randrange(4)])
        options = Options(buffer=rng.choice([0, 2]), reduce=rng.random() < 0.5, max_states=MOST)
        states = states_of(model, options)
        if not states:
            continue
        search = Search(model, options)
        result = search.run()
        if result.violation is not None and result.violation.what == "no-progress":
            product = Product(model, options)
            state = product.initial()
            for move in search.path():
                state = product.outcome(state, move).state
            there, moves = lasso_from(model, options, state)
            for move in there:
                state = product.outcome(state, move).state
            assert is_fair_and_unpaid(model, options, state, moves)
            found += 1
        elif result.complete and result.violation is None:
            assert not any(cycle_from(model, options, state) for state in states[:: max(1, len(states) // 40)])
            clean += 1


def test_a_cycle_that_is_reached_a_step_later_is_told_with_the_way_there() -> None:
    """The search goes past a point to which nothing comes: it is round again in front of it, the product behind it."""
    looks = Table([op(Op.GHOST_READ, 0), op(Op.POINT)], [{None: Transition(1)}, {None: Transition(0)}])
    model = model_of(looks, initial=(0, 1))
    state = Product(model, TSO).initial()
    there, moves = lasso_from(model, TSO, state)
    assert (len(there), len(moves)) == (1, 1)
    assert is_fair_and_unpaid(model, TSO, Product(model, TSO).outcome(state, there[0]).state, moves)


def spinning(word: int) -> Table:
    """Return a thread that reads a word until it is not 0."""
    return Table([op(Op.LOAD, word), Operation(Op.END)], [{0: Transition(0), None: Transition(1)}, {}])


def model_of(*threads: Table, initial: Sequence[int], vectors: Sequence[int] = ()) -> Model:
    """Return a model whose second word is the debt."""
    names = [f"P{i}" for i in range(len(threads))]
    return Model(threads, names, ["x", "debt"], initial, vectors, obligations=[1])


def cycle_at_the_start(model: Model) -> list[Move]:
    """Look for a cycle through the initial state."""
    return cycle_from(model, TSO, Product(model, TSO).initial())


def test_everybody_takes_a_turn() -> None:
    """Two that spin are both in the cycle, and one that has ended need not be."""
    model = model_of(spinning(0), spinning(0), straight(), initial=(0, 1))
    assert {move.thread for move in cycle_at_the_start(model)} == {0, 1}


@pytest.mark.parametrize(
    "other", [straight(op(Op.STORE, 0, 1)), straight(op(Op.SEND, a=0, b=0))], ids=["buffer", "IPI"]
)
def test_who_has_to_move_on_ends_the_cycle(other: Table) -> None:
    """A thread that can only leave it, the store that it left in its buffer, the IPI that it sent."""
    model = model_of(spinning(0), other, initial=(0, 1), vectors=(242,))
    product = Product(model, TSO)
    state = product.initial()
    assert cycle_from(model, TSO, state) == []
    state = product.outcome(state, Move("run", 1)).state
    assert cycle_from(model, TSO, state) == []


def test_a_debt_that_is_paid_on_the_way_is_none() -> None:
    """The cycle must not pass through a state in which nothing is owed."""
    paying = Table([op(Op.XCHG, 1, 0), op(Op.XCHG, 1, 1)], [{None: Transition(1)}, {None: Transition(0)}])
    assert cycle_at_the_start(model_of(paying, initial=(0, 1))) == []
