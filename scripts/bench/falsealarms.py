"""Benchmark 8: correct protocols for a long time, with other work on the machine: every violation is a false alarm."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bench.options import BenchError, Options
from bench.pirace import Run, configuration, run, supervisor
from bench.report import Report
from bench.series import Target, number
from emu.expected import expected, policies_of
from emu.mutations import MUTATIONS
from emu.workload.scenarios import POLICIES, SCENARIOS
from hosts.native.memory.layout import REGIME_DELAYS, REGIME_NONE, REGIME_STARVATION
from hosts.runs.plan import Planned

STINT: Final = 1.0
REGIMES: Final = (REGIME_NONE, REGIME_DELAYS, REGIME_STARVATION)


@dataclass
class Total:
    """What a configuration has done in all its stints."""

    seconds: float = 0.0
    rounds: int = 0
    snapshots: int = 0
    violations: int = 0
    said: list[str] = field(default_factory=list)

    def add(self, done: Run, seed: int, regime: int) -> None:
        """Count a stint."""
        self.seconds += done.measured.seconds
        self.rounds += done.measured.counts["rounds"]
        self.snapshots += done.measured.counts["snapshots"]
        self.violations += done.sightings
        self.said += [f"seed {seed}, regime {regime}: {violation}" for violation in done.measured.violations]


def correct(pcpus: int) -> list[Planned]:
    """Return every configuration that must not be convicted, the harmless mutations included."""
    found = []
    for scenario in SCENARIOS:
        size = max(pcpus, scenario.pcpus) if scenario.grows else scenario.pcpus
        for policy in POLICIES:
            says = expected(scenario.name, policy.name, None)
            if says is not None and says.outcome == "PASS":
                found.append(configuration(scenario.name, policy.name, None, size))
        for mutation in MUTATIONS:
            for row in mutation.rows:
                if row.scenario == scenario.name and row.outcome == "PASS":
                    found += [configuration(scenario.name, name, mutation.name, size) for name in policies_of(row)]
    return found


def round_and_round(wanted: list[Planned], seed: int, until: float) -> Iterator[tuple[Planned, int]]:
    """Return all configurations with one seed after another, until the time is over."""
    for number_of_round in itertools.count():
        for each in wanted:
            if time.monotonic() > until:
                return
            yield each, seed + number_of_round


@contextlib.contextmanager
def outside_load(processes: int) -> Iterator[None]:
    """Keep the machine busy with something else: each process spins for a while, then sleeps for a while."""
    context = multiprocessing.get_context("spawn")
    busy = [context.Process(target=be_busy, args=(os.getpid(),), daemon=True) for _ in range(processes)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.terminate()
            process.join()


def be_busy(parent: int) -> None:
    """Spin and sleep, in lengths that fit nothing else, until the parent is gone."""
    lengths = itertools.cycle((0.003, 0.05, 0.0007, 0.2, 0.011))
    while os.getppid() == parent:
        until = time.perf_counter() + next(lengths)
        while time.perf_counter() < until:
            pass
        time.sleep(next(lengths) / 3)


def benchmark(options: Options) -> Report:
    """Repeat all configurations until the time is over."""
    minutes = min(options.minutes, 0.5) if options.quick else options.minutes
    processors = len(os.sched_getaffinity(0))
    report = Report(
        "falsealarms", f"correct protocols for {minutes:g} min, {processors + 1} busy processes beside them"
    )
    report.head = ("", "seconds", "rounds", "snapshots", "violations")
    totals = {str(each): Total() for each in correct(processors)}
    seconds = options.seconds(STINT, quick=STINT / 4)
    with supervisor() as running, outside_load(processors + 1):
        for wanted, seed in round_and_round(correct(processors), options.seed, time.monotonic() + 60 * minutes):
            regime = REGIMES[seed % 3]
            try:
                totals[str(wanted)].add(run(running, wanted, seconds, seed, regime=regime), seed, regime)
            except BenchError as error:
                report.remarks.append(f"seed {seed}: {error}")
    for name, total in totals.items():
        tabulate(report, name, total)
    violations = sum(total.violations for total in totals.values())
    report.targets.append(Target("false alarms", violations, 0, unit="violations"))
    return report


def tabulate(report: Report, name: str, total: Total) -> None:
    """Add a configuration to the table."""
    counts = (total.rounds, total.snapshots, total.violations)
    report.add_row(
        (name, number(total.seconds), *(f"{count:,}" for count in counts)), {"configuration": name, **vars(total)}
    )
    report.remarks += [f"{name}: {said}" for said in total.said]
