"""What came of a run on real processes."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from emu.machine import MAX_PCPUS
from hosts.native.fabric.frame_kinds import KINDS, VECTOR_OF_KIND
from hosts.native.memory.region import SharedMemory


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

    def describe(self) -> str | None:
        """Return what went wrong in a few words, or None."""
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
    """What came of a run. Whatever happened, the words are those at its end."""

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
    the end of a run shows is not known."""
    undelivered: tuple[Undelivered, ...] = field(default=())
    hung: tuple[int, ...] = ()
    """pCPUs that were let run and made no progress."""
    lacking: bool = False
    """It crashed because the machine has not enough of something, and so will the next."""
    labels: tuple[str, ...] = ()
    """What the machine did to the run: who was stopped, who got no processor, for how long."""
    affinity_lost: tuple[int, ...] = ()
    """pCPUs that at the end were not on the processor that they had been put on, or free to leave it; labelled."""
    crash_dump: Mapping[str, str] = field(default_factory=dict)
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
