"""Canaries: a seeded bug for each scenario that must be caught, or else the soak's PASS verdicts there mean nothing.

The table of expected verdicts has one for most scenarios. It serves `pirace stress` and the explorer alike, and has no
row for the others: their canaries are here, each measured to show at once on two processors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from emu.expected import Expectation, by_name, policy_by_name
from emu.workload.scenarios import SCENARIOS
from hosts.runs.own_code import OwnCode
from hosts.runs.plan import (
    Planned,
    chosen_policies,
    chosen_scenarios,
    control_rows,
    patched_controls,
    planned,
    with_patches,
)
from hosts.soak.placement.core_sharing import races_on_store_buffers


@dataclass(frozen=True)
class Canary:
    """A seeded bug under a policy, and the checks of which at least one must fire."""

    policy: str
    mutation: str
    checks: tuple[str, ...]


NO_SYNC: Final = Canary("always-2021", "no-entry-sync", ("C1", "C7"))
"""A post before VM-entry stays in the PIR: the timer's own on the slow path, any sender's where all post."""
CANARIES_BESIDE_TABLE: Final[dict[str, Canary]] = {"timer-slowpath": NO_SYNC, "all-to-all": NO_SYNC}


NEED_TWO_PROCESSORS: Final = frozenset(("no-entry-barrier", "no-wait-barrier", "no-second-check"))
"""Bugs that two processors show at once and one hardly or never: a missing barrier, a window of a few instructions.
The scheduler of a busy machine may keep unpinned pCPUs on one processor for all of a canary's time."""


def canary_of(scenario: str, pcpus: int, place: str, own: OwnCode | None = None) -> Planned | None:
    """Return the canary of a scenario on a class of placement, in the machine with the user's code; None if none."""
    (found,) = chosen_scenarios([scenario])
    if own is not None and own.replaces_rule:  # what the table says of a historic rule need not hold for this one
        table = patched_controls(found, chosen_policies([], own), pcpus, own)
        rows = [row for row in table if not row.lost]
    else:
        named = [*control_rows(found, "some", pcpus), *control_rows(found, "all", pcpus)]
        rows = [row for row in (with_patches(each, own) for each in named) if not row.lost]
    shows = (row for row in rows if row.sought and row.mutation is not None and _can_show(row.mutation.name, place))
    row = next(shows, None)
    if row is not None:
        return replace(row, canary=True)
    beside = CANARIES_BESIDE_TABLE.get(scenario)
    if beside is None:
        return None
    bug = planned(found, policy_by_name(beside.policy), by_name(beside.mutation), pcpus)
    row = with_patches(as_canary(bug), own)
    return row if not row.lost else None


def _can_show(mutation: str, place: str) -> bool:
    return place != "unpinned" or mutation not in NEED_TWO_PROCESSORS


def as_canary(row: Planned) -> Planned:
    """Return a row as a canary: its bug must show, even if the table has no expectation for it."""
    own = CANARIES_BESIDE_TABLE.get(row.scenario.name)
    if row.expectation is not None or own is None or row.mutation is None or row.mutation.name != own.mutation:
        return replace(row, canary=True)
    return replace(row, canary=True, expectation=Expectation("VIOLATION", own.checks))


SCENARIOS_WITH_CANARY: Final = frozenset(
    each.name for each in SCENARIOS if canary_of(each.name, each.pcpus, "unpinned") is not None
)
"""The scenarios that have a canary."""


def may_have_canary(scenario: str, place: str, pcpus: int) -> bool:
    """Return whether a canary is required there: not where pCPUs share a processor, and so a store buffer."""
    return scenario in SCENARIOS_WITH_CANARY and races_on_store_buffers(place, pcpus)
