"""A program that races one configuration in a mapped file for a long time: what a test kills in the middle.

``python -m tests.soak.drive_race FILE SCENARIO POLICY MUTATION PCPUS SECONDS``; one JSON line when some turns have been
raced, another at the end.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from emu.expected import by_name, policy_by_name
from emu.observe.accounting import ROUNDS
from emu.workload.scenarios import SCENARIOS
from emu.workload.setup import choose_race, power_on
from hosts.native.memory.region import SharedMemory
from hosts.native.process.configuration import Configuration
from hosts.native.process.forkserver import Root
from hosts.native.process.supervisor import Supervisor
from hosts.native.program.build import LIVE, LOADER
from hosts.runs.native_runner import built

TURNS = 2000
"""A thousandth of a second's, and more events than a ring holds."""


def main(file: Path, scenario: str, policy: str, mutation: str, pcpus: int, seconds: float) -> None:
    """Race."""
    chosen = next(each for each in SCENARIOS if each.name == scenario)
    seeded = by_name(mutation) if mutation != "none" else None
    shown = False

    def set_up(memory: SharedMemory) -> None:
        power_on(memory.machine, pcpus, 1, memory.write)
        choose_race(memory.machine, chosen, policy_by_name(policy).number, seeded, memory.write)

    def progress(memory: SharedMemory, _seconds: float) -> None:
        nonlocal shown
        rounds = memory.read(memory.machine.pcpus[0].counters[ROUNDS])
        if not shown and rounds > TURNS:
            shown = True
            pids = [memory.read(memory.host.cpus[cpu].pid) for cpu in range(pcpus)]
            print(json.dumps({"pids": pids, "rounds": rounds}), flush=True)

    with Supervisor(Root(LOADER, built(None, lambda *_: None).path)) as supervisor:
        wanted = Configuration(pcpus=pcpus, seconds=seconds, role=LIVE, seed=7)
        outcome = supervisor.run(wanted, setup=set_up, progress=progress, memory_file=file)
        print(json.dumps({"crash": outcome.crash}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), float(sys.argv[6]))
