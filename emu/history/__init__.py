"""The history: real bugs of KVM's delivery of posted interrupts, and what stands for each of them here.

A bug that something shows has rows of :class:`emu.history.bug.Shown`: a policy or a mutation, in a scenario. One that
nothing shows has the reason. A seeded bug that comes to stand for a row is one more ``Shown`` there.
"""

from __future__ import annotations

from typing import Final

from emu.history import delivery, outside, scheduling, timers
from emu.history.bug import Bug, Shown

__all__ = ["HISTORY", "Bug", "Shown"]

HISTORY: Final[tuple[Bug, ...]] = tuple(
    sorted((*delivery.BUGS, *scheduling.BUGS, *timers.BUGS, *outside.BUGS), key=lambda bug: bug.id)
)
"""All of them, by their ids."""
