"""What is asked of a run on real processes, and what came of it."""

from __future__ import annotations

import enum
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from emu.machine import MAX_PCPUS
from hosts.native.fabric.frame_kinds import KINDS, VECTOR_OF_KIND
from hosts.native.memory.layout import FAULT_NONE, REGIME_NONE
from hosts.native.memory.region import SharedMemory

ROLE_TAKE_INTERRUPTS = 0
ROLE_LIFE = 1


class Placement(enum.Enum):
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
    placement: Placement = Placement.PINNED
    processors: tuple[int, ...] = ()
    """The processor of each pCPU; if there are any, ``placement`` has no say."""
    role: int = ROLE_LIFE
    argument: int = 0
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


@dataclass(frozen=True)
class Worker:
    """How one pCPU process ended."""

    cpu: int
    pid: int
    exit_code: int | None
    """As of :mod:`subprocess`: negative for a signal; None: it had to be given up."""
    killed: bool
    """The supervisor killed it, so the exit code says nothing of its own."""
    error: int
    """errno of a libzmq call that failed for good; 0: none."""
    cpu_seconds: float
    waited_seconds: float
    """Time that it was ready to run and the machine ran something else."""

    def describe(self) -> str | None:
        """Say in a few words what went wrong, or None."""
        if self.error != 0:
            return f"pCPU {self.cpu}: libzmq failed with errno {self.error}"
        if self.killed or self.exit_code == 0:
            return None
        if self.exit_code is not None and self.exit_code < 0:
            return f"pCPU {self.cpu} was killed by {signal.Signals(-self.exit_code).name}"
        return f"pCPU {self.cpu} ended with exit code {self.exit_code}"


@dataclass(frozen=True)
class Undelivered:
    """Frames of one kind that were counted by their sender and never taken by their target."""

    sender: int
    target: int
    kind: int
    sent: int
    taken: int

    @property
    def vector(self) -> int | None:
        """The vector, where the kind stands for one only."""
        return VECTOR_OF_KIND[self.kind] if self.kind < len(VECTOR_OF_KIND) else None


@dataclass(frozen=True)
class Outcome:
    """What came of a run. Whatever happened, the words are those of its last moment."""

    memory: SharedMemory
    """The shared words as they were at the end (a copy)."""
    seconds: float
    """From the go to the stop."""
    overhead: float
    """Seconds that the run took besides."""
    workers: tuple[Worker, ...]
    crash: str | None = None
    """What went wrong with the processes, or None."""
    fault: tuple[int, int, int] | None = None
    """If it crashed for what the user's rule did: ``where``, ``value`` and ``bound`` of ``rule_fault``."""
    cancelled: bool = False
    stuck: tuple[int, ...] = ()
    """pCPUs that did not end after the stop and were killed."""
    stalled: tuple[int, ...] = ()
    """pCPUs whose heartbeat stood still for longer than a second at some time of the run."""
    halted: tuple[int, ...] = ()
    """Of these the pCPUs that a signal had stopped, so that the run could not come to its end: no crash, and what only
    an end tells is not known."""
    undelivered: tuple[Undelivered, ...] = field(default=())
    hung: tuple[int, ...] = ()
    """pCPUs that were let run and made no progress."""
    lacking: bool = False
    """It crashed because the machine has not enough of something, and so will the next."""
    labels: tuple[str, ...] = ()
    """What the machine did to the run: who was stopped, who got no processor, for how long."""
    strayed: tuple[int, ...] = ()
    """pCPUs that at the end were not on the processor that they had been put on, or free to leave it; labelled."""
    evidence: Mapping[str, str] = field(default_factory=dict)
    """Of what hung, was stuck or died of a fault: stacks and what the kernel said of it, by file name."""

    @property
    def words(self) -> npt.NDArray[np.int64]:
        """All shared words at the end."""
        return self.memory.words


def undelivered(memory: SharedMemory, pcpus: int) -> tuple[Undelivered, ...]:
    """Compare, per sender, target and kind, what was sent with what was taken."""
    cpus = [memory.host.cpus[cpu] for cpu in range(pcpus)]
    sent = np.stack([memory.slice(cpu.sent.at, KINDS * MAX_PCPUS).reshape(KINDS, MAX_PCPUS) for cpu in cpus])
    taken = np.stack([memory.slice(cpu.taken.at, KINDS * MAX_PCPUS).reshape(KINDS, MAX_PCPUS) for cpu in cpus])
    taken = taken.transpose(2, 1, 0)[:pcpus]  # by sender, kind, target, as sent is
    found = np.argwhere(sent[:, :, :pcpus] != taken)
    return tuple(
        Undelivered(s, t, k, int(sent[s, k, t]), int(taken[s, k, t])) for s, k, t in (map(int, row) for row in found)
    )
