"""A machine of words that tests fill, a clock that they set, and a runner that does what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from emu.expected import policy_by_name
from emu.machine import Machine
from emu.memory import WORD_BYTES
from emu.mutations import MUTATIONS
from emu.observe.accounting import CHECKS, COUNTERS, RECORD_WORDS, WINDOWS
from emu.workload.scenarios import SCENARIOS
from hosts.runs.collect import MachineWords, Measured, Violation
from hosts.runs.plan import Planned, planned
from hosts.runs.runner import Ended, Request, Watch

STEP = 0.01
"""Seconds between two looks of a watch."""


@dataclass
class Words:
    """A machine's words, filled by name."""

    words: MachineWords = field(default_factory=lambda: np.zeros(Machine.nbytes // WORD_BYTES, np.int64))

    def count(self, counter: str, number: int, cpu: int = 0) -> Words:
        """Set a counter."""
        self.words[Machine(0).pcpus[cpu].counters[COUNTERS.index(counter)] // WORD_BYTES] = number
        return self

    def window(self, name: str, number: int = 1, cpu: int = 0) -> Words:
        """Set a window's counter."""
        self.words[Machine(0).pcpus[cpu].windows[WINDOWS.index(name)] // WORD_BYTES] = number
        return self

    def record(self, check: str, values: list[int], cpu: int = 0) -> Words:
        """Write a check's record."""
        at = Machine(0).pcpus[cpu].records[CHECKS.index(check) * RECORD_WORDS] // WORD_BYTES
        self.words[at : at + len(values)] = values
        return self


@pytest.fixture
def blank() -> Callable[[], Words]:
    """Return machines of zeroes."""
    return Words


class Clock:
    """Time that only moves when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Read it."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


Deed = Callable[[Request], Words]


class ScriptedRunner:
    """Lets a request's time pass, asking the watch as a host does, and ends as the script says."""

    def __init__(self, clock: Clock, deed: Deed, overhead: float = 0.05) -> None:
        self.clock = clock
        self.deed = deed
        self.overhead = overhead
        self.requests: list[Request] = []
        self.endings: Iterator[Mapping[str, object]] = iter(())

    def run(self, request: Request, watch: Watch) -> Ended:
        """Run one."""
        self.requests.append(request)
        words = self.deed(request).words
        self.clock.now += self.overhead
        begun = self.clock.now
        watch.progress(words, 0.0)
        while self.clock.now - begun < request.seconds - 1e-9 and not watch.enough(words):
            self.clock.now += min(STEP, request.seconds - (self.clock.now - begun))
        ending = next(self.endings, {})
        return Ended(words, self.clock.now - begun, self.overhead, **ending)  # type: ignore[arg-type]


@pytest.fixture
def scripted(clock: Clock) -> Callable[[Deed], ScriptedRunner]:
    """Return runners that do as they are told."""
    return lambda deed: ScriptedRunner(clock, deed)


def _row(scenario: str, policy: str, mutation: str | None = None, pcpus: int = 2) -> Planned:
    chosen = next(each for each in SCENARIOS if each.name == scenario)
    seeded = next((each for each in MUTATIONS if each.name == mutation), None)
    return planned(chosen, policy_by_name(policy), seeded, pcpus)


@pytest.fixture
def row() -> Callable[..., Planned]:
    """Plan single configurations by name."""
    return _row


def _measured(*fired: str, windows: tuple[str, ...] = WINDOWS, seconds: float = 1.0, **counts: int) -> Measured:
    return Measured(
        dict.fromkeys(COUNTERS, 0) | counts,
        {window: int(window in windows) for window in WINDOWS},
        tuple(Violation(check, 3, {"pcpu": 0}) for check in fired),
        seconds,
    )


@pytest.fixture
def measured() -> Callable[..., Measured]:
    """Make up what a configuration has counted."""
    return _measured
