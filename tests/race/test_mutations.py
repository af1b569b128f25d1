"""Every row of the table of seeded bugs: what must be caught is caught, what must stay clean stays clean."""

from __future__ import annotations

import pytest

from emu.expected import controls, expected
from emu.mutations import MUTATIONS
from emu.workload.scenarios import CHECK_ABOUT
from tests.choice import first_of_each, slow_but
from tests.explore.test_table import FAST_SEEN
from tests.race.conftest import LONGEST_SECONDS, Race, two_processors

CLEAN_SECONDS = 1.0
ROWS = [(row, expected(*row)) for row in controls()]
CAUGHT = [(*row, what.checks) for row, what in ROWS if what is not None and what.outcome == "VIOLATION"]
CLEAN = [row for row, what in ROWS if what is not None and what.outcome == "PASS"]
FAST_CAUGHT = first_of_each(CAUGHT, lambda row: row[2])
FAST_CLEAN = [row for row in first_of_each(CLEAN, lambda row: row[2]) if row[2] not in {each[2] for each in CAUGHT}]
"""One row of each mutation, and one that is clean of those that are so everywhere."""

EXPLORED_ONLY = {"C14"}
"""Where its bug is raced two tasks run on one stack, which ends the process: tests/explore/test_task_scopes.py."""


@pytest.mark.timeout(60 + 2 * LONGEST_SECONDS)
@pytest.mark.skipif(not two_processors(), reason="these races need two processors")
@pytest.mark.parametrize(("scenario", "policy", "mutation", "checks"), slow_but(FAST_CAUGHT, CAUGHT, several=True))
def test_a_seeded_bug_is_caught(race: Race, scenario: str, policy: str, mutation: str, checks: tuple[str, ...]) -> None:
    """At least one of the checks that the table names fires."""
    live = LONGEST_SECONDS if not set(checks) & {"C8", "C10"} else 1.5
    raced = race(scenario, policy, mutation, seconds=live, sought=checks)
    assert raced.checks & set(checks)


@pytest.mark.timeout(60 + CLEAN_SECONDS)
@pytest.mark.parametrize(("scenario", "policy", "mutation"), slow_but(FAST_CLEAN, CLEAN, several=True))
def test_a_harmless_mutation_is_not_convicted(race: Race, scenario: str, policy: str, mutation: str) -> None:
    """A tool that convicts these is wrong."""
    assert race(scenario, policy, mutation, seconds=CLEAN_SECONDS).checks == set()


def test_every_check_has_a_mutation_that_it_must_catch() -> None:
    """No checker goes without an alarm test."""
    sought = {check for mutation in MUTATIONS for row in mutation.rows for check in row.checks}
    assert sought == set(CHECK_ABOUT) - EXPLORED_ONLY


def test_every_check_and_every_mutation_has_a_fast_test() -> None:
    """It is raced, or, where no processor need show it, explored."""
    assert {check for row in FAST_CAUGHT for check in row[3]} == set(CHECK_ABOUT) - EXPLORED_ONLY
    fast = {row[2] for row in (*FAST_CAUGHT, *FAST_CLEAN, *FAST_SEEN)}
    assert fast == {mutation.name for mutation in MUTATIONS}
