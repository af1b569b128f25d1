"""Stores that reach memory together: nobody can tell, and buffers that are never drained stay finite."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product
from hosts.explorer.model.store_merging import Store, Waiting, held, left, superfluous
from hosts.explorer.model.system import Model, Transition
from hosts.explorer.search.bfs import Search
from tests.explore.models import Plain, Table, op, plain_search

MODELS, SLOW = 20, 4
VALUES = (0, 1, 2)


def findings(block: Sequence[Store], looks: int) -> set[tuple[object, ...]]:
    """Return all rows of no more than so many findings that can be put into the views of a block, the slow way."""
    views = [{(word, held(block, place, word)) for word in (0, 1)} for place in range(len(block))]
    found: set[tuple[object, ...]] = set()
    left_over: list[tuple[tuple[object, ...], int]] = [((), 0)]
    while left_over:
        row, place = left_over.pop()
        found.add(row)
        if len(row) < looks:
            ahead = range(place, len(views))
            left_over += [
                ((*row, one), next(i for i in ahead if one in views[i])) for one in set().union(*views[place:])
            ]
    return found


def test_what_is_left_tells_the_same_and_ends_the_same() -> None:
    """All short blocks of stores to one word or two, looked at up to three times."""
    fewer = 0
    for looks, length in itertools.product(range(4), range(1, 6)):
        for stores in itertools.product([(0, 1), (0, 2), (1, 1), (1, 2)], repeat=length):
            block = list(stores)
            while (span := superfluous(block, looks)) != (0, 0):
                del block[slice(*span)]
            if len(block) < length:
                fewer += 1
                assert all(held(block, len(block) - 1, word) == held(stores, length - 1, word) for word in (0, 1))
                assert findings(block, looks) == findings(stores, looks)
    assert fewer > 2000


@pytest.mark.parametrize("looks", [0, 1, 2, 3])
def test_a_block_stays_short_however_long_it_is_written(looks: int) -> None:
    """A value that comes and goes takes an entry for each look, and the last; two words take twice that, and some."""
    for stores, most in (((0, 1), (0, 0)), 1 + looks), (((0, 1), (1, 1), (0, 0), (1, 0)), 5 + 2 * looks):
        buffer: tuple[Store, ...] = ((2, 5),)
        for store in stores * 20:
            buffer = (*buffer, store)
            buffer = tuple(buffer[place] for place in left(buffer, dict.fromkeys((0, 1), looks)))
            assert len(buffer) <= 1 + most
        assert buffer[0] == (2, 5)
        assert buffer[-1] == stores[-1]


def test_all_that_was_left_out_reaches_memory_in_the_end() -> None:
    """Each store that is left takes others along; together they are all that there were."""
    waiting = Waiting({0: 1})
    stores = [(1, 5), (0, 1), (0, 2), (0, 1), (0, 2), (0, 1)]
    for store in stores:
        waiting.put(store)
    assert waiting.stores[-1][0] == (0, 1)
    assert len(waiting.stores) < len(stores)
    assert sum(waiting.drain() for _ in list(waiting.stores)) == len(stores)


def writer(rng: random.Random, *, goes_round: bool) -> Table:
    """Draw a thread that stores to words 0 and 1, which only it writes, and to 3, and loads word 2."""
    size = rng.randrange(3, 5) if goes_round else rng.randrange(5, 9)
    operations: list[Operation] = []
    for _ in range(size):
        word = rng.choice([0, 0, 0, 1, 1, 3]) if not goes_round else rng.randrange(2)
        store = op(Op.STORE, word, rng.choice(VALUES))
        operations.append(rng.choice([store, store, store, store, op(Op.LOAD, 2)]))
    edges: list[dict[int | None, Transition]] = [
        {None: Transition(local + 1)} | ({1: Transition(min(local + 2, size))} if operation.kind == Op.LOAD else {})
        for local, operation in enumerate(operations)
    ]
    operations += [op(Op.CHOOSE, a=2) if goes_round else op(Op.FENCE), op(Op.LOAD, 2)]
    edges += [
        {None: Transition(size + 1), 1: Transition(0 if goes_round else size + 1)},
        {None: Transition(size + 2), 1: Transition(size + 3)},
    ]
    return Table([*operations, Operation(Op.END), Operation(Op.END)], [*edges, {}, {}])


def reader(rng: random.Random, looks: int) -> Table:
    """Draw a thread that looks so often, ends in a place of its own for all it may see, and tells."""
    operations: list[Operation] = []
    edges: list[dict[int | None, Transition]] = []

    def grow(left_over: int) -> int:
        number = len(operations)
        operations.append(Operation(Op.END))
        edges.append({})
        if left_over == 0:
            return number
        tells = rng.random() < 0.5 and left_over > 1
        operations[number] = op(Op.XCHG, 2, 1) if tells else op(Op.LOAD, rng.choice([0, 0, 1, 3]))
        if tells:
            edges[number] = {None: Transition(grow(left_over - 1))}
        else:
            edges[number] = {value: Transition(grow(left_over - 1)) for value in VALUES}
        return number

    grow(looks)
    return Table(operations, edges)


def model_of(rng: random.Random, *, goes_round: bool) -> Model:
    """Draw a model."""
    looks = rng.choice([(3,), (4,), (1, 2), (2, 2)]) if not goes_round else rng.choice([(2,), (3,)])
    threads = [writer(rng, goes_round=goes_round), *(reader(rng, each) for each in looks)]
    words = [f"w{number}" for number in range(4)]
    return Model(threads, [f"T{number}" for number in range(len(threads))], words, [0] * 4)


def whole(model: Model, buffer: int) -> Plain:
    """Search every state with buffers of so many stores."""
    return plain_search(model, Options(buffer=buffer, reduce=False, progress_check=False), 10**6)


@pytest.mark.parametrize("reduce", [False, True])
def test_nobody_can_tell(*, reduce: bool) -> None:
    """The ends are those of buffers in which no store is left out; and many a buffer gets shorter."""
    rng = random.Random(11)
    shorter = begun_anew = 0
    for number in range(MODELS):
        model = model_of(rng, goes_round=False)
        found = whole(model, 10)
        assert not found.waited
        model = replace(model, single={0: 0, 1: 0})
        options = Options(buffer=8, reduce=reduce, progress_check=False, keep_finals=True)
        result = Search(model, options).run()
        assert result.complete
        assert result.finals == sorted(found.finals)
        shorter += result.longest_buffer < found.longest
        begun_anew += result.restarts
        if not reduce and number < SLOW:
            plain = plain_search(model, options, 10**6, merging=True)
            assert (result.states, result.transitions) == (plain.states, plain.transitions)
    assert shorter > MODELS // 4
    assert begun_anew > 0


def test_what_is_written_round_and_round_has_an_end() -> None:
    """A thread that stores in a loop for ever, without a fence: complete, with every end that long buffers give."""
    rng = random.Random(12)
    for _ in range(8):
        model = model_of(rng, goes_round=True)
        deep = whole(model, 7)
        options = Options(buffer=8, progress_check=False, keep_finals=True)
        assert deep.waited == Search(model, options).run().waited_for_buffer
        result = Search(replace(model, single={0: 0, 1: 0}), replace(options, buffer=14)).run()
        assert result.complete
        assert result.finals == sorted(deep.finals)


def test_who_looks_in_a_loop_leaves_nothing_out() -> None:
    """Nothing bounds how often it looks: a store waits for room, and the search says so."""
    stores = Table([op(Op.STORE, 0, 1), op(Op.STORE, 0, 0)], [{None: Transition(1)}, {None: Transition(0)}])
    looks = Table([op(Op.LOAD, 0)], [{None: Transition(0)}])
    model = Model([stores, looks], ["T0", "T1"], ["w"], [0], single={0: 0})
    assert Search(model, Options(progress_check=False)).run().bounded_by == ("buffer",)
    assert model.looks == {}


def test_the_way_to_a_violation_is_one_in_which_no_store_is_left_out() -> None:
    """Told move by move, it is one of the unbounded buffer's."""
    sees = Transition(2, sighting=0)
    stores = Table(
        [op(Op.STORE, 0, value) for value in (1, 2, 1, 2, 1, 2, 0)] + [op(Op.LOAD, 1), Operation(Op.END)],
        [*({None: Transition(local + 1)} for local in range(8)), {}],
    )
    tells = Table(
        [op(Op.STORE, 1, 1), op(Op.FENCE), op(Op.LOAD, 0), Operation(Op.END), Operation(Op.END)],
        [{None: Transition(1)}, {None: Transition(2)}, {None: Transition(3), 2: sees._replace(local=4)}, {}, {}],
    )
    model = Model([stores, tells], ["T0", "T1"], ["w", "told"], [0, 0], single={0: 0})
    search = Search(model, Options(buffer=3))
    violation = search.run().violation
    assert violation is not None
    assert search.result.longest_buffer <= 3
    product = Product(model, Options(buffer=3))
    state, sighting = product.initial(), -1
    for move in search.path():
        outcome = product.outcome(state, move)
        state, sighting = outcome.state, outcome.sighting
    assert sighting == violation.sighting
