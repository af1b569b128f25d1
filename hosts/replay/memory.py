"""The memory of a replay: the machine and the host's words in one anonymous region that all processes share.

The machine has the addresses that it has for the explorer, so that a value means the same in the witness and here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emu.machine import MAX_PCPUS, Machine
from emu.memory import WORD_BYTES, Struct, array, word, words
from hosts.native.fabric.frame_kinds import KINDS
from hosts.native.memory.layout import HOST_OFFSET, HostWords
from hosts.native.memory.region import SharedMemory
from hosts.word64 import BASE, signed


class ReplayCpu(Struct, line=True):
    """The host's words of one pCPU. Only its own process writes them."""

    silent = word()
    """1: it starts nothing more."""
    waiting = word()
    """Stores in its buffer."""
    pending = words(4)
    """The local APIC's pending vectors, a bit each."""
    sent = words(KINDS * MAX_PCPUS, line=True)
    """IPIs sent, per kind of vector and target, counted before they leave."""
    taken = words(KINDS, line=True)
    """IPIs that have arrived, per kind."""


class ReplayWords(Struct, line=True):
    """All of them, where the process host has its own."""

    cpus = array(ReplayCpu, MAX_PCPUS)


assert ReplayWords.nbytes <= HostWords.nbytes  # noqa: S101 - both are laid out when the modules are loaded


class Memory:
    """The words by the addresses that the protocol has for them."""

    def __init__(self) -> None:
        """Make the region; OSError if the machine lacks the memory."""
        self._region = SharedMemory()
        self.machine = Machine(BASE)
        self.host = ReplayWords(BASE + HOST_OFFSET)

    @property
    def words(self) -> npt.NDArray[np.int64]:
        """All words, from the machine's first."""
        return self._region.words

    def read(self, at: int) -> int:
        """Read a word."""
        return int(self._region.words[_index(at)])

    def write(self, at: int, value: int) -> None:
        """Write a word."""
        self._region.words[_index(at)] = signed(value)

    def close(self) -> None:
        """Unmap the region."""
        self._region.close()


def _index(at: int) -> int:
    if at < BASE:
        raise ValueError(f"there is no word at address {at:#x}")
    return (at - BASE) // WORD_BYTES
