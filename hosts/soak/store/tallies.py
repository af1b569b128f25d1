"""Tallies of a campaign's runs by cell: the choice of the next task and the assessment are made from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from hosts.runs.verdict import Verdict
from hosts.soak.store.rows import State
from hosts.soak.task import Task


class Cell(NamedTuple):
    """A configuration: all of a task but the seed, the processors and the length."""

    kind: str
    scenario: str
    policy: str
    mutation: str | None
    pcpus: int
    place: str
    regime: str
    scope: str
    canary: bool = False
    """It ends once it is caught; the same seeded bug may also be raced in full, if the user asks for it."""

    @classmethod
    def of(cls, task: Task) -> Self:
        """Return the cell of a task."""
        return cls(*(getattr(task, name) for name in cls._fields))


class CanaryKey(NamedTuple):
    """The scenario and placement that a canary stands for."""

    scenario: str
    place: str

    @classmethod
    def of(cls, cell: Cell) -> Self:
        """Return the scenario and placement of a cell."""
        return cls(cell.scenario, cell.place)


class Entry(NamedTuple):
    """The part of a run that is tallied."""

    id: int
    state: State
    cell: Cell
    verdict: str = ""
    as_expected: bool | None = None
    seconds: float = 0.0
    sightings: int = 0
    disagreements: int = 0
    windows: Mapping[str, int] = {}
    kept: bool = False


@dataclass
class Tally:
    """The totals of a cell's runs."""

    runs: int = 0
    """Finished ones; so is everything below, unless it says otherwise."""
    seconds: float = 0.0
    sightings: int = 0
    windows: Counter[str] = field(default_factory=Counter)
    """How often each race window was entered, of those that were."""
    verdicts: Counter[str] = field(default_factory=Counter)
    unexpected: int = 0
    first_unexpected: int = 0
    """Its number; 0: none."""
    disagreeing: int = 0
    """Runs of which two accountings of a quantity differ."""
    first_disagreeing: int = 0
    kept: int = 0
    """Runs not as expected that were kept whole."""
    kept_expected: int = 0
    last: int = 0
    """The number of the last run begun."""
    running: int = 0
    interrupted: int = 0


@dataclass
class CanaryTally:
    """The totals of the canaries of a scenario and placement."""

    runs: int = 0
    caught: int = 0
    last: int = 0
    """The number of the last one; 0: there was none."""
    last_caught: bool = False
    after: list[int] = field(default_factory=list)
    """The runs there that are not canaries and have a larger number."""

    @property
    def since(self) -> int:
        """The number of runs since the last canary."""
        return len(self.after)


class Tallies:
    """All cells and canaries. The order in which runs end does not matter."""

    def __init__(self) -> None:
        self.cells: dict[Cell, Tally] = {}
        self.canaries: dict[CanaryKey, CanaryTally] = {}

    def begin(self, number: int, cell: Cell) -> None:
        """Count a run that is under way."""
        tally = self.cells.setdefault(cell, Tally())
        tally.running += 1
        tally.last = max(tally.last, number)

    def end(self, entry: Entry) -> None:
        """Count a run that was under way."""
        tally = self.cells[entry.cell]
        tally.running -= 1
        if entry.state == "interrupted":
            tally.interrupted += 1
            return
        _finish(tally, entry)
        if entry.cell.kind == "race" and entry.verdict not in (Verdict.CANCELLED, Verdict.SKIPPED):
            self._canary(self.canaries.setdefault(CanaryKey.of(entry.cell), CanaryTally()), entry)

    @staticmethod
    def _canary(tally: CanaryTally, entry: Entry) -> None:
        if not entry.cell.canary:
            if entry.id > tally.last:
                tally.after.append(entry.id)
            return
        caught = entry.verdict == Verdict.VIOLATION and entry.as_expected is not False
        tally.runs += 1
        tally.caught += caught
        if entry.id > tally.last:
            tally.last, tally.last_caught = entry.id, caught
            tally.after = [number for number in tally.after if number > entry.id]


def _finish(tally: Tally, entry: Entry) -> None:
    tally.runs += 1
    tally.seconds += entry.seconds
    tally.sightings += entry.sightings
    tally.windows.update(entry.windows)
    tally.verdicts[entry.verdict] += 1
    if entry.as_expected is False:
        tally.unexpected += 1
        tally.first_unexpected = _first(tally.first_unexpected, entry.id)
    if entry.disagreements:
        tally.disagreeing += 1
        tally.first_disagreeing = _first(tally.first_disagreeing, entry.id)
    if is_alarming(entry):
        tally.kept += entry.kept
    else:
        tally.kept_expected += entry.kept


def is_alarming(entry: Entry) -> bool:
    """Return whether a run has to be looked into: an unexpected verdict, or accountings that differ."""
    return entry.as_expected is False or entry.disagreements > 0


def _first(known: int, number: int) -> int:
    return min(known, number) if known else number
