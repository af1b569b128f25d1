"""Benchmark 6: 32 pCPUs on the processors there are: runs, ends, and says what such a run can and cannot show."""

from __future__ import annotations

import os
from typing import Final

from bench.options import Options
from bench.report import Report
from bench.series import Target, number
from bench.stress_command import stress

PCPUS: Final = 32
SCENARIOS: Final = ("remote-post", "self-vs-remote", "kick", "all-to-all")
ARGUMENTS: Final = ("--policy", "elide-self-2022", "--controls", "none", "--cpus", str(PCPUS))
LIMIT: Final = 180.0
OVERHEAD: Final = 30.0
SAID: Final = 3
"""Lines at the end of the output: what the run has shown."""


def benchmark(options: Options) -> Report:
    """Run each scenario that grows, and keep what the tool says."""
    seconds = options.seconds(10.0, quick=3.0)
    report = Report("many", f"{PCPUS} pCPUs on {len(os.sched_getaffinity(0))} processors, {seconds:g} s a scenario")
    report.head = ("scenario", "seconds", "status", "rounds", "IPIs", "verdicts")
    slowest = 0.0
    for scenario in SCENARIOS[: 2 if options.quick else None]:
        timed = stress(("--scenario", scenario, *ARGUMENTS, "--seconds", str(seconds)), LIMIT)
        slowest = max(slowest, timed.seconds)
        rounds = sum(result["counts"]["rounds"] for result in timed.results)
        sent = sum(result["counts"]["ipis_sent"] for result in timed.results)
        cells = (scenario, number(timed.seconds), str(timed.exit_code), f"{rounds:,}", f"{sent:,}", timed.verdicts)
        report.add_row(cells, {"scenario": scenario, "seconds": timed.seconds, "exit_code": timed.exit_code})
        report.remarks += [f"{scenario} says: {line}" for line in timed.output.splitlines() if line.strip()][-SAID:]
    report.targets.append(Target("slowest", slowest, seconds + OVERHEAD, unit="s"))
    return report
