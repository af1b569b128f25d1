"""Keyed local states are sound: threads keyed by frames and locals do what threads keyed by their whole history do.

Every scenario with every mutation, at a small scope, both kinds of threads side by side. A wrong merge of two histories
shows when the second is walked on: from then on the keyed thread would do what the first one did.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from emu.expected import policy_by_name
from emu.mutations import MUTATIONS
from emu.workload.scenarios import SCENARIOS, Scenario
from hosts.explorer.build import Builder
from hosts.explorer.model.options import Options
from hosts.explorer.model.semantics import Product, State
from hosts.explorer.threads.harness import scope_of
from tests.choice import slow_but
from tests.explore.exactly import builder_of, learnt, levels, pairs_of, projected, strolled, until_stable, variant_of

pytestmark = pytest.mark.timeout(300)

ACTS = {
    "remote-post": "post:34 | post:35",
    "self-vs-remote": "post:34",
    "device-irq": "device",
    "halt-wake": "post:34",
    "kick": "kick | post:34",
}
"""One act of each kind; other scenarios as they are explored by default."""
OPTIONS = Options(buffer=2)
POLICIES = [
    policy_by_name(name).number for name in ("elide-self-2022", "always-2021", "kick-2016", "skip-running-2020")
]
EDITED = [mutation for mutation in MUTATIONS if mutation.edits]
UNTASKED = [each for each in SCENARIOS if each.tasks == 0]
"""Threads keyed by their whole history do not switch tasks: those are compared with brute force (test_tasks.py)."""
FAST = [each for each in UNTASKED if each.name in ("device-irq", "tscdeadline-immed")]


def mask(builder: Builder, *, on: bool) -> None:
    """Forget dead locals, or keep them all."""
    builder.world.forget = on


def compared(builder: Builder, seed: str, strolls: int = 4, steps: int = 80) -> int:
    """Stroll with pairs, which compare, where keyed threads have been; give how many histories were merged."""

    def attempt() -> int:
        draw = random.Random(seed)
        model, pairs = pairs_of(builder)
        learnt(replace(model, threads=[pair.keyed for pair in pairs]), OPTIONS, draw, near=20, walks=1, steps=steps)
        for pair in pairs:
            for _ in range(strolls):
                strolled(pair, draw, steps)
        return sum(pair.merged() for pair in pairs)

    return until_stable(attempt)


@pytest.mark.parametrize("scenario", slow_but(FAST, UNTASKED), ids=lambda scenario: scenario.name)
def test_a_merged_history_goes_on_like_the_one_before(scenario: Scenario) -> None:
    """Under every mutation, the policies in turn, dead locals forgotten or not: same operations, windows, sightings."""
    builder = builder_of(scope_of(scenario, ACTS.get(scenario.name)), POLICIES[0], None)
    merged = 0
    for number, mutation in enumerate([None, None, *EDITED]):
        builder = variant_of(builder, POLICIES[number % 4], mutation)
        mask(builder, on=(number // 4 + number) % 2 == 1)
        merged += compared(builder, f"{scenario.name} {number}")
    assert merged > 200


@pytest.mark.parametrize("scenario", slow_but(FAST, UNTASKED), ids=lambda scenario: scenario.name)
def test_equal_depths_reach_equal_states(scenario: Scenario) -> None:
    """Breadth first from the start: what is reached in so many moves is the same set of states, seen by its keys."""
    first = builder_of(scope_of(scenario, ACTS.get(scenario.name)), POLICIES[0], None)
    for mutation in (None, EDITED[2]):
        builder = variant_of(first, POLICIES[0], mutation)

        def attempt() -> int:
            model, pairs = pairs_of(builder)  # noqa: B023 - called at once
            exact = levels(Product(model, OPTIONS), 200)
            keyed = levels(Product(replace(model, threads=[pair.keyed for pair in pairs]), OPTIONS), 200)
            reached: set[State] = set()
            known: set[State] = set()
            depth = 0
            for depth, (histories, states) in enumerate(zip(exact, keyed, strict=False)):
                reached |= {projected(state, pairs) for state in histories}
                known |= states
                assert reached == known, depth
            return depth

        assert until_stable(attempt) >= 3
