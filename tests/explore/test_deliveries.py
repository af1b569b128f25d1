"""Deliveries, open windows and checks: what is left of their scheduling points leads to what all of them lead to.

The other tests of the search hold it against a definition that has the same scheduling points
(:mod:`tests.explore.models`). Here the definition has all of them: each operation is a step, and each interrupt point
takes whatever is pending.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from hosts.explorer.model.operations import BEGINS, SCHEDULED, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.search.bfs import Search
from tests.explore.deliveries import Line, Scripted, ToldTooMuch, random_deliveries
from tests.explore.models import Table, op, plain_search, straight

pytestmark = pytest.mark.timeout(300)

END = Operation(Op.END)
MOST = 20_000


class Seen(NamedTuple):
    """What a model comes to."""

    ends: set[tuple[object, ...]]
    """What the threads remember, with the memory."""
    windows: int
    """What checks have seen."""


def seen(model: Model, options: Options) -> Seen:
    """Search to the end."""
    result = Search(model, replace(options, stop_at_first=False, progress_check=False, keep_finals=True)).run()
    if not {*result.bounded_by} <= {"buffer"}:
        raise ToldTooMuch
    threads = [thread for thread in model.threads if isinstance(thread, Scripted)]
    ends = {
        (*(t.states[local] for t, local in zip(threads, locals_, strict=True)), memory)
        for locals_, memory in result.finals
    }
    return Seen(ends, result.windows)


def drawn(seed: int, count: int) -> Iterator[tuple[Model, Options, Seen]]:
    """Draw models, and what they come to if each operation is a step and each point takes everything."""
    rng = random.Random(seed)
    while count:
        model = random_deliveries(rng)
        options = Options(buffer=rng.randrange(3), overtake=rng.random() < 0.2)
        stepwise = replace(options, reduce=False, fuse=False, max_states=MOST)
        try:
            found = seen(replace(model, deferrable=frozenset()), stepwise)
        except ToldTooMuch:
            continue
        count -= 1
        yield model, options, found


@pytest.mark.parametrize(("seed", "count"), [(1, 80), pytest.param(2, 2000, marks=pytest.mark.slow)])
def test_scheduling_points_that_are_left_out_change_nothing(seed: int, count: int) -> None:
    """With steps merged, and with the partial order besides: the same ends, and the checks see the same."""
    told = 0
    for model, options, found in drawn(seed, count):
        assert seen(model, replace(options, reduce=False)) == found
        assert seen(model, options) == found
        told += found.windows.bit_count()
    assert told > count // 2


def test_the_comparison_notices_an_effect_that_comes_early_with_an_ipi() -> None:
    """Of these models enough differ if the access behind an IPI, which leaves early, has no scheduling point either."""
    noticed = 0
    for model, options, found in drawn(1, 80):
        for thread in model.threads:
            assert isinstance(thread, Scripted)
            thread.script = _hasty(thread.script)
        noticed += seen(model, replace(options, reduce=False)) != found
    assert noticed >= 3


def _hasty(script: list[Line]) -> list[Line]:
    """Return a script in which what comes right behind an IPI belongs to its step."""
    lines = list(script)
    for number, (before, line) in enumerate(itertools.pairwise(script), 1):
        if before.operation.kind == Op.SEND and line.operation.flags == SCHEDULED:
            lines[number] = replace(line, operation=line.operation._replace(flags=0))
    return lines


@pytest.mark.parametrize("reduce", [False, True])
def test_the_effect_behind_an_early_ipi_has_a_step_of_its_own(*, reduce: bool) -> None:
    """A delivery begins with its IPI: the target may take that and look before the second effect (a lost signal)."""
    delivery = straight(
        Operation(Op.GHOST_WRITE, 0, 1, 0, SCHEDULED | BEGINS),
        Operation(Op.SEND, a=1, b=0),
        op(Op.OR, 1, 1),
        Operation(Op.GHOST_WRITE, 0, 2),
    )
    target = Table(
        [op(Op.POINT, a=1), Operation(Op.ACK, a=1), op(Op.LOAD, 1), END, END, op(Op.LOAD, 1)],
        [
            {0: Transition(5), 1: Transition(1)},
            {None: Transition(2)},
            {0: Transition(3), None: Transition(4)},
            *({}, {}),
            {None: Transition(4)},
        ],
    )
    model = Model((delivery, target), ["delivery", "target"], ["mark", "flag"], [0, 0], (0xFD,))
    options = Options(1, reduce=reduce, keep_finals=True)
    ends = {locals_[1] for locals_, _ in Search(model, options).run().finals}
    assert ends == {locals_[1] for locals_, _ in plain_search(model, options).finals} == {3, 4}


def test_ipis_of_one_vector_are_merged_if_they_come_before_the_acknowledge() -> None:
    """Both are sent, one is taken, and nothing is on its way any more before the sender goes on: they came together."""
    sender = straight(op(Op.SEND, a=1, b=0), op(Op.SEND, a=1, b=0), op(Op.XCHG, 0, 1), op(Op.XCHG, 0, 2))
    look = [op(Op.LOAD, 0), op(Op.IN_FLIGHT), op(Op.PENDING), op(Op.LOAD, 0)]
    answers = [{wanted: Transition(3 + number), None: Transition(7)} for number, wanted in enumerate((1, 0, 0, 1))]
    target = Table(
        [op(Op.PENDING), Operation(Op.ACK, a=1), *look, END, END],
        [{0: Transition(7), 1: Transition(1)}, {None: Transition(2)}, *answers, {}, {}],
    )
    model = Model((sender, target), ["sender", "target"], ["x"], [0], (0xF2,))
    ends = []
    for reduce in (True, False):
        result = Search(model, Options(1, reduce=reduce, keep_finals=True)).run()
        ends.append({locals_ for locals_, _ in result.finals})
    assert ends[0] == ends[1]
    assert (4, 6) in ends[0]
