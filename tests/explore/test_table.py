"""The explorer gives what the table of expected verdicts says, with its reductions and without them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emu.expected import expected, policies_of
from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.cache.files import Files
from hosts.explorer.cache.learnt import Learning
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.search.result import Result
from hosts.explorer.size_estimate import size_of
from hosts.explorer.threads.harness import scope_of
from tests.choice import first_of_each, slow_but
from tests.explore.conftest import BuilderOf, Explored, Row

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
RACED = {mutation.name for mutation in EXPLORED for row in mutation.rows if row.outcome == "VIOLATION"}
FAST_SEEN = [
    *first_of_each(SEEN, lambda row: getattr(expected(*row), "checks", ())),
    *(row for row in SEEN if row[2] not in RACED),
]
"""A bug for each set of checks, and those that no race has to show: of the others tests/race has a fast race each."""
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

FAST_CLEAN = [row for row in UNMUTATED if row[1] == "elide-self-2022" or row[0] == "device-irq"]
"""Today's rule in every scenario, and every rule in the one that tells them apart."""
FAST = first_of_each([*SEEN, *CLEAN], lambda row: getattr(expected(*row), "outcome", ""))
"""One row for each verdict: a violation, none, and what may be either."""


def check_of(result: Result) -> str:
    """Return the check that fired first, or an empty string of a search that is complete."""
    if result.violation is None:
        assert result.complete, result.bounded_by
        return ""
    return CHECKS[result.violation.sighting >> 8]


def fired(builder_of: BuilderOf, row: Row, folder: Path) -> str:
    """Explore a row, then once more with what was learnt, which has to give the same; return the check that fired."""
    learning = Learning(Files(folder))
    result, again = (explore(builder_of(row), Options(), None, learning)[0] for _ in range(2))
    assert replace(again, seconds=0, restarts=0, layouts=0) == replace(result, seconds=0, restarts=0, layouts=0)
    (scenario,) = [each for each in SCENARIOS if each.name == row[0]]
    size = size_of(scope_of(scenario), Options())
    assert result.states <= size.most
    assert result.states >= size.least or not result.complete
    return check_of(result)


@pytest.mark.parametrize("row", slow_but(FAST_SEEN, SEEN), ids=lambda row: row[2])
def test_a_seeded_bug_is_found(builder_of: BuilderOf, row: Row, tmp_path: Path) -> None:
    """By one of the checks that the table names; those that hardware may not show are shown too."""
    wanted = expected(*row)
    assert wanted is not None
    assert fired(builder_of, row, tmp_path) in wanted.checks


@pytest.mark.parametrize("row", slow_but(FAST_CLEAN, [*CLEAN, *UNMUTATED]), ids=str)
def test_what_is_clean_stays_clean(builder_of: BuilderOf, row: Row, tmp_path: Path) -> None:
    """Every interleaving of the scope was seen and nothing fired, or what the table says."""
    wanted = expected(*row)
    assert wanted is not None
    check = fired(builder_of, row, tmp_path)
    assert (check in wanted.checks) if wanted.checks else check == ""


@pytest.mark.parametrize("row", slow_but(FAST, [*SEEN, *CLEAN]), ids=str)
def test_the_verdict_does_not_depend_on_reductions(explored: Explored, row: Row) -> None:
    """Dead locals kept, no partial order, no IPI that leaves early: a violation stays one, a clean row clean."""
    wanted = expected(*row)
    assert wanted is not None
    result = explored(row, Options(reduce=False), forget=False)
    assert (check_of(result) != "") == (wanted.outcome != "PASS")
