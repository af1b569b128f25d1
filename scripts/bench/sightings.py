"""Benchmark 4: how long each seeded bug takes to be sighted first, looked for as the stress run looks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bench.options import Options
from bench.pirace import configuration, run, supervisor
from bench.report import Report
from bench.series import Target, number, spread
from emu.expected import policies_of
from emu.mutations import MUTATIONS
from hosts.native.memory.layout import REGIME_DELAYS, REGIME_NONE, REGIME_STARVATION
from hosts.native.process.supervisor import Supervisor
from hosts.runs.plan import AT_THE_END, Planned

SEEDS: Final = 5
AT_MOST: Final = 5.0
FIRST_STINT: Final = 0.3
REGIMES: Final = (REGIME_NONE, REGIME_DELAYS, REGIME_STARVATION)
"""Calm first, then disturbed, each stint twice as long as the one before: as hosts.runs.scheduler goes about it."""


def rows() -> Iterable[tuple[Planned, str]]:
    """Return every mutation's configurations that must or may show it, with what is expected; one policy for each."""
    for mutation in MUTATIONS:
        for row in mutation.rows:
            if row.outcome != "PASS":
                yield configuration(row.scenario, policies_of(row)[0], mutation.name), row.outcome


def first_sighting(running: Supervisor, wanted: Planned, seed: int, patience: float) -> float | None:
    """Race a bug; return the seconds of running until it was sighted, None if it was not."""
    spent, stint = 0.0, 0
    while spent < patience:
        seconds = min(FIRST_STINT * 2**stint, patience - spent)
        done = run(running, wanted, seconds, seed + 1000 * stint, regime=REGIMES[stint % 3], until_first=True)
        if done.first is not None:
            return spent + done.first
        spent += done.measured.seconds
        if any(done.measured.fired(check) for check in checks_of(wanted)):
            return spent
        stint += 1
    return None


def checks_of(wanted: Planned) -> tuple[str, ...]:
    """Return the checks that show the bug."""
    return wanted.expectation.checks if wanted.expectation is not None else ()


def when(wanted: Planned) -> str:
    """Return whether the bug can be sighted while the run goes on."""
    return "at the end of a stint" if set(checks_of(wanted)) <= AT_THE_END else ""


def benchmark(options: Options) -> Report:
    """Race all of them, seed by seed, so that system noise affects all alike."""
    report = Report("sightings", "seconds of running to the first sighting of each seeded bug")
    report.head = ("mutation", "scenario", "policy", "expected", "seen", "median s", "min", "max", "")
    seeds = range(options.seed, options.seed + options.repeats(SEEDS))
    wanted = list(rows())
    found: dict[str, list[float | None]] = {str(row): [] for row, _ in wanted}
    with supervisor() as running:
        for seed in seeds:
            for row, outcome in wanted:
                patience = AT_MOST if outcome == "VIOLATION" else AT_MOST / 4
                found[str(row)].append(first_sighting(running, row, seed, patience))
    medians = [tabulate(report, row, outcome, found[str(row)]) for row, outcome in wanted]
    sought = [median for median, (_, outcome) in zip(medians, wanted, strict=True) if outcome == "VIOLATION"]
    report.targets.append(Target("slowest median of what must be seen", max(sought), AT_MOST, unit="s"))
    report.remarks.append("MAY: the explorer allows it; hardware need not show it.")
    return report


def tabulate(report: Report, row: Planned, outcome: str, times: list[float | None]) -> float:
    """Add a bug to the table; return its median, what was not sighted counting as infinitely late."""
    seen = [time for time in times if time is not None]
    all_of_them = sorted(time if time is not None else float("inf") for time in times)
    median = all_of_them[len(all_of_them) // 2]
    name = row.mutation.name if row.mutation is not None else ""
    cells = spread(seen) if seen else ("-", "-", "-")
    report.add_row(
        (name, row.scenario.name, row.policy.name, outcome, f"{len(seen)} of {len(times)}", *cells, when(row)),
        {"mutation": name, "scenario": row.scenario.name, "policy": row.policy.name, "expected": outcome, "s": times},
    )
    if outcome == "VIOLATION" and len(seen) < len(times):
        report.remarks.append(f"{row}: not seen within {number(AT_MOST)} s in {len(times) - len(seen)} run(s).")
    return median
