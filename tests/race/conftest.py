"""One fork server with the compiled program for all races of a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from emu.expected import by_name, expected, policy_by_name
from emu.workload.scenarios import SCENARIOS
from hosts.runs.collect import MachineWords, Measured, collect, count_fired, fabric_violation
from hosts.runs.native_runner import built, native_runner
from hosts.runs.plan import AT_THE_END, Planned
from hosts.runs.runner import Regime, Request, Runner

LONGEST_SECONDS = 160.0
"""What a race that must be lost is given; it ends as soon as it is. The rarest one is seen in well under 5 s in the
median on two idle processors. With a busy loop beside each pCPU, both run at once a quarter of the time: seen as a
Poisson process, one that then takes 16 s in the mean is missed for 160 s once in 20,000 runs."""

REGIMES: tuple[Regime, ...] = ("calm", "delays", "starvation")

Race = Callable[..., "Raced"]


@dataclass
class Raced:
    """What came of a race."""

    measured: Measured
    checks: set[str]
    crash: str | None


class _Watch:
    def __init__(self, planned: Planned, sought: tuple[str, ...]) -> None:
        self.planned = planned
        self.sought = tuple(check for check in sought if check not in AT_THE_END)

    def enough(self, words: MachineWords) -> bool:
        return bool(self.sought) and count_fired(words, self.planned.pcpus, self.sought) > 0

    def progress(self, words: MachineWords, seconds: float) -> None:
        pass


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """Build the program if it is not in the cache, and start the fork server, of which a process has one at a time."""
    program = built(None, lambda *_: None)
    with native_runner(program) as runner:
        yield runner


def planned_race(scenario: str, policy: str, mutation: str | None, pcpus: int | None) -> Planned:
    """Plan one row as the stress run does on two processors."""
    chosen = next(each for each in SCENARIOS if each.name == scenario)
    return Planned(
        chosen,
        policy_by_name(policy),
        by_name(mutation) if mutation else None,
        expected(scenario, policy, mutation),
        pcpus or max(chosen.pcpus, 2 if chosen.grows else 1),
    )


@pytest.fixture
def race(runner: Runner) -> Race:
    """Return the function that runs one race: for its seconds, or until one of the checks that are sought has fired."""

    def run(
        scenario: str,
        policy: str,
        mutation: str | None = None,
        *,
        seconds: float,
        sought: tuple[str, ...] = (),
        pcpus: int | None = None,
        regime: Regime | None = None,
    ) -> Raced:
        planned = planned_race(scenario, policy, mutation, pcpus)
        measured, checks, spent, stint = Measured(), set[str](), 0.0, 0
        while spent < seconds:
            chosen = regime or REGIMES[stint % len(REGIMES)]
            request = Request(planned, min(seconds - spent, 0.4 * 2**stint), 1000 + stint, chosen, "pinned")
            ended = runner.run(request, _Watch(planned, sought))
            assert ended.crash is None, ended.crash
            now = collect(ended.words, planned.pcpus, ended.seconds)
            checks |= {each.check for each in now.violations + fabric_violation(ended.undelivered)}
            measured += now
            spent, stint = spent + max(ended.seconds, 0.01), stint + 1
            if checks & set(sought):
                break
        return Raced(measured, checks, None)

    return run


def two_processors() -> bool:
    """Return whether two pCPUs can really run at once."""
    return len(os.sched_getaffinity(0)) >= 2
