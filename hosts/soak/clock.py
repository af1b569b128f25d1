"""Time: durations by the monotonic clock; the wall clock is for people to read and for nothing else."""

from __future__ import annotations

import time
from typing import Final

CLOCK_STEP_SECONDS: Final = 1.0
"""Seconds of a step of the wall clock that are reported; smaller ones are the trimming of a time daemon."""


class Clock:
    """The machine's clocks."""

    def now(self) -> float:
        """Return the monotonic time in seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Return the wall time, which may jump."""
        return time.time()

    def label(self) -> str:
        """Return the wall time as text."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.wall()))


class Stopwatch:
    """Measures the time since it was made."""

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
        """Seconds by which the wall clock was set, or the machine slept; 0: no more than the usual trimming."""
        moved = self._clock.wall() - self._clock.now() - self._offset
        return moved if abs(moved) >= CLOCK_STEP_SECONDS else 0.0
