"""The canaries that the table of expected verdicts does not name, caught for real.

Measured on two busy processors: 20 of 20 for each scenario and placement, within half a second of the five they have.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hosts.soak.plan.canaries import CANARIES_BESIDE_TABLE, canary_of
from hosts.soak.plan.choose import CANARY_SECONDS
from hosts.soak.task import Task
from hosts.soak.workers.job import do_task
from hosts.soak.workers.local_executor import LocalExecutor
from tests.harness.driven import UP_SECONDS

pytestmark = pytest.mark.timeout(6 * UP_SECONDS)  # the first may have to compile


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """Return one worker for all."""
    with LocalExecutor() as made:
        yield made


@pytest.mark.parametrize(("scenario", "pcpus"), [("timer-slowpath", 1), ("all-to-all", 2), ("halt-wake", 2)])
def test_a_canary_is_caught_before_its_time_is_over(executor: LocalExecutor, scenario: str, pcpus: int) -> None:
    """And is what its row expects; done again as any other run it is expected by nobody, but by the table."""
    row = canary_of(scenario, pcpus, "unpinned")
    assert row is not None
    assert row.mutation is not None
    given = {"scenario": scenario, "policy": row.policy.name, "mutation": row.mutation.name, "pcpus": pcpus}
    result = executor.submit(do_task, Task(**given, canary=True, seconds=CANARY_SECONDS)).result()
    assert (result.verdict, result.as_expected) == ("VIOLATION", True)
    assert result.seconds < CANARY_SECONDS
    assert (result.record["canary"], result.record["expected"]) == (True, "VIOLATION")
    again = executor.submit(do_task, Task(**given, seconds=0.3)).result()
    assert again.verdict == "VIOLATION"
    assert again.as_expected == (None if scenario in CANARIES_BESIDE_TABLE else True)
