"""Requests to the explorer: rows of scenario, policy and mutation, each with its scope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from emu.expected import PASSES, Expectation
from emu.mutations import Mutation
from emu.workload.scenarios import POLICIES, PolicyInfo, Scenario
from hosts.explorer.threads.harness import DEFAULT, DEFAULT_NAME, Scope, scope_of
from hosts.loader.own.declared import Own
from hosts.runs.own_code import OwnCode
from hosts.runs.plan import (
    Planned,
    chosen_mutations,
    chosen_policies,
    chosen_scenarios,
    declared_by,
    planned,
    refuse_lost,
)

DEFAULT_SCENARIO: Final = Scenario(
    DEFAULT_NAME, f"the default scope: {DEFAULT}, and a guest that halts and arms its timer", "issue 3", ()
)
"""The default scope, as a scenario."""


@dataclass(frozen=True)
class Asked:
    """One row to be explored."""

    planned: Planned
    scope: Scope
    own_scope: bool
    """The user has set the scope: it need not show everything that the table expects of the scenario."""

    def __str__(self) -> str:
        """Return its name."""
        return str(self.planned)


def asked_for(
    scenarios: Sequence[str],
    policies: Sequence[str],
    mutations: Sequence[str],
    scope: str | None,
    own: OwnCode | None = None,
) -> list[Asked]:
    """Return the rows; PlanError, ScopeError. ``own`` is the user's code, if it has been read."""
    chosen = chosen_scenarios(scenarios, declared_by(own)) if scenarios else (DEFAULT_SCENARIO,)
    seeded: tuple[Mutation | None, ...] = chosen_mutations(mutations) if mutations else (None,)
    return rows_of(chosen, chosen_policies(policies, own), seeded, scope, own)


def rows_of(
    scenarios: Sequence[Scenario],
    policies: Sequence[PolicyInfo],
    mutations: Sequence[Mutation | None],
    scope: str | None,
    own: OwnCode | None = None,
    declared: Own | None = None,
) -> list[Asked]:
    """Return the rows of these; PlanError of a seeded bug that a machine with the user's code does not have."""
    for mutation in mutations:
        refuse_lost(own, mutation)
    spec = own.patches if own is not None else None
    declared = declared if declared is not None else declared_by(own)
    rows = _rows(scenarios, policies, mutations, scope, declared)
    return [replace(row, planned=replace(row.planned, code=spec, own=declared)) for row in rows]


def _rows(
    scenarios: Sequence[Scenario],
    policies: Sequence[PolicyInfo],
    mutations: Sequence[Mutation | None],
    text: str | None,
    own: Own,
) -> Iterator[Asked]:
    for scenario in scenarios:
        scope = scope_of(None if scenario is DEFAULT_SCENARIO else scenario, text, own.act_numbers)
        for mutation in mutations:
            for policy in policies:
                row = planned(scenario, policy, mutation, scope.pcpus)
                yield Asked(replace(row, expectation=_expectation(row)), scope, text is not None)


def _expectation(row: Planned) -> Expectation | None:
    """Return what the table says, as the explorer has to see it: what may be seen, it sees."""
    if row.scenario is DEFAULT_SCENARIO:
        return _of_default(row)
    says = row.expectation
    return replace(says, outcome="VIOLATION") if says is not None and says.outcome == "MAY" else says


def _of_default(row: Planned) -> Expectation | None:
    """The default scope has a device interrupt in it; of seeded bugs the table speaks by scenario only."""
    if row.mutation is not None or row.policy.name not in {each.name for each in POLICIES}:
        return None
    return Expectation("VIOLATION", ("C2", "C7")) if row.policy.name == "skip-running-2020" else PASSES


def size_text(size: float) -> str:
    """Return a number of bytes as text."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} bytes"
