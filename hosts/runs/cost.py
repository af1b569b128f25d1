"""Cost of a policy: exact counts per self-post, and the emulator's round-trip time."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hosts.runs.plan import COST_SCENARIOS, TIMED_SCENARIO
from hosts.runs.verdict import Row

PER_SELF_POST: Final = ("ipis_sent", "notifications_spurious", "vm_entries", "syncs")
"""Counters that are given per self-post."""


@dataclass(frozen=True)
class Cost:
    """The cost of one policy in one scenario."""

    policy: str
    scenario: str
    self_posts: int
    counts: Mapping[str, int]
    round_trips: tuple[float, ...]
    """Nanoseconds per self-post, one for each repeat; empty where nothing is timed."""

    def per_self_post(self, counter: str) -> float:
        """Return a count per self-post."""
        return self.counts[counter] / self.self_posts

    @property
    def spread(self) -> tuple[float, float, float] | None:
        """Return minimum, median and maximum of the round trips."""
        if not self.round_trips:
            return None
        return min(self.round_trips), statistics.median(self.round_trips), max(self.round_trips)


def costs(rows: Iterable[Row]) -> list[Cost]:
    """Return the costs that the run has measured, by scenario."""
    found = [
        Cost(
            row.planned.policy.name,
            row.planned.scenario.name,
            row.measured.counts["self_posts"],
            row.measured.counts,
            row.round_trips if row.planned.scenario.name == TIMED_SCENARIO else (),
        )
        for row in rows
        if row.planned.mutation is None
        and row.planned.scenario.name in COST_SCENARIOS
        and row.measured.counts["self_posts"]
    ]
    return sorted(found, key=lambda cost: COST_SCENARIOS.index(cost.scenario))
