"""A program that runs one configuration and says on its output what happens: what the tests kill.

``python -m tests.harness.drive ROOT ROLE PCPUS SECONDS [KEY=VALUE ...]``; one JSON object a line: ``starting`` before
the supervisor exists, ``up`` with the process ids once the run goes, ``end`` with the outcome, for each repeat.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from hosts.native.memory.region import SharedMemory
from hosts.native.process.configuration import AffinityMode, Configuration
from hosts.native.process.forkserver import Root
from hosts.native.process.outcome import Outcome
from hosts.native.process.supervisor import Supervisor
from hosts.signals import interrupts_raised


def say(event: str, **what: Any) -> None:
    """Write one line."""
    print(json.dumps({"event": event, **what}), flush=True)


def told(outcome: Outcome) -> dict[str, Any]:
    """Return what of an outcome can be written down."""
    memory = outcome.memory
    cpus = [memory.host.cpus[worker.cpu] for worker in outcome.workers]
    return {
        "crash": outcome.crash,
        "crowded": memory.read(memory.host.run.crowded),
        "cancelled": outcome.cancelled,
        "stuck": outcome.stuck,
        "stalled": outcome.stalled,
        "halted": outcome.halted,
        "hung": outcome.hung,
        "labels": outcome.labels,
        "evidence": dict(outcome.crash_dump),
        "seconds": outcome.seconds,
        "overhead": outcome.overhead,
        "exit_codes": [worker.exit_code for worker in outcome.workers],
        "killed": [worker.killed for worker in outcome.workers],
        "results": [memory.read(cpu.result) for cpu in cpus],
        "taken": [memory.read(cpu.taken_total) for cpu in cpus],
        "bad_frames": [memory.read(cpu.bad_frames) for cpu in cpus],
        "faulted": [memory.read(cpu.faulted) for cpu in cpus],
        "stalls": [memory.read(cpu.stalls) for cpu in cpus],
        "throttled": [memory.read(cpu.throttled) for cpu in cpus],
        "errors": [worker.error for worker in outcome.workers],
        "undelivered": [[lost.sender, lost.target, lost.kind] for lost in outcome.undelivered],
    }


def main(root: str, role: int, pcpus: int, seconds: float, options: dict[str, str]) -> None:
    """Run as often as ``repeats`` says."""
    os.chdir(options.pop("folder", "."))
    loader = options.pop("loader", "load_root")
    repeats = int(options.pop("repeats", "1"))
    placement = AffinityMode(options.pop("placement", "pinned"))
    processors = tuple(map(int, filter(None, options.pop("processors", "").split("/"))))
    more: dict[str, Any] = {key: float(value) if "." in value else int(value) for key, value in options.items()}
    configuration = Configuration(
        pcpus=pcpus, seconds=seconds, role=role, placement=placement, processors=processors, **more
    )
    say("starting")
    with Supervisor(Root(f"tests.harness.loaders:{loader}", root)) as supervisor:
        for _ in range(repeats):
            shown = False

            def progress(memory: SharedMemory, _seconds: float) -> None:
                nonlocal shown
                if not shown:
                    shown = True
                    pids = [memory.read(memory.host.cpus[cpu].pid) for cpu in range(pcpus)]
                    places = [sorted(os.sched_getaffinity(pid)) for pid in pids]
                    say("up", pids=pids, server=supervisor.server_pid, places=places)

            say("end", **told(supervisor.run(configuration, progress=progress)))


if __name__ == "__main__":
    file, role, pcpus, seconds, *rest = sys.argv[1:]
    with interrupts_raised():  # as the command does
        main(file, int(role), int(pcpus), float(seconds), dict(item.split("=") for item in rest))
