"""Shares of a stress run's time: on a busy machine every row gets less, not only the last ones.

Processes take time to start and to end, more of it on a busy machine. That is measured, and set aside for all that is
to come; then every row gets the same part of what it takes in a run of ordinary length. What a row without an answer
may still wait for (a sighting, a window) it gets when all have had their share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from hosts.runs.plan import OVERHEAD_SECONDS, Group, Plan, Planned

AT_LEAST: Final = 0.5
"""The share of its usual time that a row gets beyond the run's length, if the run's limit allows it for all rows."""
FOR_THE_WAITING: Final = 0.25
"""The largest share of the time left that is reserved for rows that wait for a sighting or a window."""
ENOUGH: Final = 1.2
"""Safety factor on the time that would likely be enough."""


class Shares:
    """The time of one run."""

    def __init__(self, plan: Plan, clock: Callable[[], float], seconds: float, limit: float) -> None:
        self._plan = plan
        self._clock = clock
        self._aim = clock() + seconds
        self._end = clock() + limit
        self._rows = list(plan.rows)
        """The rows to come."""
        self._starting = OVERHEAD_SECONDS
        self._started = 1

    @property
    def left(self) -> float:
        """Seconds until nothing is started any more."""
        return max(0.0, self._end - self._clock())

    def note_start(self, overhead: float) -> None:
        """Note the overhead of a run: starting and ending its processes."""
        self._starting += overhead
        self._started += 1

    @property
    def overhead(self) -> float:
        """The average overhead of a run so far, in seconds."""
        return self._starting / self._started

    @property
    def in_one_go(self) -> bool:
        """Return whether each row to come is run once: starting several times would take half of the time left."""
        return self._overhead_of(_stints(self._rows)) > self.left / 2

    def take(self, group: Group, exploring: float, waiting: float) -> list[float]:
        """Return the seconds of the rows of the next group.

        ``exploring``: seconds kept for that; ``waiting``: what rows without an answer would like to have.
        """
        weight = sum(planned.nominal_seconds for planned in self._rows)
        stints = len(self._rows) if self.in_one_go else _stints(self._rows)
        usual = self._aim - self._clock()
        kept = exploring + self._overhead_of(stints)
        usual -= kept + min(waiting, FOR_THE_WAITING * max(0.0, usual))
        part = max(0.0, usual / weight, min(AT_LEAST, (self.left - kept) / weight))
        self._rows = self._rows[len(group) :]
        return [part * planned.nominal_seconds for planned in group]

    def enough(self, exploring: float, waiting: float) -> float:
        """Return what the whole run would likely have had to take on this machine, as it was, for every row."""
        races = sum(planned.nominal_seconds for planned in self._plan.rows)
        starts = self._overhead_of(_stints(self._plan.rows))
        return ENOUGH * (races + starts + exploring + waiting)

    def _overhead_of(self, stints: int) -> float:
        return stints * self.overhead


def _stints(rows: Iterable[Planned]) -> int:
    return sum(planned.stints for planned in rows)
