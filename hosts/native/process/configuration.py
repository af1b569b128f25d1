"""What is asked of a run on real processes."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Final

from emu.machine import MAX_PCPUS
from emu.memory import Word
from hosts.native.memory.layout import FAULT_NONE, REGIME_NONE

ROLE_LIVE: Final = 1
"""The role of the compiled root that is the main loop of a pCPU."""
ROLE_TASK: Final = 3
"""The role of the compiled root in which a task begins."""


class AffinityMode(enum.Enum):
    """Which processors the pCPUs run on."""

    PINNED = "pinned"
    """Each on one processor of its own, round and round when there are too few."""
    SHARED = "shared"
    """All on one."""
    UNPINNED = "unpinned"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What to run. What is raced is written into the machine's words by the caller (``setup`` of ``run``)."""

    pcpus: int
    seconds: float
    seed: int = 0
    placement: AffinityMode = AffinityMode.PINNED
    processors: tuple[int, ...] = ()
    """The processor of each pCPU; if there are any, ``placement`` has no say."""
    role: int = ROLE_LIVE
    argument: int = 0
    contexts: tuple[Word, ...] = ()
    """The words that fresh contexts go into before the start: one for each task that has a stack of its own."""
    task_role: int = ROLE_TASK
    regime: int = REGIME_NONE
    fabric_fault: int = FAULT_NONE
    fault_one_in: int = 64
    stop_seconds: float = 5.0
    """How long a pCPU may take to bring what is under way to its end."""
    hang_seconds: float = 0.0
    """After how many seconds on a processor without progress a pCPU is hung, and the run ended; 0: never."""

    def __post_init__(self) -> None:
        """Refuse what no run can be."""
        if not 1 <= self.pcpus <= MAX_PCPUS:
            raise ValueError(f"a run has 1 to {MAX_PCPUS} pCPUs, not {self.pcpus}")
        if self.fault_one_in < 1:
            raise ValueError(f"one in {self.fault_one_in} is no share")
        if self.processors and len(self.processors) != self.pcpus:
            raise ValueError(f"{self.pcpus} pCPUs cannot be placed by {len(self.processors)} processors, one for each")

    def place(self) -> tuple[list[int | None], bool]:
        """Return the processor of each pCPU, if it has one, and whether several pCPUs share a processor."""
        allowed, pcpus = sorted(os.sched_getaffinity(0)), self.pcpus
        if self.processors:
            return list(self.processors), len(set(self.processors)) < pcpus
        crowded = pcpus > len(allowed) or (self.placement is AffinityMode.SHARED and pcpus > 1)
        if self.placement is AffinityMode.UNPINNED:
            return [None] * pcpus, crowded
        if self.placement is AffinityMode.SHARED:
            return [allowed[-1]] * pcpus, crowded
        return [allowed[cpu % len(allowed)] for cpu in range(pcpus)], crowded
