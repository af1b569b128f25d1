"""A thread's first step and what comes after a sighting: the search rests where the product does."""

from __future__ import annotations

import pytest

from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Result
from tests.explore.models import Plain, Table, op, plain_search, straight

END = Operation(Op.END)
MANY = 10_000


def both(threads: tuple[Table, ...], options: Options) -> tuple[Result, Plain]:
    """Search, and walk the plain product."""
    model = Model(threads, [f"T{i}" for i in range(len(threads))], ["w0", "w1"], [0, 0], (0xEC,))
    return Search(model, options).run(), plain_search(model, options, MANY)


def sees_one(then: Operation) -> Table:
    """Return a thread that acts if it finds 1 in word 0."""
    return Table([op(Op.LOAD, 0), then, END], [{None: Transition(2), 1: Transition(1)}, {None: Transition(2)}, {}])


@pytest.mark.parametrize("reduce", [False, True])
def test_a_mark_before_a_point_is_seen_though_nobody_interrupts_there(*, reduce: bool) -> None:
    """The point is none, but the mark does not become part of the step behind it."""
    marks = straight(Operation(Op.GHOST_WRITE, 0, 1), op(Op.POINT), op(Op.XCHG, 0, 2))
    result, plain = both((marks, sees_one(op(Op.XCHG, 1, 1))), Options(1, reduce=reduce, keep_finals=True))
    assert result.finals == sorted(plain.finals)
    assert {memory for _, memory in result.finals} == {(2, 0), (2, 1)}


@pytest.mark.parametrize("reduce", [False, True])
def test_a_thread_may_begin_by_choosing(*, reduce: bool) -> None:
    """What instruments do before is part of that step, for each choice."""
    chooses = Table(
        [Operation(Op.GHOST_WRITE, 0, 1), op(Op.CHOOSE, a=2), op(Op.XCHG, 1, 1), END],
        [{None: Transition(1)}, {0: Transition(2), 1: Transition(3)}, {None: Transition(3)}, {}],
    )
    result, plain = both((chooses, sees_one(op(Op.XCHG, 1, 2))), Options(1, reduce=reduce, keep_finals=True))
    assert result.finals == sorted(plain.finals)
    assert reduce or result.states == plain.states


@pytest.mark.parametrize("reduce", [False, True])
def test_a_drain_behind_a_sighting_takes_no_instrument_along(*, reduce: bool) -> None:
    """The step ended in front of it: others may act between."""
    thread = Table(
        [op(Op.STORE, 0, 1), Operation(Op.GHOST_READ, 1), END],
        [{None: Transition(1, sighting=0)}, {None: Transition(2), 5: Transition(2, windows=1)}, {}],
    )
    options = Options(1, reduce=reduce, stop_at_first=False)
    result, plain = both((thread, sees_one(op(Op.XCHG, 1, 5))), options)
    assert result.windows == plain.windows == 1
