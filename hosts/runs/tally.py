"""The result so far of a configuration of a stress run, and what watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from hosts.runs.collect import MachineWords, Measured, collect, count_fired
from hosts.runs.explored import Explored
from hosts.runs.plan import AT_THE_END, Planned
from hosts.runs.verdict import Ending, Row

ENOUGH_SIGHTINGS: Final = 3
SOUGHT_AT_LEAST: Final = 0.15
"""Shortest time, in seconds, of a row whose check fires at once."""


class Show(Protocol):
    """What shows the run to the user."""

    def running(self, planned: Planned, measured: Measured) -> None:
        """Show how the row that runs now is doing; several times a second."""

    def exploring(self, planned: Planned) -> None:
        """Show that a row's scope is explored before it is raced."""

    def finished(self, row: Row) -> None:
        """Show a row that is finished."""


@dataclass
class Tally:
    """The result of a configuration so far."""

    planned: Planned
    budget: float = 0.0
    """Its share of the time, in seconds."""
    in_one_go: bool = False
    """Whether it is run once, as the overhead takes too much of the time."""
    measured: Measured = field(default_factory=Measured)
    stints: int = 0
    ending: Ending = "no time"
    why: str = ""
    stalled: set[int] = field(default_factory=set)
    round_trips: list[float] = field(default_factory=list)
    explored: Explored | None = None
    done: bool = False

    def satisfied(self) -> bool:
        """Return whether what is sought has been seen often enough; once, if it is looked for once in a run."""
        sought = self.planned.sought
        enough = 1 if AT_THE_END.issuperset(sought) else ENOUGH_SIGHTINGS
        return sum(map(self.measured.fired, sought)) >= enough


class Watcher:
    """Watches one run of a configuration."""

    def __init__(self, tally: Tally, show: Show, clock: Callable[[], float]) -> None:
        self._tally = tally
        self._show = show
        self._clock = clock
        self._begun: float | None = None
        self._live = tuple(check for check in tally.planned.sought if check not in AT_THE_END)
        self._before = sum(map(tally.measured.fired, self._live))
        self._at_least = SOUGHT_AT_LEAST - tally.measured.seconds

    def enough(self, words: MachineWords) -> bool:
        """Return whether the check that must fire has fired a few times."""
        if self._begun is None:  # asked for the first time: now it runs
            self._begun = self._clock()
        if not self._live or self._clock() - self._begun < self._at_least:
            return False
        return self._before + count_fired(words, self._tally.planned.pcpus, self._live) >= ENOUGH_SIGHTINGS

    def progress(self, words: MachineWords, seconds: float) -> None:
        """Show the row as it is now."""
        now = collect(words, self._tally.planned.pcpus, seconds, self._tally.planned.own)
        self._show.running(self._tally.planned, self._tally.measured + now)
