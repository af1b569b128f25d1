"""What the host of a replay is given: a local APIC, and the schedule of the witness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hosts.replay.messages import Executed


class Ipis(Protocol):
    """The local APIC (:class:`hosts.replay.apic.Apic`)."""

    def send(self, target: int, vector: int) -> None:
        """Let an IPI leave."""

    def in_flight(self, kind: int | None = None) -> int:
        """Count the IPIs under way to this pCPU."""

    def arrive(self, vector: int) -> bool:
        """Let one arrive."""

    def pending(self, deferrable: frozenset[int] = frozenset()) -> bool:
        """Tell whether a vector is pending, apart from those that may be taken later."""

    def acknowledge(self, deferrable: frozenset[int] = frozenset()) -> int:
        """Take the highest, apart from those."""


class Schedule(Protocol):
    """Whose turn it is (:class:`hosts.replay.scheduling_points.Turns`)."""

    def before(self, *, scheduled: bool, point: bool, begins: bool, possible: Callable[[], bool]) -> None:
        """Come back when the operation may be done."""

    def executed(self, operation: Executed) -> None:
        """Note what was done."""

    def answer(self, below: int) -> int:
        """Give the answer of a choice."""

    def called(self) -> None:
        """Note a call of a primitive."""
