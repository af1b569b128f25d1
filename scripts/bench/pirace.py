"""pirace's own part of a benchmark: the product's compiled program, one planned configuration after another."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from bench.options import BenchError
from emu.expected import by_name, policy_by_name
from emu.workload.scenarios import SCENARIOS, Scenario
from emu.workload.setup import choose_race, power_on
from hosts.native.memory.layout import REGIME_NONE
from hosts.native.memory.region import SharedMemory
from hosts.native.process.configuration import Configuration
from hosts.native.process.forkserver import Root
from hosts.native.process.outcome import Outcome
from hosts.native.process.supervisor import Supervisor
from hosts.native.program.build import LOADER, build
from hosts.runs.collect import Measured, collect, count_fired, fabric_violation, merged
from hosts.runs.collect import Undelivered as Lost
from hosts.runs.plan import AT_THE_END, Planned, planned

_FAULT_ONE_IN: Final = 64


@dataclass(frozen=True)
class Run:
    """What a measured run gave."""

    measured: Measured
    outcome: Outcome
    first: float | None
    """Seconds from the go to the first sighting of what was looked for."""

    @property
    def sightings(self) -> int:
        """Return how often any check fired."""
        return self.measured.sightings

    def rate(self, counter: str) -> float:
        """Return a counter per second."""
        return self.measured.counts[counter] / self.measured.seconds


@contextlib.contextmanager
def supervisor() -> Iterator[Supervisor]:
    """Run the product's program, compiled if need be."""
    built = build()
    with contextlib.closing(built), Supervisor(Root(LOADER, built.path)) as running:
        yield running


def scenario_by_name(name: str) -> Scenario:
    """Return the scenario of that name."""
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


def configuration(scenario: str, policy: str, mutation: str | None = None, pcpus: int | None = None) -> Planned:
    """Name a configuration; as many pCPUs as the scenario needs at least, if nothing else is said."""
    known = scenario_by_name(scenario)
    seeded = None if mutation is None else by_name(mutation)
    return planned(known, policy_by_name(policy), seeded, known.pcpus if pcpus is None else pcpus)


def prepare(wanted: Planned) -> Callable[[SharedMemory], None]:
    """Return what writes the configuration into a machine's words."""

    def setup(memory: SharedMemory) -> None:
        power_on(memory.machine, wanted.pcpus, wanted.vcpus, memory.write)
        choose_race(memory.machine, wanted.scenario, wanted.policy.number, wanted.mutation, memory.write)

    return setup


def run(
    running: Supervisor,
    wanted: Planned,
    seconds: float,
    seed: int,
    *,
    regime: int = REGIME_NONE,
    until_first: bool = False,
    look: Callable[[SharedMemory], None] | None = None,
) -> Run:
    """Run a configuration; ``until_first`` ends it with the first sighting of a check that it must fire.

    ``look`` is called from the go to the end, a hundred times a second.
    """
    live = tuple(check for check in wanted.sought if check not in AT_THE_END)
    asked_at: list[float] = []
    first: list[float] = []

    def enough(memory: SharedMemory) -> bool:
        asked_at.append(time.monotonic())  # the first time right after the go, then every hundredth of a second
        if look is not None:
            look(memory)
        if live and not first and count_fired(memory.words, wanted.pcpus, live):
            first.append(asked_at[-1] - asked_at[0])
        return until_first and bool(first)

    fault = wanted.mutation.fabric_fault if wanted.mutation is not None else 0
    asked = Configuration(
        pcpus=wanted.pcpus, seconds=seconds, seed=seed, regime=regime, fabric_fault=fault, fault_one_in=_FAULT_ONE_IN
    )
    outcome = running.run(asked, setup=prepare(wanted), enough=enough)
    if outcome.cancelled:
        raise KeyboardInterrupt
    if outcome.crash is not None:
        raise BenchError(f"{wanted}: {outcome.crash}")
    return Run(_measured(wanted, outcome), outcome, first[0] if first else None)


def _measured(wanted: Planned, outcome: Outcome) -> Measured:
    measured = collect(outcome.words, wanted.pcpus, outcome.seconds)
    lost = tuple(Lost(each.sender, each.target, each.vector, each.sent, each.taken) for each in outcome.undelivered)
    return replace(measured, violations=merged(measured.violations + fabric_violation(lost)))
