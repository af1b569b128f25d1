"""pCPUs run on the processors that they were given, and a run that cannot have them says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hosts.native.process.configuration import Configuration
from tests.harness import roots
from tests.harness.driven import UP_SECONDS, Driven

NO_PROCESSOR = 1 << 16
"""More than Linux can number."""

pytestmark = pytest.mark.timeout(2 * UP_SECONDS)

allowed = sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    "processors",
    [(allowed[-1], allowed[0]), (allowed[0], allowed[-1], allowed[0]), (allowed[0],) * 2],
    ids=["apart", "more than processors", "together"],
)
def test_each_pcpu_runs_where_it_was_put(root: Path, processors: tuple[int, ...]) -> None:
    """In the order given, whatever the placement says; waits know when two share a processor."""
    named = "/".join(map(str, processors))
    with Driven(root, roots.FLOOD, len(processors), 0.3, argument=0xF2, placement="unpinned", processors=named) as run:
        assert run.event("up")["places"] == [[processor] for processor in processors]
        result = run.outcome()
    assert result["crowded"] == (len(set(processors)) < len(processors))
    assert (result["crash"], result["undelivered"]) == (None, [])


def test_a_processor_that_is_not_there_ends_the_run_before_it_begins(root: Path) -> None:
    """One clear reason, no process: what a campaign enters as a row when a processor was taken away."""
    with Driven(root, roots.FLOOD, 2, 0.3, argument=0xF2, processors=f"{allowed[0]}/{NO_PROCESSOR}") as run:
        result = run.outcome()
    assert result["crash"] == f"processor {NO_PROCESSOR} is offline, or kept from this process"
    assert result["exit_codes"] == []


def test_every_pcpu_needs_a_processor_or_none_has_one() -> None:
    """Two processors say nothing of the third pCPU."""
    with pytest.raises(ValueError, match="3 pCPUs cannot be placed by 2 processors"):
        Configuration(pcpus=3, seconds=1.0, processors=(0, 1))
