"""Small systems whose behaviour is known: store buffering, bounds, deadlock, fairness, values, wide fields."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from hosts.explorer.model.operations import SCHEDULED, Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product
from hosts.explorer.model.system import Model, NotTerminating, Transition
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Progress
from tests.explore.models import Table, op, plain_search, random_model, straight

TOP = -(1 << 63)


def model_of(*threads: Table, words: int = 2, initial: tuple[int, ...] | None = None, **more: object) -> Model:
    """Return a model of some words."""
    names = [f"T{number}" for number in range(len(threads))]
    first = list(initial or [0] * words)
    return Model(threads, names, [f"w{number}" for number in range(words)], first, **more)  # type: ignore[arg-type]


def reader(*operations: Operation, values: tuple[int, ...] = (0, 1)) -> Table:
    """Return a thread that ends in a local state of its own for each value its last load may give."""
    last = len(operations) - 1
    ends = [Operation(Op.END) for _ in values]
    edges: list[dict[int | None, Transition]] = [{None: Transition(local + 1)} for local in range(last)]
    edges.append({value: Transition(last + 1 + number) for number, value in enumerate(values)})
    return Table([*operations, *ends], [*edges, *({} for _ in values)])


@pytest.mark.parametrize("reduce", [False, True])
@pytest.mark.parametrize(("buffer", "fence", "ends"), [(0, False, 3), (4, False, 4), (4, True, 3), (0, True, 3)])
def test_store_buffering(*, buffer: int, fence: bool, ends: int, reduce: bool) -> None:
    """Both loads may miss the other's store with a store buffer, and not with a fence in between."""
    between = [op(Op.FENCE)] if fence else []
    one = reader(op(Op.STORE, 0, 1), *between, op(Op.LOAD, 1))
    other = reader(op(Op.STORE, 1, 1), *between, op(Op.LOAD, 0))
    result = Search(model_of(one, other), Options(buffer=buffer, reduce=reduce, keep_finals=True)).run()
    assert result.complete
    assert len(result.finals) == ends
    both_missed = tuple(len(table) - 2 for table in (one, other))
    assert (both_missed in {locals_ for locals_, _ in result.finals}) == (ends == 4)


def test_a_store_that_waits_for_a_full_buffer_bounds_the_search() -> None:
    """Complete is said only if the buffers were deep enough."""
    model = model_of(straight(op(Op.STORE, 0, 1), op(Op.STORE, 1, 1)), straight(op(Op.LOAD, 0)))
    short = Search(model, Options(buffer=1)).run()
    assert (short.complete, short.bounded_by, short.waited_for_buffer) == (False, ("buffer",), True)
    deep = Search(model, Options(buffer=2)).run()
    assert (deep.complete, deep.bounded_by, deep.longest_buffer) == (True, (), 2)


def test_a_buffer_that_no_field_has_room_for_bounds_the_search_too() -> None:
    """Entries of five bits, or of fewer as long as fewer stores are known: sixteen find no room."""
    storing = straight(*(op(Op.STORE, 0, number) for number in range(1, 17)))
    result = Search(model_of(storing, straight(op(Op.LOAD, 0))), Options(buffer=16, reduce=False)).run()
    assert (result.complete, result.bounded_by) == (False, ("buffer",))
    assert 12 <= result.longest_buffer < 16


def big_model() -> Model:
    """Return a model of some ten thousand states."""
    threads = [straight(*(op(Op.ADD, word, 1) for _ in range(24))) for word in (0, 1, 0)]
    return model_of(*threads)


def test_each_bound_is_named() -> None:
    """States, memory, seconds, and the caller's word."""
    model = big_model()
    assert Search(model, Options()).run().complete
    assert Search(model, Options(max_states=500)).run().bounded_by == ("states",)
    assert Search(model, Options(max_bytes=1000)).run().bounded_by == ("memory",)
    assert Search(model, Options(seconds=1e-6)).run().bounded_by == ("seconds",)


def test_progress_is_told_and_may_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback sees numbers that grow; False ends the search, which says so."""
    monkeypatch.setattr("hosts.explorer.search.bfs.REPORT_SECONDS", 0.0)
    seen: list[Progress] = []

    def look(progress: Progress) -> bool:
        seen.append(progress)
        return len(seen) < 5

    result = Search(big_model(), Options()).run(look)
    assert (result.complete, result.bounded_by) == (False, ("cancelled",))
    assert [each.states for each in seen] == sorted(each.states for each in seen)
    assert result.states >= seen[-1].states > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bigger_search_with_threads(workers: int) -> None:
    """Two real threads find what one finds: 25 x 25 x 25 counters and their sums."""
    result = Search(big_model(), Options(workers=workers, reduce=False)).run()
    assert (result.states, result.transitions, result.depth) == (25**3, 3 * 24 * 25**2, 72)


def test_a_deadlock_is_found_at_its_depth() -> None:
    """Fusing makes a point wait together with what comes after it: one step, not possible, is a deadlock."""
    stuck = [Operation(Op.STORE, 0, 1, 0, SCHEDULED), op(Op.CHOOSE, a=0)]
    search = Search(model_of(straight(*stuck), straight(op(Op.LOAD, 0))), Options(reduce=False))
    violation = search.run().violation
    assert violation is not None
    assert (violation.what, violation.depth, len(search.path())) == ("deadlock", 3, 3)


def spinning(word: int) -> Table:
    """Return a thread that reads a word until it is not 0."""
    return Table([op(Op.LOAD, word), Operation(Op.END)], [{0: Transition(0), None: Transition(1)}, {}])


def test_a_store_that_waits_is_no_lack_of_progress() -> None:
    """The reader may spin while the store waits; a fair buffer drains some time."""
    model = model_of(straight(op(Op.STORE, 0, 1)), spinning(0), initial=(0, 1), obligations=[1])
    assert Search(model, Options()).run().violation is None


def test_an_interrupt_in_flight_is_no_lack_of_progress() -> None:
    """The poller may poll while the IPI flies; a fair IPI arrives some time."""
    poll = Table([op(Op.PENDING), Operation(Op.END)], [{0: Transition(0), 1: Transition(1)}, {}])
    model = model_of(straight(op(Op.SEND, a=1, b=0)), poll, initial=(1, 0), obligations=[0], vectors=(242,))
    assert Search(model, Options()).run().violation is None


def test_spinning_for_ever_with_a_debt_is_a_lack_of_progress() -> None:
    """Nobody ever stores: the reader spins and the debt stays; without the debt nobody minds."""
    model = model_of(straight(op(Op.LOAD, 1)), spinning(0), initial=(0, 1), obligations=[1])
    search = Search(model, Options())
    violation = search.run().violation
    assert violation is not None
    assert (violation.what, violation.depth) == ("no-progress", len(search.path()))
    assert Search(replace(model, initial=[0, 0]), Options()).run().violation is None
    assert Search(model, Options(progress_check=False)).run().violation is None


def test_values_of_all_64_bits() -> None:
    """The top bit and wrapping around are as in the definition."""
    threads = [
        straight(op(Op.XCHG, 0, TOP), op(Op.ADD, 0, TOP - 1), op(Op.OR, 1, TOP)),
        straight(op(Op.AND, 1, (1 << 63) - 1), op(Op.CMPXCHG, 0, TOP, -1), op(Op.ADD, 1, TOP)),
    ]
    model = model_of(*threads, initial=(TOP, -1))
    options = Options(keep_finals=True, reduce=False)
    found = plain_search(model, options)
    result = Search(model, options).run()
    assert (result.states, result.finals) == (found.states, sorted(found.finals))
    assert any(abs(value) > 1 << 62 for _, memory in result.finals for value in memory)


def test_fields_widen_as_values_appear() -> None:
    """Hundreds of values, stores, vectors under way and places: new fields, the same answer."""
    size = 20
    counting = straight(*(op(Op.ADD, 0, 1) for _ in range(size)))
    storing = straight(*(op(Op.STORE, 1, number) for number in range(7)), op(Op.FENCE))
    sending = straight(*(op(Op.SEND, a=0, b=0) for _ in range(5)))
    model = model_of(counting, storing, sending, vectors=(1,))
    options = Options(buffer=7, reduce=False)
    found = plain_search(model, options, 10**6)
    search = Search(model, options)
    result = search.run()
    assert (result.states, result.transitions) == (found.states, found.transitions)
    assert (result.restarts, result.layouts > 0) == (0, True)
    assert result.longest_buffer == 7


def test_nothing_is_asked_twice() -> None:
    """Each edge is learnt once, however often the search starts again."""
    rng = random.Random(7)
    for _ in range(20):
        model = random_model(rng)
        Search(model, Options(stop_at_first=False, progress_check=False)).run()
        asked = [count for thread in model.threads for count in thread.asked.values()]  # type: ignore[attr-defined]
        # A tally has one edge, and as many of its word's values as there are.
        tallies = sum(operation.kind == Op.GHOST_ADD for t in model.threads for operation in t.operations)  # type: ignore[attr-defined]
        assert tallies or max(asked, default=1) == 1


class Unwilling(Table):
    """A thread that raises."""

    def step(self, local: int, answer: int) -> Transition:
        """Raise."""
        raise LookupError(local, answer)


def test_what_a_thread_raises_comes_through() -> None:
    """An exception of a thread leaves the search as it is."""
    thread = Unwilling([op(Op.LOAD, 0), Operation(Op.END)], [{}, {}])
    with pytest.raises(LookupError):
        Search(model_of(thread), Options()).run()


def test_a_step_that_never_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that goes on without letting others act is an error, here as in the product."""
    looping = Table([op(Op.LOAD, 0), Operation(Op.GHOST_WRITE, 1, 1)], [{None: Transition(1)}, {None: Transition(1)}])
    model = model_of(looping)
    with pytest.raises(NotTerminating, match="table"):
        Search(model, Options()).run()
    monkeypatch.setattr("hosts.explorer.model.semantics.LONGEST_STEP", 1000)
    with pytest.raises(NotTerminating, match="table"):
        list(Product(model, Options()).outcomes(Product(model, Options()).initial()))


def test_a_thread_that_only_fences_comes_to_rest() -> None:
    """The reduction passes fences; a loop of nothing else must still let the others act."""
    fencing = Table([op(Op.LOAD, 0), op(Op.FENCE)], [{None: Transition(1)}, {None: Transition(1)}])
    model = model_of(fencing, straight(op(Op.STORE, 1, 1)))
    result = Search(model, Options(progress_check=False)).run()
    assert result.complete
    assert result.depth >= 2


def looking(look: Operation, pauses: int) -> Table:
    """Return a thread that in one step reads word 0, looks, and reads word 1; ends[4a + 2b + c] tells what it saw."""
    first = [op(Op.YIELD)] * pauses
    operations = [*first, op(Op.LOAD, 0), look, look, *[Operation(Op.LOAD, 1)] * 4, *[Operation(Op.END)] * 8]
    before = [{None: Transition(local + 1)} for local in range(pauses)]
    edges = [{0: Transition(pauses + 2 * each + 1), None: Transition(pauses + 2 * each + 2)} for each in range(7)]
    return Table(operations, [*before, *edges, *({} for _ in range(8))])


@pytest.mark.parametrize("pauses", [0, 6], ids=["", "found out late"])
@pytest.mark.parametrize(
    ("look", "poke"),
    [(Operation(Op.GHOST_READ, 2), True), (Operation(Op.GHOST_READ, 3), False), (Operation(Op.QUIESCENT), False)],
    ids=["mark of the same step", "mark behind the buffer", "quiet"],
)
def test_the_reduction_leaves_room_for_whoever_looks(look: Operation, pauses: int, *, poke: bool) -> None:
    """Between an operation and the store after it: who can see the store, or what comes with it, may look there."""
    mark = [Operation(Op.GHOST_WRITE, 2, 1)] if poke else []
    storing = straight(op(Op.XCHG, 0, 1), op(Op.STORE, 1, 1), *mark, op(Op.FENCE))
    model = model_of(
        storing,
        looking(look, pauses),
        words=5,
        initial=(0, 0, 0, 0, 1),
        buffer_flag_of=(-1, -1, -1, 0, -1),
        terminated=[4],
    )
    ends = []
    for reduce in (False, True):
        result = Search(model, Options(reduce=reduce, keep_finals=True)).run()
        assert result.complete
        ends.append(result.finals)
    nothing_yet = 0 if look.kind == Op.GHOST_READ else 1
    assert pauses + 7 + 4 + 2 * nothing_yet in {locals_[1] for locals_, _ in ends[0]}
    assert ends[0] == ends[1]


def test_the_reduction_joins_what_nobody_sees() -> None:
    """A store nobody can place, and a fence with nothing to wait for, cost no states of their own."""
    storing = straight(op(Op.XCHG, 0, 1), op(Op.STORE, 1, 1), Operation(Op.GHOST_WRITE, 2, 1), op(Op.STORE, 1, 2))
    fencing = straight(op(Op.LOAD, 1), op(Op.FENCE), op(Op.FENCE))
    model = model_of(storing, fencing, words=3)
    whole = Search(model, Options(reduce=False, keep_finals=True)).run()
    reduced = Search(model, Options(reduce=True, keep_finals=True)).run()
    assert reduced.states < whole.states / 2
    assert reduced.finals == whole.finals


@pytest.mark.parametrize("fuse", [False, True])
def test_the_way_to_a_check_that_fires_behind_a_pause(*, fuse: bool) -> None:
    """A pause is passed over when a way is told, but not one behind which a check fires."""
    edges = [{0: Transition(2), 1: Transition(1)}, {None: Transition(2, sighting=1)}, {None: Transition(3)}, {}]
    thread = Table([op(Op.CHOOSE, a=2), op(Op.YIELD), op(Op.LOAD, 0), Operation(Op.END)], edges)
    model = model_of(thread, straight(op(Op.XCHG, 0, 1)), words=1, initial=(0,))
    options = Options(fuse=fuse, progress_check=False)
    search = Search(model, options)
    assert search.run().violation is not None
    product, state, seen = Product(model, options), None, -1
    for move in search.path():
        outcome = product.outcome(state or product.initial(), move)
        state, seen = outcome.state, outcome.sighting
    assert seen == 1
