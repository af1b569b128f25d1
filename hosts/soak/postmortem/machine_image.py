"""The final contents of a machine's shared memory, read from its mapped file: also if all its processes were killed.

The words are those that the pCPUs stored, up to each one's last instruction. Stores that were still in a processor's
store buffer drained when the process ended, so no store is missing, and each word is whole.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from emu.machine import MAX_PCPUS, USER, Machine
from emu.memory import WORD_BYTES
from emu.mutations import MUTATIONS
from emu.workload.scenarios import POLICIES
from hosts.native.memory.addresses import PAGE_BYTES
from hosts.native.memory.image_header import MAGIC, layout_number
from hosts.native.memory.layout import (
    HOST_OFFSET,
    LABEL_OFFSET,
    RING_EVENTS,
    RING_MASK,
    SHARED_BYTES,
    HostWords,
    Label,
    Ring,
)
from hosts.native.memory.region import SharedMemory
from hosts.soak.postmortem.decode import Event

READABLE_EVENTS: Final = RING_EVENTS - 1
"""Events of a ring that are valid: the oldest may have just been overwritten by one that is not counted yet."""


class NotReadable(ValueError):  # noqa: N818 - it tells of the file
    """The file is no machine image, or one of another version; the message is one line."""


class MachineImage:
    """The words of one machine, which change no more. Structs name them by their offsets."""

    machine: Final = Machine(0)
    host: Final = HostWords(HOST_OFFSET)

    def __init__(self, words: npt.NDArray[np.int64]) -> None:
        """Take words whose layout is this version's."""
        self.words = words

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read an image from a file; NotReadable if it is none of this version."""
        try:
            first, second = (cls.of_bytes(_content(path), str(path)) for _ in range(2))
            return cls(_overtaken_by(first.words, second.words))
        except OSError as error:
            raise NotReadable(f"{path}: {error.strerror}") from None

    @classmethod
    def of_bytes(cls, data: bytes, name: str = "machine") -> Self:
        """Read an image from bytes; NotReadable if it is none of this version."""
        if _word(data, len(data) - PAGE_BYTES + Label(0).magic) != MAGIC:
            if len(data) < SHARED_BYTES:
                raise NotReadable(f"{name}: no saved machine, or cut short ({len(data)} of {SHARED_BYTES} bytes)")
            raise NotReadable(f"{name}: no saved machine")
        if len(data) != SHARED_BYTES or _word(data, LABEL_OFFSET + Label(0).layout) != layout_number():
            raise NotReadable(f"{name}: saved by another version of pirace, which alone can read it")
        return cls(np.frombuffer(data, np.int64))

    @classmethod
    def of(cls, memory: SharedMemory) -> Self:
        """Copy a memory that is mapped here, whether its run is over or not."""
        return cls(_overtaken_by(memory.words, memory.words))

    def read(self, word: int) -> int:
        """Read a word by its offset."""
        return int(self.words[word // WORD_BYTES])

    def slice(self, word: int, count: int) -> list[int]:
        """Read ``count`` words from an offset on."""
        first = word // WORD_BYTES
        return [int(value) for value in self.words[first : first + count]]

    # --- what was run

    @property
    def pcpus(self) -> int:
        """The number of pCPUs; 0: the run was not yet set up."""
        return min(max(self.read(self.machine.config.pcpus), 0), MAX_PCPUS)

    @property
    def vcpus(self) -> int:
        """The number of vCPUs, one on each of the first pCPUs."""
        return min(max(self.read(self.machine.config.vcpus), 0), MAX_PCPUS)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.read(self.host.run.seed)

    @property
    def policy(self) -> str:
        """The name of the policy."""
        number = self.read(self.machine.config.policy)
        names = {each.number: each.name for each in POLICIES} | {USER: "a user's own"}
        return names.get(number, f"policy {number}")

    @property
    def mutation(self) -> str | None:
        """The name of the seeded bug, if there is one."""
        number = self.read(self.machine.config.mutation)
        names = {each.number: each.name for each in MUTATIONS}
        return names.get(number, f"mutation {number}") if number else None

    # --- what happened

    def events(self, cpu: int) -> list[Event]:
        """Return the last events of a pCPU, the oldest first."""
        return self._events(self.host.rings[cpu])

    @property
    def sighted_by(self) -> int | None:
        """The pCPU that saw the run's first violation; None: there was none that a pCPU sees."""
        seen = self.read(self.host.sighted_by)
        return seen - 1 if 0 < seen <= self.pcpus else None

    def events_sighted(self, cpu: int) -> list[Event]:
        """Return the last events of a pCPU before the run's first violation was seen, the oldest first."""
        return self._events(self.host.sighted[cpu])

    def _events(self, ring: Ring) -> list[Event]:
        """Read a ring, without the oldest events, which newer ones may have overwritten while it was copied."""
        count, words = self.read(ring.count), self.slice(ring.events.at, RING_EVENTS)
        whole = range(max(0, max(count, self.read(ring.overtaken)) - READABLE_EVENTS), max(0, count))
        return [Event.of(number, words[number & RING_MASK]) for number in whole]


def _overtaken_by(words: npt.NDArray[np.int64], later: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Copy words, then note how far the rings got meanwhile: the run may be under way."""
    copied = words.copy()
    for ring in (MachineImage.host.rings[cpu] for cpu in range(MAX_PCPUS)):
        copied[ring.overtaken // WORD_BYTES] = later[ring.count // WORD_BYTES]
    return copied


def _content(path: Path) -> bytes:
    """Read a regular file; of one that is too large only its last page."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NotReadable(f"{path}: no saved machine, not even a file")
        size = os.fstat(fd).st_size
        if size > SHARED_BYTES:  # another version's, perhaps: the label in its last page says so
            file.seek(size - PAGE_BYTES)
        return file.read()


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + WORD_BYTES], "little", signed=True) if at >= 0 else 0
