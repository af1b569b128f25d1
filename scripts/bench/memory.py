"""Benchmark 7: the private memory of each further pCPU."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.options import BenchError, Options
from bench.pirace import configuration, prepare, supervisor
from bench.report import Report
from bench.series import Target, number, spread
from hosts.native.memory.region import SharedMemory
from hosts.native.process.configuration import Configuration
from hosts.native.process.supervisor import Supervisor

SIZES: Final = (1, 2, 4, 8, 16, 32)
AT_MOST: Final = 10.0
SCENARIO: Final = "all-to-all"
SETTLED: Final = 0.5
"""Seconds into the run at which the processes are looked at."""


def private_megabytes(pid: int) -> float:
    """Return what the process has for itself alone."""
    found = {"Private_Clean:": 0, "Private_Dirty:": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        name, *rest = line.split()
        if name in found:
            found[name] = int(rest[0])
    return sum(found.values()) / 1024


def measure(running: Supervisor, pcpus: int, seconds: float) -> list[float]:
    """Run that many pCPUs, each with a vCPU and all posting to all; return each one's private memory, well into it."""
    wanted = configuration(SCENARIO, "elide-self-2022", pcpus=pcpus)
    found: list[float] = []

    def look(memory: SharedMemory, passed: float) -> None:
        if passed > seconds / 2:
            pids = [memory.read(memory.host.cpus[cpu].pid) for cpu in range(pcpus)]
            found[:] = [private_megabytes(pid) for pid in pids]

    asked = Configuration(pcpus=pcpus, seconds=seconds, seed=1, stop_seconds=20.0)
    outcome = running.run(asked, setup=prepare(wanted), progress=look)
    if outcome.crash is not None or not found:
        raise BenchError(f"{pcpus} pCPUs: {outcome.crash or 'nobody looked at the memory in time'}")
    return found


def benchmark(options: Options) -> Report:
    """Measure ever more pCPUs."""
    report = Report("memory", f"private memory (clean and dirty) of a pCPU process, scenario {SCENARIO}, MB")
    report.head = ("pCPUs", "median", "min", "max", "all")
    sizes = SIZES[:4] if options.quick else SIZES
    worst = 0.0
    with supervisor() as running:
        for pcpus in sizes:
            found = measure(running, pcpus, 2 * SETTLED + pcpus / 10)
            worst = max(worst, *found)
            report.add_row((str(pcpus), *spread(found), number(sum(found))), {"pcpus": pcpus, "megabytes": found})
    report.targets.append(Target("private memory of any pCPU", worst, AT_MOST, unit="MB"))
    return report
