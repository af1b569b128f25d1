"""The native search finds what a plain search over the product finds, on random threads of all kinds of operations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product
from hosts.explorer.model.system import Model
from hosts.explorer.search.bfs import Search
from hosts.explorer.search.result import Result
from tests.explore.models import Plain, TooBig, fair_depth, plain_search, random_model, switches_of

MODELS = 60


def drawn(seed: int, count: int, *, fuse: bool, most: int = 1500) -> Iterator[tuple[Model, Options, Plain]]:
    """Draw models and what the plain search finds in them."""
    rng = random.Random(seed)
    while count:
        model = random_model(rng, loops=rng.random() < 0.4)
        options = Options(
            buffer=rng.randrange(4),
            overtake=rng.random() < 0.5,
            reduce=False,
            fuse=fuse,
            stop_at_first=rng.random() < 0.5,
            progress_check=False,
            keep_finals=True,
        )
        try:
            found = plain_search(model, options, most)
        except TooBig:
            continue
        count -= 1
        yield model, options, found


def told(result: Result) -> tuple[object, ...]:
    """Return what does not depend on how the search was done."""
    return (
        result.states,
        result.transitions,
        result.depth,
        result.windows,
        result.waited_for_buffer,
        result.longest_buffer,
        result.branching,
        result.finals,
        [(each.depth, each.what, each.sighting) for each in result.violations],
    )


def expected(found: Plain, options: Options) -> tuple[object, ...]:
    """Return the same of the plain search."""
    violations = sorted((depth, what, sighting) for what, sighting, depth in found.violations)
    return (
        found.states,
        found.transitions,
        found.depth,
        found.windows,
        found.waited,
        found.longest,
        found.branching,
        sorted(found.finals),
        violations[:1] if options.stop_at_first else violations,
    )


@pytest.mark.parametrize("fuse", [True, False])
def test_the_same_states_moves_and_violations(*, fuse: bool) -> None:
    """States, moves, depth, windows, ends and violations are those of the definition."""
    for model, options, found in drawn(1, MODELS, fuse=fuse):
        assert told(Search(model, options).run()) == expected(found, options)


@pytest.mark.parametrize("fuse", [True, False])
def test_the_way_to_a_violation_is_a_best_one(*, fuse: bool) -> None:
    """The moves lead to the violation, no fewer moves do, and no way as short changes threads less often."""
    seen = 0
    for model, options, found in drawn(2, MODELS, fuse=fuse):
        search = Search(model, options)
        violation = search.run().violation
        moves = search.path()
        assert bool(moves) == (violation is not None and violation.depth > 0)
        if violation is None:
            continue
        seen += 1
        product = Product(model, options)
        state, sighting = product.initial(), -1
        for move in moves:
            outcome = product.outcome(state, move)
            state, sighting = outcome.state, outcome.sighting
        assert len(moves) == violation.depth
        assert switches_of(moves) == max(found.switches, 0)
        if violation.what == "sighting":
            assert sighting == violation.sighting
        else:
            assert not list(product.outcomes(state))
            assert not product.ended(state)
    assert seen > MODELS // 10


@pytest.mark.parametrize("fuse", [True, False])
def test_the_reduction_changes_no_verdict(*, fuse: bool) -> None:
    """With the reduction: the same violations, windows and ends; and fewer states on the whole."""
    fewer = states = 0
    for model, options, found in drawn(3, 2 * MODELS, fuse=fuse):
        search = Search(model, replace(options, reduce=True, stop_at_first=False))
        result = search.run()
        whole = plain_search(model, replace(options, stop_at_first=False), 10**9) if options.stop_at_first else found
        kinds = {(what, sighting >> 8) for what, sighting, _ in whole.violations}
        assert {(each.what, each.sighting >> 8) for each in result.violations} == kinds
        assert (result.finals, result.windows) == (sorted(whole.finals), whole.windows)
        assert (result.waited_for_buffer, result.longest_buffer) == (whole.waited, whole.longest)
        fewer += result.states < whole.states
        states += whole.states - result.states
    assert fewer > MODELS // 10
    assert states > 0


def test_a_reduced_way_is_told_in_moves_of_the_product() -> None:
    """What the search has done in one move, the product can repeat in several."""
    seen = 0
    for model, options, _ in drawn(4, MODELS, fuse=True):
        search = Search(model, replace(options, reduce=True))
        violation = search.run().violation
        if violation is None or violation.what != "sighting":
            continue
        seen += 1
        product = Product(model, options)
        state, sighting = product.initial(), -1
        moves = search.path()
        for move in moves:
            outcome = product.outcome(state, move)
            state, sighting = outcome.state, outcome.sighting
        assert sighting == violation.sighting
        assert len(moves) >= violation.depth
    assert seen > MODELS // 10


def test_the_answer_does_not_depend_on_the_workers() -> None:
    """One, two or three workers: the same states, moves, violations, and the very same way."""
    reduced: set[tuple[object, ...]] = set()
    for number, (model, options, found) in enumerate(drawn(5, MODELS // 2, fuse=True), 1):
        ways = []
        for workers in (1, 2, 3):
            search = Search(model, replace(options, workers=workers))
            assert told(search.run()) == expected(found, options)
            ways.append(search.path())
            search = Search(model, replace(options, workers=workers, reduce=True))
            reduced.add((number, *told(search.run())[:4]))
        assert ways[0] == ways[1] == ways[2]
        assert len(reduced) == number


@pytest.mark.parametrize("reduce", [False, True])
def test_cycles_that_never_pay_are_those_of_the_definition(*, reduce: bool) -> None:
    """A no-progress is reported if and only if there is a fair cycle, at the level where the nearest one begins."""
    rng = random.Random(6)
    verdicts = []
    while len(verdicts) < MODELS:
        model = replace(without_sightings(random_model(rng, loops=True)), obligations=[rng.randrange(4)])
        options = Options(buffer=rng.randrange(3), reduce=False, fuse=rng.random() < 0.6, workers=rng.choice([1, 2]))
        try:
            found = plain_search(model, options, 150)
        except TooBig:
            continue
        if found.violations or found.waited:
            continue
        depth = fair_depth(model, options)
        search = Search(model, replace(options, reduce=reduce))
        violation = search.run().violation
        assert (violation is not None) == (depth >= 0)
        if violation is not None:
            assert violation.what == "no-progress"
            assert reduce or violation.depth == depth == len(search.path())
        verdicts.append(depth >= 0)
    assert {True, False} == set(verdicts)


def without_sightings(model: Model) -> Model:
    """Let no check of a random model fire."""
    for thread in model.threads:
        thread.edges = [  # type: ignore[attr-defined]
            {answer: edge._replace(sighting=-1) for answer, edge in edges.items()}
            for edges in thread.edges  # type: ignore[attr-defined]
        ]
    return model
