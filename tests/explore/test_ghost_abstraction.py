"""Folding the instruments' counters, and fusing their looks into steps, changes no verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.expected import by_name, policies_of, policy_by_name
from emu.mutations import MUTATIONS, Mutation
from emu.workload.scenarios import SCENARIOS
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from tests.choice import first_of_each, slow_but
from tests.explore.exactly import builder_of
from tests.explore.test_history_keyed_threads import ACTS

pytestmark = pytest.mark.timeout(120)

OPTIONS = Options(buffer=2, reduce=False, progress_check=False, max_states=8_000)
"""Breadth first without reduction: the first violation is at the least depth."""
NAMED = {scenario.name: scenario for scenario in SCENARIOS}
EDITED = [mutation.name for mutation in MUTATIONS if mutation.edits]
FAST = first_of_each(EDITED, lambda name: by_name(name).rows[0].outcome)


def builder_for(mutation: Mutation, *, fold: bool) -> Builder:
    """Take the first row that the table has about a mutation, at a small scope."""
    row = next((row for row in mutation.rows if row.outcome == "VIOLATION"), mutation.rows[0])
    policy = policy_by_name(policies_of(row)[0]).number
    return builder_of(scope_of(NAMED[row.scenario], ACTS.get(row.scenario)), policy, mutation, fold=fold)


def first(builder: Builder, options: Options) -> tuple[int, int | None]:
    """Return the depth that was searched, and the check of the first violation there."""
    result, _, _ = explore(builder, options)
    found = result.violation
    return (found.depth, found.sighting >> 8) if found is not None else (result.depth, None)


@pytest.mark.parametrize("name", slow_but(FAST, EDITED))
def test_the_first_violation_is_the_same(name: str) -> None:
    """Raw counters and folded ones: the same check fires at the same depth, or none does as deep as both went."""
    folded = first(builder_for(by_name(name), fold=True), OPTIONS)
    raw = first(builder_for(by_name(name), fold=False), replace(OPTIONS, max_states=16_000))
    if folded[1] is not None and (raw[1] is not None or raw[0] > folded[0]):
        assert raw == folded
    elif raw[1] is not None:
        assert folded[0] <= raw[0]
