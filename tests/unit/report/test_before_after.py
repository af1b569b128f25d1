"""What a diff changes, in one sentence, from the rows before and after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hosts.report.before_after import what_changes
from hosts.runs.plan import Planned
from hosts.runs.verdict import Circumstances, Row, grade

TWO = Circumstances(processors=2, canary="caught")
WAS, IS = "v6.3.2", "v6.3.2+fix.patch"


@pytest.fixture
def rows(row: Callable[..., Planned], measured: Any) -> Callable[..., list[Row]]:
    """Make the rows of one side: of each scenario the checks that fired, and IPIs sent for 100 self-posts."""

    def make(side: str, fired: dict[str, Sequence[str]], ipis: int | None = None, ending: Any = "ended") -> list[Row]:
        made = []
        for scenario, checks in fired.items():
            planned = row(scenario, "elide-self-2022")
            policy = replace(planned.policy, name=side)
            counts = {"self_posts": 100, "ipis_sent": ipis} if ipis is not None else {}
            what = replace(TWO, ending=ending)
            made.append(grade(replace(planned, policy=policy), measured(*checks, **counts), what))
        return made

    return make


def test_a_violation_that_the_diff_mends_is_told_with_what_it_saves(rows: Callable[..., list[Row]]) -> None:
    """The sentence that a maintainer wants to read."""
    before = rows(WAS, {"device-irq": ["C2"], "tscdeadline-immed": []}, 100)
    after = rows(IS, {"device-irq": [], "tscdeadline-immed": []}, 0)
    assert what_changes("path/fix.patch", before, after) == (
        "fix.patch: before: C2 in device-irq; after: clean, no IPI for a self-post instead of 1.00."
    )


def test_a_violation_that_the_diff_makes_is_told_with_its_rows(rows: Callable[..., list[Row]]) -> None:
    """Several of one kind in one breath."""
    before = rows(WAS, {"remote-post": [], "kick": [], "halt-wake": ["C2"]})
    after = rows(IS, {"remote-post": ["C3"], "kick": ["C3"], "halt-wake": ["C2"]})
    assert what_changes("fix.patch", before, after) == (
        "fix.patch: before: C2 in halt-wake; after: C3 in remote-post and kick, C2 in halt-wake."
    )


def test_nothing_that_changes_is_told_with_what_was_compared(rows: Callable[..., list[Row]]) -> None:
    """So that nobody takes a small comparison for a large one."""
    before, after = (rows(side, {"kick": [], "tscdeadline-immed": []}, 0) for side in (WAS, IS))
    assert what_changes("fix.patch", before, after) == (
        "fix.patch changes nothing that shows here: before and after clean, no IPI for a self-post "
        "(2 rows compared, and what a self-post costs)."
    )
    before, after = (rows(side, {"kick": ["C9"]}) for side in (WAS, IS))
    assert what_changes("fix.patch", before, after).endswith("before and after C9 in kick (1 row compared).")


def test_a_change_of_the_cost_alone_is_one(rows: Callable[..., list[Row]]) -> None:
    """What a self-post costs is what most of these patches are about."""
    before, after = (rows(side, {"tscdeadline-immed": []}, ipis) for side, ipis in ((WAS, 0), (IS, 50)))
    assert what_changes("fix.patch", before, after) == (
        "fix.patch changes what it costs: before: no IPI for a self-post; after: 0.50 IPIs for a self-post instead of "
        "none; before and after clean."
    )


def test_what_proves_nothing_is_not_called_clean(rows: Callable[..., list[Row]]) -> None:
    """A row without time is no row without faults."""
    before, after = rows(WAS, {"kick": []}), rows(IS, {"kick": []}, ending="no time")
    assert "before: clean; after: clean in 0 rows of 1, INCONCLUSIVE in kick" in what_changes("x", before, after)


def test_rows_of_one_side_alone_are_not_compared(rows: Callable[..., list[Row]]) -> None:
    """After Ctrl-C one side may be there and the other not."""
    cancelled = rows(IS, {"kick": []}, ending="cancelled")
    cancelled = [replace(row, measured=replace(row.measured, seconds=0.0)) for row in cancelled]
    assert "nothing was compared" in what_changes("fix.patch", rows(WAS, {"kick": []}), cancelled)
