"""The explorer gives what the table of expected verdicts says, with its reductions and without them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emu.expected import by_name, expected, policies_of, policy_by_name
from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder, explore
from hosts.explorer.cache.files import Files
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.model.system import Options
from hosts.explorer.search.bfs import Result
from hosts.explorer.size_estimate import size_of
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program, load_program
from tests.choice import first_of_each, slow_but

pytestmark = pytest.mark.timeout(300)

EXPLORED = [mutation for mutation in MUTATIONS if mutation.edits]
"""Faults of the fabric are the native host's."""
SEEN = [
    (row.scenario, policies_of(row)[0], mutation.name)
    for mutation in EXPLORED
    for row in mutation.rows[:1]
    if row.outcome != "PASS"
]
"""For each seeded bug that can be seen, the first row that says so."""
CLEAN = [
    (row.scenario, policies_of(row)[0], mutation.name)
    for mutation in EXPLORED
    for row in mutation.rows
    if row.outcome == "PASS" and row.scenario in ("device-irq", "tscdeadline-immed")
]
UNMUTATED = [
    (scenario, policy, None)
    for scenario in ("device-irq", "tscdeadline-immed", "timer-fastpath", "timer-slowpath")
    for policy in ("kick-2016", "skip-running-2020", "always-2021", "elide-self-2022")
]

FAST = first_of_each([*SEEN, *CLEAN], lambda row: expected(*row))
"""One row for each verdict: the checks of which one must fire, or none."""


@pytest.fixture(scope="module")
def program() -> Program:
    """Give the protocol."""
    return load_program()


def fired(program: Program, row: tuple[str, str, str | None], *, reduced: bool, folder: Path | None = None) -> str:
    """Explore a row in its scenario's scope; give the check that fired first, or an empty string.

    With a folder in which to keep what is learnt, explore it once more: the same must be found.
    """
    result = searched(program, row, reduced, folder)
    if reduced:
        (scenario,) = [each for each in SCENARIOS if each.name == row[0]]
        size = size_of(scope_of(scenario), Options())
        assert result.states <= size.most
        assert result.states >= size.least or not result.complete
    if folder is not None:
        again = searched(program, row, reduced, folder)
        assert replace(again, seconds=0, restarts=0, layouts=0) == replace(result, seconds=0, restarts=0, layouts=0)
    if result.violation is None:
        assert result.complete, result.bounded_by
        return ""
    return CHECKS[result.violation.sighting >> 8]


def searched(program: Program, row: tuple[str, str, str | None], reduced: bool, folder: Path | None) -> Result:  # noqa: FBT001
    """Explore a row in its scenario's scope."""
    scenario, policy, mutation = row
    (found,) = [each for each in SCENARIOS if each.name == scenario]
    seeded = by_name(mutation) if mutation is not None else None
    builder = Builder(program, scope_of(found), policy_by_name(policy).number, seeded)
    builder.world.forget = reduced
    learning = Learning(Files(folder)) if folder is not None else None
    return explore(builder, Options(reduce=reduced), None, learning)[0]


@pytest.mark.parametrize("row", SEEN, ids=lambda row: row[2])
def test_a_seeded_bug_is_found(program: Program, row: tuple[str, str, str], tmp_path: Path) -> None:
    """By one of the checks that the table names; those that hardware may not show are shown too."""
    wanted = expected(*row)
    assert wanted is not None
    assert fired(program, row, reduced=True, folder=tmp_path) in wanted.checks


@pytest.mark.parametrize("row", [*CLEAN, *UNMUTATED], ids=str)
def test_what_is_clean_stays_clean(program: Program, row: tuple[str, str, str | None], tmp_path: Path) -> None:
    """Every interleaving of the scope was seen and nothing fired, or what the table says."""
    wanted = expected(*row)
    assert wanted is not None
    check = fired(program, row, reduced=True, folder=tmp_path)
    assert (check in wanted.checks) if wanted.checks else check == ""


@pytest.mark.parametrize("row", slow_but(FAST, [*SEEN, *CLEAN]), ids=str)
def test_the_verdict_does_not_depend_on_reductions(program: Program, row: tuple[str, str, str]) -> None:
    """Dead locals kept, no partial order, no IPI that leaves early: a violation stays one, a clean row clean."""
    wanted = expected(*row)
    assert wanted is not None
    assert (fired(program, row, reduced=False) != "") == (wanted.outcome != "PASS")
