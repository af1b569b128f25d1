"""One state for all orders of equal senders: the same is found with it and without it, in one state for each order."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from emu.expected import policies_of, policy_by_name
from emu.machine import MAX_PCPUS, USER
from emu.mutations import MUTATIONS, Mutation
from emu.observe.accounting import CHECKS, WINDOWS
from emu.workload.scenarios import POLICIES
from hosts.explorer.build import Builder
from hosts.explorer.compiled import hash_table as finding
from hosts.explorer.model.operations import Op, Operation
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product, State
from hosts.explorer.model.system import AbstractionRefuted, Model, SymmetryClass, Transition
from hosts.explorer.reduce.symmetry_candidates import align, equal_columns, groups
from hosts.explorer.refine import warm_up
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.decode import state_of
from hosts.explorer.search.result import Result
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program
from tests.choice import first_of_each, slow_but
from tests.explore.conftest import Explored
from tests.explore.models import Table, TooBig, op, plain_search, random_thread, straight

pytestmark = pytest.mark.timeout(300)

TWICE = {
    "remote-post": "post:34 | post:34 | guest=cpuid | timers=0",
    "self-vs-remote": "post:34 | post:34 | guest=cpuid,now",
    "halt-wake": "post:34 | post:34 | guest=hlt | timers=0",
    "device-irq": "device | device | guest=cpuid,hlt | timers=0",
    "kick": "kick | kick | guest=cpuid | timers=0",
}
"""Two of the same for what a scenario is about."""
EDITED = [each for each in MUTATIONS if each.edits]
FAST = first_of_each(EDITED, lambda each: each.rows[0].outcome)


def both(explored: Explored, text: str, policy: str, mutation: str | None = None) -> tuple[Result, Result]:
    """Explore a scope to its end, each equal sender by itself, and all orders of them as one."""
    options = Options(buffer=2, stop_at_first=False, max_states=400_000)
    alone, together = (explored((text, policy, mutation), replace(options, symmetry=each)) for each in (False, True))
    return alone, together


def told(result: Result) -> tuple[object, ...]:
    """Return what must not depend on it."""
    fired = {CHECKS[each.sighting >> 8] if each.what == "sighting" else each.what for each in result.violations}
    windows = {name for number, name in enumerate(WINDOWS) if result.windows >> number & 1}
    return fired, windows, result.bounded_by, result.waited_for_buffer


@pytest.mark.parametrize("mutation", slow_but(FAST, EDITED), ids=lambda each: each.name)
def test_every_seeded_bug_gives_the_same(explored: Explored, mutation: Mutation) -> None:
    """The same checks fire, and the same windows are entered, in no more states."""
    row = mutation.rows[0]
    text, policy = TWICE.get(row.scenario, TWICE["self-vs-remote"]), policies_of(row)[0]
    alone, together = both(explored, text, policy, mutation.name)
    assert told(together) == told(alone)
    assert together.states <= alone.states


@pytest.mark.parametrize("policy", slow_but(["elide-self-2022"], [each.name for each in POLICIES]))
@pytest.mark.parametrize("text", slow_but(list(TWICE.values())[:1], TWICE.values()), ids=list(TWICE))
def test_every_rule_gives_the_same_in_fewer_states(explored: Explored, text: str, policy: str) -> None:
    """Without a seeded bug; what violates is searched again without it, and told from there."""
    alone, together = both(explored, text, policy)
    assert told(together) == told(alone)
    assert together.states == alone.states if alone.violations else together.states < 0.9 * alone.states


def test_a_users_rule_might_tell_them_apart(program: Program) -> None:
    """It is left out there."""
    scope = scope_of(None, TWICE["remote-post"])
    assert Builder(program, scope, policy_by_name("always-2021").number)._symmetric == [(1, 2)]
    assert Builder(program, scope, USER)._symmetric == []


def test_not_where_instruments_are_steps_of_their_own(program: Program) -> None:
    """Between two of them, one sender has been asked and the other has not."""
    builder = Builder(program, scope_of(None, TWICE["device-irq"]), policy_by_name("always-2021").number)
    warm_up(builder, Options())
    model = builder.model()
    assert Search(model, Options()).learnt.symmetry.groups
    assert not Search(model, Options(fuse=False)).learnt.symmetry.groups


def test_pcpus_whose_acts_read_the_same_are_a_group() -> None:
    """However they are mixed with others, and in the order of the acts."""
    assert equal_columns(scope_of(None, "post:34 | kick | post:34 | kick post:34 | post:34 kick | post:34")) == [
        (1, 3, 6)
    ]
    assert equal_columns(scope_of(None, "post:34 | kick | post:34 | kick")) == [(2, 4), (1, 3)]
    assert equal_columns(scope_of(None)) == []


def test_what_is_known_of_the_words_of_one_is_known_of_all(program: Program) -> None:
    """A mailbox that a sender and the guest share makes that of its like shared, and a read word a read one."""
    world = Builder(program, scope_of(None, TWICE["remote-post"]), policy_by_name("always-2021").number).world
    vcpu = world.machine.vcpus[0]
    box, other, third = (int(vcpu.mail[MAX_PCPUS + pcpu]) for pcpu in (1, 2, 3))
    mark = int(world.machine.pcpus[2].marks.inside)
    for user in (1, 0):
        with contextlib.suppress(AbstractionRefuted):
            world.use(user, box, write=True)
    world.use(2, mark, write=True)
    world.words.read.add(mark)
    align(world, (1, 2))
    assert world.words.users[other] == {0, 2}
    assert {box, other} <= set(world.words.shared)
    assert third not in world.words.users
    twin = int(world.machine.pcpus[1].marks.inside)
    assert world.words.users[twin] == {1}
    assert twin in world.words.read & world.words.written
    assert groups(world, [(1, 2)]) == [
        SymmetryClass((1, 2), tuple((world.words.shared[each],) for each in (box, other)))
    ]


# --- random models -------------------------------------------------------------------------------------------------


def renamed(table: Table) -> Table:
    """Return a thread that does to word 3 what another does to word 2, and the other way round."""
    other = {2: 3, 3: 2}
    operations = [each._replace(word=other.get(each.word, each.word)) for each in table.operations]
    return Table(operations, table.edges)


def drawn(seed: int, count: int) -> Iterator[Model]:
    """Draw models in which threads 0 and 1 do the same, each to a word of its own, and a third shares the others."""
    rng = random.Random(seed)
    for _ in range(count):
        one = random_thread(rng, 3, rng.randrange(3, 7), loops=False)
        third = random_thread(rng, 3, rng.randrange(3, 6), loops=rng.random() < 0.3)
        operations = [each._replace(word=each.word % 2 if each.word >= 0 else each.word) for each in third.operations]
        third = Table(
            [each._replace(kind=Op.FENCE) if each.kind == Op.RESET else each for each in operations], third.edges
        )
        yield Model(
            threads=[one, renamed(one), third],
            names=["A", "B", "C"],
            words=["w0", "w1", "of A", "of B"],
            initial=[0, 1, 2, 2],
            vectors=(0xF0, 0xF1, 0xF2),
            buffer_flag_of=[-1, -1, 0, 1] if rng.random() < 0.5 else (),
            reset_families=[[0, 1], [2, 3]],
            obligations=[0],
            symmetry_classes=[SymmetryClass((0, 1), ((2,), (3,)))],
        )


def exchanged(state: State) -> State:
    """Let the two change places."""
    (a, b, c), (w0, w1, wa, wb) = state.locals, state.memory
    mine, theirs, third = state.buffers
    other = {2: 3, 3: 2}
    buffers = tuple(tuple((other.get(word, word), value) for word, value in each) for each in (theirs, mine, third))
    flight = tuple(sorted(({0: 1, 1: 0}.get(target, target), vector) for target, vector in state.flight))
    pending = (state.pending[1], state.pending[0], state.pending[2])
    return State((b, a, c), (w0, w1, wb, wa), buffers, flight, pending)


def states_of(search: Search) -> list[State]:
    """Return all states of a search that has one worker."""
    words, store = search.store.words, search.store
    places = [int(finding.place_of(i, 0, 1)) for i in range(store.counts[0])]
    return [state_of(search.learnt, store.states[at * words : (at + 1) * words].tolist()) for at in places]


def test_each_order_of_two_is_one_state() -> None:
    """Without other reductions: the states are those of the product, one of each pair that an exchange makes equal."""
    fewer = 0
    for number, model in enumerate(drawn(1, 150)):
        options = Options(buffer=1 + number % 4, reduce=False, stop_at_first=False, progress_check=False)
        try:
            whole = plain_search(model, options, 3000)
        except TooBig:
            continue
        search = Search(model, options)
        result = search.run()
        if whole.violations:
            assert result.states == whole.states
        elif search.learnt.symmetry.groups:
            every = {state for level in whole.levels for state in level}
            orbits = {min(state, exchanged(state)) for state in every}
            assert {min(state, exchanged(state)) for state in states_of(search)} == orbits
            assert result.states == len(orbits)
            fewer += result.states < whole.states
        assert {(each.what, each.sighting >> 8) for each in result.violations} == {
            (what, sighting >> 8) for what, sighting, _ in whole.violations
        }
        assert result.windows == whole.windows
    assert fewer > 15


def test_with_all_reductions_the_same_is_found() -> None:
    """Violations, windows and no-progress, against the search without any."""
    shared = 0
    for model in drawn(2, 150):
        options = Options(buffer=1, max_states=20_000, stop_at_first=False)
        plain = Search(model, replace(options, reduce=False, symmetry=False)).run()
        search = Search(model, options)
        result = search.run()
        if not plain.bounded_by and not result.bounded_by:
            shared += bool(search.learnt.symmetry.groups)
            kinds, wanted = ({(each.what, each.sighting >> 8) for each in some.violations} for some in (result, plain))
            assert kinds == wanted
            assert result.windows == plain.windows
    assert shared > 15


THREE = ["post:34 | post:34 | post:34", "kick | kick | kick"]


@pytest.mark.parametrize("three", slow_but(THREE[1:], THREE))
def test_three_in_order_are_less_than_a_third(explored: Explored, three: str) -> None:
    """Of six orders one is kept; of a state in which two of them agree there are fewer orders."""
    alone, together = both(explored, f"{three} | guest=cpuid | timers=0", "elide-self-2022")
    assert told(together) == told(alone)
    assert together.states < alone.states / 3


@pytest.mark.parametrize(
    ("initial", "behind"), [([0, 0, 1, 2], ()), ([0] * 4, [-1, -1, 0, -1])], ids=["initial value", "mark"]
)
def test_what_differs_at_the_start_is_not_alike(initial: list[int], behind: Sequence[int]) -> None:
    """A word of one begins with another value, or is a mark of its owner's where the other's is none."""
    pair = [straight(op(Op.XCHG, word, 1)) for word in (2, 3)]
    alike = [SymmetryClass((0, 1), ((2,), (3,)))]
    model = Model(pair, ["A", "B"], ["x", "y", "a", "b"], initial, buffer_flag_of=behind, symmetry_classes=alike)
    assert not Search(model, Options()).learnt.symmetry.groups


def test_buffers_of_both_get_deeper_together() -> None:
    """What one of them holds has room where the other's lies."""
    pair = [straight(*(op(Op.STORE, to, value) for to, value in ((0, 1), (1, 1), (own, 1), (0, 2)))) for own in (2, 3)]
    alike = [SymmetryClass((0, 1), ((2,), (3,)))]
    model = Model(pair, ["A", "B"], ["x", "y", "a", "b"], [0] * 4, symmetry_classes=alike)
    options = Options(buffer=4, reduce=False)
    search = Search(model, options)
    every = {state for level in plain_search(model, options, 10_000).levels for state in level}
    assert search.run().states == len({min(state, exchanged_two(state)) for state in every})


def exchanged_two(state: State) -> State:
    """Let the two of a model of two change places."""
    other = {2: 3, 3: 2}
    buffers = tuple(tuple((other.get(word, word), value) for word, value in each) for each in state.buffers[::-1])
    w0, w1, wa, wb = state.memory
    return State(state.locals[::-1], (w0, w1, wb, wa), buffers, state.flight, state.pending[::-1])


@pytest.mark.parametrize("last", [0, 1], ids=["first operation", "last operation"])
def test_threads_that_turn_out_different_are_taken_for_different(last: int) -> None:
    """The model says that they are alike; in one place one of them writes another value."""
    values = [1, 1]
    values[last] = 2
    one = straight(op(Op.XCHG, 2, 1), op(Op.XCHG, 0, 1))
    other = straight(op(Op.XCHG, 3, values[0]), op(Op.XCHG, 0, values[1]))
    third = straight(op(Op.LOAD, 0), op(Op.LOAD, 1))
    alike = [SymmetryClass((0, 1), ((2,), (3,)))]
    model = Model([one, other, third], ["A", "B", "C"], ["x", "y", "a", "b"], [0] * 4, symmetry_classes=alike)
    options = Options(buffer=1, reduce=False)
    search = Search(model, options)
    assert bool(search.learnt.symmetry.groups) is (last == 1)
    assert search.run().states == plain_search(model, options, 10_000).states
    assert not search.learnt.symmetry.groups


def test_threads_of_which_one_is_interrupted_are_taken_for_different() -> None:
    """An IPI to one of them cannot change places with what the other has."""
    sends = straight(op(Op.SEND, a=0, b=0))
    alike = [SymmetryClass((0, 1), ((0,), (1,)))]
    pair = [straight(op(Op.XCHG, word, 1), op(Op.PENDING)) for word in (0, 1)]
    model = Model([*pair, sends], ["A", "B", "C"], ["a", "b"], [0, 0], (0xF0,), symmetry_classes=alike)
    options = Options(buffer=1, reduce=False)
    search = Search(model, options)
    assert search.run().states == plain_search(model, options, 10_000).states
    assert not search.learnt.symmetry.groups


@pytest.mark.parametrize("looked_for", [False, True])
def test_threads_that_go_round_stay_apart_where_cycles_are_looked_for(*, looked_for: bool) -> None:
    """A cycle on which two of them change places need not be fair to each."""
    spins = [Table([op(Op.XCHG, word, 1)], [{None: Transition(0)}]) for word in (0, 1)]
    alike = [SymmetryClass((0, 1), ((0,), (1,)))]
    model = Model(spins, ["A", "B"], ["a", "b", "debt"], [0, 0, 0], symmetry_classes=alike, obligations=[2])
    search = Search(model, Options(buffer=1, progress_check=looked_for))
    assert search.run().complete
    assert bool(search.learnt.symmetry.groups) is not looked_for


def test_the_way_to_a_violation_is_one_of_the_product() -> None:
    """It is told from a search without, so that each step is the product's and leads there in as many moves."""
    found = 0
    for model in drawn(3, 200):
        search = Search(model, Options(buffer=1, reduce=False, max_states=20_000, progress_check=False))
        violation = search.run().violation
        if violation is None or violation.what != "sighting":
            continue
        found += 1
        product = Product(model, search.options)
        state, sighting = product.initial(), -1
        for move in search.path():
            outcome = product.outcome(state, move)
            state, sighting = outcome.state, outcome.sighting
        assert sighting == violation.sighting
    assert found > 15


def test_a_way_that_cannot_be_told_in_time_takes_no_violation_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second search is cut short: what the first has seen stands, without a way."""
    fails = Table(
        [op(Op.XCHG, 2, 1), op(Op.LOAD, 0), Operation(Op.END)],
        [{None: Transition(1)}, {None: Transition(2, sighting=256)}, {}],
    )
    alike = [SymmetryClass((0, 1), ((2,), (3,)))]
    model = Model([fails, renamed(fails)], ["A", "B"], ["x", "y", "a", "b"], [0] * 4, symmetry_classes=alike)
    search = Search(model, Options(buffer=1))
    through, times = search._through, itertools.count()

    def cut_short() -> None:
        through()
        if next(times) == 1:
            search.result = Result(bounded_by=("seconds",))

    monkeypatch.setattr(search, "_through", cut_short)
    result = search.run()
    assert result.violation is not None
    assert result.violation.sighting == 256
    assert search.pathless
    assert search.path() == []
