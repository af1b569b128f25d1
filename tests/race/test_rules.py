"""The historic rules, raced: the safe ones show nothing, the one of 2020 loses a wake-up."""

from __future__ import annotations

import pytest

from emu.workload.scenarios import POLICIES, SCENARIOS
from hosts.runs.native_runner import built, native_runner
from hosts.runs.runner import Runner
from tests.choice import slow_but
from tests.race.conftest import LONGEST_SECONDS, Race, two_processors

SECONDS = 1.2
SAFE = [
    (scenario.name, policy.name)
    for scenario in SCENARIOS
    for policy in POLICIES
    if (scenario.name, policy.name) != ("device-irq", "skip-running-2020")
]
FAST = [row for row in SAFE if row[1] == "elide-self-2022" or row[0] == "remote-post"]
"""Today's rule in every scenario, and every rule in one."""


@pytest.mark.timeout(60 + SECONDS)
@pytest.mark.parametrize(("scenario", "policy"), slow_but(FAST, SAFE, several=True))
def test_a_safe_rule_shows_nothing(race: Race, scenario: str, policy: str) -> None:
    """No checker fires on a rule that is right, disturbed or not."""
    raced = race(scenario, policy, seconds=SECONDS)
    assert raced.checks == set()
    assert raced.measured.counts["rounds"] > 0


@pytest.mark.timeout(60 + 2 * LONGEST_SECONDS)
@pytest.mark.skipif(not two_processors(), reason="a device interrupt needs a second processor to come from")
def test_the_rule_of_2020_loses_a_wake_up(race: Race) -> None:
    """A device interrupt between the block check and sleep finds the vCPU running, and is not told to wake it."""
    raced = race("device-irq", "skip-running-2020", seconds=LONGEST_SECONDS, sought=("C2",))
    assert "C2" in raced.checks
    assert raced.measured.windows["irq-between-check-and-sleep"] > 0


@pytest.mark.timeout(120)
def test_costs_are_exact(race: Race) -> None:
    """Elided posts send nothing; the others send one notification each, which finds nothing to do.

    The last of them may arrive in the guest's very last look around, and is then taken in root mode.
    """
    measured = {
        policy: race("tscdeadline-immed", policy, seconds=0.4, regime="calm").measured
        for policy in ("skip-running-2020", "always-2021", "elide-self-2022")
    }
    counts = {policy: each.counts for policy, each in measured.items()}
    for policy in ("skip-running-2020", "elide-self-2022"):
        assert counts[policy]["ipis_sent"] == 0
        assert counts[policy]["ipis_elided"] == counts[policy]["self_posts"] > 0
    always = counts["always-2021"]
    assert always["ipis_sent"] == always["self_posts"] > 0
    assert always["ipis_elided"] == 0
    in_root = measured["always-2021"].windows["notified-in-root"]
    assert always["notifications_spurious"] == always["notifications_in_guest"] + in_root
    assert always["notifications_in_guest"] > 0
    assert in_root <= 1


@pytest.mark.timeout(90)
def test_more_pcpus_than_processors(race: Race) -> None:
    """Twelve vCPUs that all post to all, on however few processors, come to an end with their books balanced."""
    raced = race("all-to-all", "elide-self-2022", seconds=1.0, pcpus=12)
    assert raced.checks == set()
    assert raced.measured.counts["posts"] > 0


def test_a_process_races_one_program_at_a_time(runner: Runner) -> None:
    """A second fork server is refused: multiprocess would take the first, and race another program than is meant."""
    second = native_runner(built(None, lambda *_: None))
    with pytest.raises(RuntimeError, match="the fork server of another program"), second:
        pass
