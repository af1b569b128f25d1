"""Time: durations by a clock that nobody sets, wall time for people to read and for nothing else."""

from __future__ import annotations

import time
from typing import Final

CLOCK_STEP_SECONDS: Final = 1.0
"""Seconds by which the wall clock has to move of its own before it is worth a word: it is always trimmed a little."""


class Clock:
    """The machine's clocks."""

    def now(self) -> float:
        """Give the seconds that durations are made of."""
        return time.monotonic()

    def wall(self) -> float:
        """Give the time of day, which may jump."""
        return time.time()

    def label(self) -> str:
        """Give the time of day as text."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.wall()))


class Stopwatch:
    """Measures from its making on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = clock.now()
        self._offset = clock.wall() - self._begun

    @property
    def elapsed(self) -> float:
        """Seconds so far."""
        return self._clock.now() - self._begun

    @property
    def moved(self) -> float:
        """Seconds by which the wall clock was set, or the machine slept; 0: no more than a trim."""
        moved = self._clock.wall() - self._clock.now() - self._offset
        return moved if abs(moved) >= CLOCK_STEP_SECONDS else 0.0
