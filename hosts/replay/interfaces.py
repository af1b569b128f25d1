"""Interfaces of the replay host: a local APIC, and the schedule of the witness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hosts.replay.messages import Executed


class Ipis(Protocol):
    """The local APIC (:class:`hosts.replay.apic.Apic`)."""

    def send(self, target: int, vector: int) -> None:
        """Send an IPI."""

    def in_flight(self, kind: int | None = None) -> int:
        """Count the IPIs under way to this pCPU."""

    def arrive(self, vector: int) -> bool:
        """Deliver one."""

    def pending(self, deferrable: frozenset[int] = frozenset()) -> bool:
        """Return whether a vector is pending, apart from those that are deferrable."""

    def acknowledge(self, deferrable: frozenset[int] = frozenset()) -> int:
        """Take the highest, apart from those."""


class Schedule(Protocol):
    """The schedule of the operations (:class:`hosts.replay.scheduling_points.SchedulingPoints`)."""

    def before(self, *, scheduled: bool, point: bool, begins: bool, sends: bool, possible: Callable[[], bool]) -> None:
        """Return when the operation may be executed."""

    def executed(self, operation: Executed) -> None:
        """Record an executed operation."""

    def answer(self, below: int) -> int:
        """Return the answer of a choice."""

    def called(self) -> None:
        """Count a call of a primitive."""

    def goes_on(self) -> None:
        """Record that the code goes on without calling a primitive."""
