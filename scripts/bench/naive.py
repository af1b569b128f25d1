"""Benchmark 1: the missing entry barrier, in pirace and in the loop that one would write today."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.options import Options
from bench.pirace import configuration, run, supervisor
from bench.probe import Probe
from bench.report import Report
from bench.series import Series, Target, interleave
from hosts.native.process.supervisor import Supervisor

LOOP: Final = Path(__file__).with_name("naive_loop.py")
POLICY: Final = "elide-self-2022"
SEEDS: Final = 20
PATIENCE: Final = 5.0
SIGHTINGS_A_SECOND: Final = 1_900.0
FIRST_WITHIN: Final = 0.1

Totals = Callable[[], dict[str, float]]


def naive(seconds: float, notify: str) -> dict[str, float]:
    """Run the loop; return rounds, sightings and notified a second."""
    command = [sys.executable, str(LOOP), "--json", "--seconds", str(seconds), "--notify", notify]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=seconds + 120)
    totals: dict[str, float] = json.loads(told.stdout)
    return {name: totals[name] / totals["seconds"] for name in ("rounds", "sightings", "notified")}


def raced(running: Supervisor, seconds: float, seed: int) -> dict[str, float]:
    """Run pirace's race of the same bug; return the same numbers."""
    done = run(running, configuration("remote-post", POLICY, "no-entry-barrier"), seconds, seed)
    sightings = done.sightings / done.measured.seconds
    return {"rounds": done.rate("rounds"), "sightings": sightings, "notified": done.rate("ipis_sent")}


def benchmark(options: Options) -> Report:
    """Race both."""
    report = Report("naive", "the missing barrier after mode = IN_GUEST_MODE, two processes on two processors")
    seconds = options.seconds(10.0, quick=1.0)
    found: dict[str, list[dict[str, float]]] = {}

    def contender(name: str, totals: Totals) -> Callable[[], float]:
        def measure() -> float:
            found.setdefault(name, []).append(totals())
            return found[name][-1]["sightings"]

        return measure

    with supervisor() as running:
        seeds = iter(range(options.seed, options.seed + 10_000))
        contenders = {
            "pirace": contender("pirace", lambda: raced(running, seconds, next(seeds))),
            "naive": contender("naive", lambda: naive(seconds, "zmq")),
            "naive, a word for an IPI": contender("naive, a word for an IPI", lambda: naive(seconds, "word")),
        }
        series = interleave(contenders, "sightings/s", options.repeats(5), Probe())
        firsts = first_sightings(running, options)
    for name, one in series.items():
        rounds = _series(f"{name}: rounds", "rounds/s", found[name], "rounds", one.probes)
        notified = _series(f"{name}: notified", "IPIs/s", found[name], "notified", one.probes)
        report.add(one, rounds, notified)
    report.add(firsts)
    pirace = series["pirace"]
    report.targets += [
        Target("sightings of the missing barrier", pirace.median, SIGHTINGS_A_SECOND, at_least=True, unit="per second"),
        Target(f"first sighting, median of {len(firsts.samples)} seeds", firsts.median, FIRST_WITHIN, unit="s"),
    ]
    report.remarks.append(f"naive is scripts/naive-stress; runs of {seconds:g} s; policy {POLICY}, all checkers on.")
    return report


def _series(name: str, unit: str, found: list[dict[str, float]], key: str, probes: tuple[float | None, ...]) -> Series:
    return Series(name, unit, tuple(each[key] for each in found), probes)


def first_sightings(running: Supervisor, options: Options) -> Series:
    """Start runs with a seed each; measure how long each takes to its first sighting."""
    wanted = configuration("remote-post", POLICY, "no-entry-barrier")
    took = []
    for seed in range(options.seed, options.seed + options.repeats(SEEDS, quick=4)):
        done = run(running, wanted, PATIENCE, seed, until_first=True)
        took.append(done.first if done.first is not None else PATIENCE)
    return Series("pirace: first sighting", "s", tuple(took))
