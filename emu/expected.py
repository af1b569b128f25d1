"""The expected verdict of every scenario x policy x mutation, as a table."""

from __future__ import annotations

from dataclasses import dataclass

from emu.mutations import MUTATIONS, Mutation, Outcome, Row
from emu.workload.scenarios import POLICIES, PolicyInfo

SHORT = {"always": "always-2021", "elide": "elide-self-2022", "kick": "kick-2016", "skip": "skip-running-2020"}


@dataclass(frozen=True)
class Expectation:
    """What a configuration must give; ``checks`` are those of which at least one must fire."""

    outcome: Outcome
    checks: tuple[str, ...] = ()


PASSES = Expectation("PASS")


def expected(scenario: str, policy: str, mutation: str | None) -> Expectation | None:
    """Look a configuration up; None if the table does not say (a user's policy, a mutation elsewhere)."""
    if mutation is None:
        return expected_unmutated(scenario, policy)
    for row in by_name(mutation).rows:
        if row.scenario == scenario and policy in policies_of(row):
            return Expectation(row.outcome, row.checks)
    return None


def expected_unmutated(scenario: str, policy: str) -> Expectation | None:
    """``skip-running-2020`` loses wake-ups when the post comes from an interrupt on the target's own pCPU."""
    if policy not in {each.name for each in POLICIES}:
        return None
    if policy == "skip-running-2020" and scenario == "device-irq":
        return Expectation("VIOLATION", ("C2", "C7"))
    return PASSES


def policies_of(row: Row) -> tuple[str, ...]:
    """Spell a row's policies out."""
    return tuple(SHORT[short] for short in row.policies.split())


def by_name(mutation: str) -> Mutation:
    """Return the mutation of that name; KeyError if there is none."""
    for each in MUTATIONS:
        if each.name == mutation:
            return each
    raise KeyError(mutation)


def policy_by_name(name: str) -> PolicyInfo:
    """Return the policy of that name; KeyError if there is none."""
    for each in POLICIES:
        if each.name == name:
            return each
    raise KeyError(name)


def controls() -> tuple[tuple[str, str, str], ...]:
    """Return every (scenario, policy, mutation) that the table says something about."""
    return tuple(
        (row.scenario, policy, mutation.name)
        for mutation in MUTATIONS
        for row in mutation.rows
        for policy in policies_of(row)
    )
