"""Benchmark 5: what compiling costs the user: first verdict, first round, the whole default run, cold and warm."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from bench.options import Options
from bench.report import Report
from bench.series import Series, Target
from bench.stress_command import Timed, stress
from hosts.loader.program import load_program

MANY_FUNCTIONS: Final = 80
COLD_VERDICT, COLD_VERDICT_OF_MANY, COLD_WHOLE = 20.0, 30.0, 180.0
WARM_ROUND, WARM_WHOLE = 2.0, 75.0
SHORT: Final = ("--scenario", "timer-slowpath", "--policy", "elide-self-2022", "--controls", "none")
"""The quickest row there is, one run of one pCPU: done soon after its first round."""
LIMIT: Final = 400.0


def cold(arguments: tuple[str, ...]) -> Timed:
    """Run with nothing compiled."""
    with tempfile.TemporaryDirectory(prefix="pirace-cold-") as cache:
        return stress(arguments, LIMIT, Path(cache))


def benchmark(options: Options) -> Report:
    """Run the short row cold and warm, and the default run cold and warm."""
    report = Report("compile", "pirace stress from its start: compiled now (cold) or before (warm)")
    functions = len(load_program().functions)
    repeats = options.repeats(3, quick=1)
    short_cold = [cold((*SHORT, "--seconds", "0.1")) for _ in range(repeats)]
    stress((*SHORT, "--seconds", "0.1"), LIMIT)  # so that it is warm
    short_warm = [stress((*SHORT, "--seconds", "0.1"), LIMIT) for _ in range(2 * repeats + 1)]
    first_cold = seconds("cold: first verdict", [timed.first_verdict for timed in short_cold])
    first_warm = seconds("warm: first verdict of a run of 0.1 s", [timed.first_verdict for timed in short_warm])
    report.add(first_cold, first_warm)
    verdict_limit = COLD_VERDICT_OF_MANY if functions > MANY_FUNCTIONS else COLD_VERDICT
    report.targets += [
        Target(f"cold, {functions} functions: first verdict", first_cold.median, verdict_limit, unit="s"),
        Target("warm: first round (at the latest with the first verdict)", first_warm.median, WARM_ROUND, unit="s"),
    ]
    if not options.quick:
        whole(report)
    return report


def whole(report: Report) -> None:
    """Run all of it, once cold and once warm."""
    for name, limit, timed in (("cold", COLD_WHOLE, cold(())), ("warm", WARM_WHOLE, stress((), LIMIT))):
        report.add(seconds(f"{name}: the whole default run", [timed.seconds]))
        report.add(seconds(f"{name}: its first verdict", [timed.first_verdict]))
        report.targets.append(Target(f"{name}: the whole default run", timed.seconds, limit, unit="s"))
        report.remarks.append(f"{name}: exit status {timed.exit_code}; {timed.verdicts}")


def seconds(name: str, found: list[float | None]) -> Series:
    """Make a series of times; what never came counts as endless."""
    return Series(name, "s", tuple(float("inf") if each is None else each for each in found))
