"""Every seeded bug of the scheduler's half, found by the explorer, is shown on real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.expected import policies_of
from emu.mutations import MUTATIONS
from emu.workload.scenarios import SCENARIOS
from hosts.cli.main import main
from tests.choice import slow_but

pytestmark = pytest.mark.timeout(300)

TASKED = {each.name for each in SCENARIOS if each.tasks}
ROWS = [
    (row.scenario, policies_of(row)[0], mutation.name)
    for mutation in MUTATIONS
    for row in mutation.rows
    if row.scenario in TASKED and row.outcome != "PASS"
]
FAST = [row for row in ROWS if row[2] == "sn-on-a-sleeper"]


@pytest.mark.parametrize(("scenario", "policy", "mutation"), slow_but(FAST, ROWS, several=True))
def test_its_witness_is_shown_each_time(tmp_path: Path, scenario: str, policy: str, mutation: str) -> None:
    """Tasks, preemption, migration and a device's post take the steps that the witness has."""
    file = str(tmp_path / "witness.json")
    asked = ["--scenario", scenario, "--policy", policy, "--mutation", mutation]
    assert main(["explore", *asked, "--witness", file]) == 0
    assert main(["replay", file, "--repeat", "2"]) == 0
