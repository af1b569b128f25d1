"""Steps done before are recalled, and only where they would come out the same."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from hosts.explorer.compiled import abi
from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.search import workers
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.decode import state_of
from hosts.explorer.search.result import Result
from tests.explore.models import Table, op, random_model, straight

MODELS = 150
MOST_STATES = 4000


def worked(search: Search) -> int:
    """Count the steps that the last search worked out since its memory grew last."""
    return sum(int(work.counts[abi.C_WORKED]) for work in search.work)


def found(result: Result) -> tuple[object, ...]:
    """Return all that a search tells, but how long it took."""
    return (
        (result.states, result.transitions, result.depth, result.windows, result.branching),
        (result.waited_for_buffer, result.longest_buffer, result.finals, result.violations),
    )


@pytest.mark.parametrize("reduce", [False, True])
def test_what_is_remembered_changes_nothing(monkeypatch: pytest.MonkeyPatch, *, reduce: bool) -> None:
    """Random threads: the same states, moves, ends and violations as with room for a single step."""
    rng = random.Random(20)
    saved = 0
    for _ in range(MODELS):
        model = random_model(rng, loops=rng.random() < 0.4)
        options = Options(
            buffer=rng.randrange(4), reduce=reduce, fuse=rng.random() < 0.7, overtake=rng.random() < 0.5,
            stop_at_first=False, keep_finals=True, progress_check=False, max_states=MOST_STATES,
        )  # fmt: skip
        search = Search(model, options)
        usual = found(search.run())
        with monkeypatch.context() as patch:
            patch.setattr(workers, "RECORDS", (1,))
            forgetful = Search(model, options)
            assert found(forgetful.run()) == usual
        saved += worked(forgetful) - worked(search)
    assert saved > 1000


def test_a_step_is_worked_out_once_for_all_that_looks_the_same_to_its_thread() -> None:
    """Two threads that share nothing: as many steps as both have, however many states there are."""
    alone = [straight(*[op(Op.ADD, word, 1) for _ in range(6)]) for word in range(2)]
    model = Model(alone, ["T0", "T1"], ["x", "y"], [0, 0], ())
    search = Search(model, Options(reduce=False))
    result = search.run()
    assert result.states == 49
    assert worked(search) == 12


def test_a_word_that_a_step_uses_tells_states_apart() -> None:
    """The same step is worked out for each value, not for each state."""
    writer = straight(*[op(Op.ADD, 0, 1) for _ in range(3)])
    busy = straight(*[op(Op.ADD, 1, 1) for _ in range(5)])
    reader = straight(Operation(Op.LOAD, 0, flags=writer.operations[0].flags))
    model = Model([writer, busy, reader], ["W", "B", "R"], ["x", "y"], [0, 0], ())
    search = Search(model, Options(reduce=False, keep_finals=True))
    search.run()
    assert worked(search) == 3 + 5 + 4


def test_what_others_may_still_use_tells_states_apart() -> None:
    """A step goes on past a word that nobody else will use: not recalled where somebody still will."""
    first = straight(op(Op.ADD, 1, 1), op(Op.ADD, 0, 1), op(Op.ADD, 1, 1))
    other = straight(op(Op.ADD, 0, 1), op(Op.ADD, 1, 1), op(Op.ADD, 2, 1))
    model = Model([first, other], ["T0", "T1"], ["x", "y", "z"], [0, 0, 0], ())
    with_it = Search(model, Options(keep_finals=True)).run()
    without = Search(model, Options(keep_finals=True, reduce=False)).run()
    assert with_it.finals == without.finals
    assert with_it.states < without.states


def test_whether_all_who_may_interrupt_have_ended_tells_states_apart() -> None:
    """A step goes on past a point at which nothing will ever come, though it came to rest there from the first state.

    That the sender read 0 means that it ended first.
    """
    turned = Table(
        [op(Op.ADD, 1, 1), op(Op.POINT), op(Op.ADD, 0, 1), op(Op.ACK), Operation(Op.END)],
        [{None: Transition(1)}, {0: Transition(2), 1: Transition(3)}, {None: Transition(4)}, {None: Transition(2)}, {}],
    )
    sender = Table(
        [op(Op.CHOOSE, a=2), op(Op.SEND, a=0, b=0), op(Op.LOAD, 1), Operation(Op.END), Operation(Op.END)],
        [{0: Transition(1), 1: Transition(2)}, {None: Transition(4)}, {0: Transition(3), None: Transition(4)}, {}, {}],
    )
    search = Search(Model([turned, sender], ["T0", "T1"], ["x", "y"], [0, 0], (242,)), Options())
    search.run()
    found = {state_of(search.learnt, search.store.at(place)).locals for place in range(search.store.total)}
    assert (1, 4) in found
    assert (4, 3) in found
    assert (1, 3) not in found


def test_a_fair_cycle_is_found_though_its_steps_are_recalled() -> None:
    """That a thread comes round is remembered with its step."""
    turning = Table([op(Op.XCHG, 1, 0), op(Op.XCHG, 1, 0)], [{None: Transition(1)}, {None: Transition(0, round=True)}])
    model = Model([turning, straight(op(Op.ADD, 2, 1))], ["T0", "T1"], ["x", "y", "z"], [1, 0, 0], (), obligations=[0])
    for options in (Options(), replace(Options(), reduce=False)):
        result = Search(model, options).run()
        assert result.violation is not None
        assert result.violation.what == "no-progress"
