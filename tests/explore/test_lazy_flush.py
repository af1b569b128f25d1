"""What comes by itself comes right before a step that notices: fewer states, the same ends, violations and cycles."""

from __future__ import annotations

import pytest

from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import State
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.decode import state_of
from hosts.explorer.search.result import Result
from tests.explore.models import Table, op, straight

END = Operation(Op.END)
BUSY = [op(Op.ADD, 1, 1) for _ in range(5)]
"""Steps on a word of all threads that notice nothing."""
TURNING = Table([op(Op.XCHG, 1, 0), op(Op.XCHG, 1, 0)], [{None: Transition(1)}, {None: Transition(0)}])
"""Uses that word for ever."""


def searched(*threads: Table, reduce: bool = True, debt: int = -1) -> Result:
    """Search a model of two words, the debt owed from the start, and one vector."""
    names = [f"T{number}" for number in range(len(threads))]
    initial = [int(debt == word) for word in range(3)]
    model = Model(threads, names, ["x", "y", "z"], initial, (242,), obligations=[debt] if debt >= 0 else [])
    return Search(model, Options(reduce=reduce, keep_finals=True)).run()


def both(*threads: Table) -> tuple[Result, Result]:
    """Search with the reduction and without."""
    with_it, without = searched(*threads), searched(*threads, reduce=False)
    assert with_it.complete
    assert with_it.finals == without.finals
    return with_it, without


def test_an_ipi_arrives_when_its_target_looks() -> None:
    """On the way to the look it makes no state of its own, however long that is."""
    sender = straight(op(Op.SEND, a=0, b=0), op(Op.ADD, 1, 1))
    near, _ = both(straight(op(Op.PENDING), *BUSY), sender)
    far, whole = both(straight(*BUSY, op(Op.PENDING)), sender)
    never, _ = both(straight(*BUSY), sender)
    assert far.states < whole.states * 0.75
    assert never.states < far.states < near.states


def test_a_store_reaches_memory_when_somebody_looks() -> None:
    """On the way to the look at its word it makes no state of its own."""
    storing = straight(op(Op.STORE, 0, 1), *(op(Op.LOAD, 1) for _ in range(4)), op(Op.LOAD, 2))
    late, whole = both(storing, straight(*BUSY, op(Op.LOAD, 0), op(Op.ADD, 2, 1)))
    assert late.states < whole.states * 0.75


def test_two_stores_to_a_word_come_in_either_order() -> None:
    """One waits at a fence, the other for nothing: it may come first all the same, and the fence's last."""
    fenced = straight(op(Op.STORE, 0, 1), op(Op.FENCE), op(Op.XCHG, 1, 1))
    waiting = Table(
        [op(Op.STORE, 0, 2), op(Op.LOAD, 1), END, END],
        [{None: Transition(1)}, {0: Transition(2), None: Transition(3)}, {}, {}],
    )
    reduced, _ = both(fenced, waiting)
    assert {memory[0] for locals_, memory in reduced.finals if locals_[1] == 3} == {1, 2}


def states_of(threads: list[Table]) -> list[State]:
    """Return the states that the reduced search finds in a model of two words and one vector."""
    search = Search(Model(threads, [f"T{t}" for t in range(len(threads))], ["x", "y"], [0, 0], (242,)), Options())
    search.run()
    return [state_of(search.learnt, search.store.at(place)) for place in range(search.store.total)]


def test_a_thread_that_has_ended_looks_at_nothing() -> None:
    """Where it read a word just before, a store to that need not come any more."""
    looking = Table([op(Op.LOAD, 0), END, END], [{0: Transition(1), None: Transition(2)}, {}, {}])
    storing = straight(op(Op.STORE, 0, 1), op(Op.LOAD, 1), op(Op.LOAD, 1))
    found = states_of([looking, storing, straight(op(Op.ADD, 1, 1))])
    early = [state for state in found if state.locals[0] == 1 and state.memory[0] == 1]
    assert {state.locals[1] for state in early} == {3}


@pytest.mark.parametrize("late", [op(Op.SEND, a=0, b=0), op(Op.STORE, 2, 1)], ids=["IPI", "store"])
def test_nothing_is_put_off_for_ever(late: Operation) -> None:
    """A thread goes round and notices neither; the cycle is fair, as both have come by then."""
    rounds = Table([op(Op.LOAD, 1), op(Op.LOAD, 1)], [{None: Transition(1)}, {None: Transition(0)}])
    result = searched(rounds, straight(late), TURNING, debt=0)
    assert result.violation is not None
    assert result.violation.what == "no-progress"


def test_what_must_come_on_the_way_round_ends_the_cycle() -> None:
    """A thread that spins until an IPI is there gets it: to wait for ever is not fair, however late it may come."""
    spinning = Table(
        [op(Op.LOAD, 1), op(Op.PENDING), op(Op.XCHG, 0, 0), END],
        [{None: Transition(1)}, {0: Transition(0), 1: Transition(2)}, {None: Transition(3)}, {}],
    )
    result = searched(spinning, straight(op(Op.SEND, a=0, b=0)), TURNING, debt=0)
    assert (result.complete, result.violation) == (True, None)
