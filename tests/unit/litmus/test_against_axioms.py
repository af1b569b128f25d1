"""The explorer against the axioms of x86-TSO, on random programs: the same set of final states, no more and no less."""

from __future__ import annotations

import random

import pytest

from hosts.litmus.outcome import Finals, run
from hosts.litmus.read import read_test
from hosts.litmus.unreduced import final_states
from tests.unit.litmus.axiomatic import Action, Program, outcomes
from tests.unit.litmus.breadth import finals
from tests.unit.litmus.generated import everything, programs, seen, text, visible

SEED = 20260
GROUPS = 6
EACH = 40


@pytest.mark.parametrize("model", ["tso", "sc"])
@pytest.mark.parametrize("group", range(GROUPS))
def test_same_states(model: str, group: int) -> None:
    """Two threads of up to three instructions."""
    for program in programs(EACH, SEED + group):
        for by in (finals, None):
            told = run(read_test(text(program)), model, by)  # type: ignore[arg-type]
            assert seen(told) == outcomes(program, model), text(program)


@pytest.mark.parametrize("by", [finals, final_states, None], ids=["definition", "search", "reduced"])
def test_what_is_not_shown_changes_nothing(by: Finals | None) -> None:
    """A thread forgets what nobody will see, and no more than that."""
    dice = random.Random(SEED)
    for program in programs(2 * EACH, SEED):
        shown = dice.sample(everything(program), 3)
        told = run(read_test(text(program, shown)), "tso", by)
        assert seen(told) == visible(outcomes(program, "tso"), shown), text(program, shown)


def test_three_threads() -> None:
    """Of up to two instructions."""
    for program in programs(EACH, SEED, threads=3, longest=2):
        for by in (finals, None):
            told = run(read_test(text(program)), "tso", by)
            assert seen(told) == outcomes(program, "tso"), text(program)


def test_the_programs_tell_the_models_apart() -> None:
    """Enough of them have more states under TSO than under SC that a wrong buffer shows."""
    apart = sum(
        outcomes(program, "tso") != outcomes(program, "sc")
        for group in range(GROUPS)
        for program in programs(EACH, SEED + group)
    )
    assert apart >= 30


STORE, LOAD, FENCE = (Action("store", "x", "", 1), Action("load", "y", "a"), Action("fence"))
OTHER = [Action("store", "y", "", 1), Action("load", "x", "a")]


@pytest.mark.parametrize(
    ("program", "model", "both_old"),
    [
        ([[STORE, LOAD], OTHER], "tso", True),
        ([[STORE, LOAD], OTHER], "sc", False),
        ([[STORE, FENCE, LOAD], [OTHER[0], FENCE, OTHER[1]]], "tso", False),
        ([[STORE, FENCE, LOAD], OTHER], "tso", True),
        ([[Action("xchg", "x", "b", 0, locked=True), LOAD], OTHER], "tso", True),
    ],
)
def test_the_axioms_know_store_buffering(program: Program, model: str, both_old: bool) -> None:  # noqa: FBT001
    """They are not taken on trust either."""
    assert any(state[0] == () and state[1] == () for state in outcomes(program, model)) == both_old
