"""The mapped memory: the machine and the private host words have one fixed address in every process.

The machine keeps addresses in its words (the task that waits, the running vCPU), so it must lie at the same place in
all pCPUs, and compiled code has the address in its instructions (see :data:`hosts.native.memory.addresses.MEMORY_AT`).
OSError in a process in which the place is taken.
"""

from __future__ import annotations

import copy
import ctypes
import mmap
import os
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from emu.machine import Machine
from emu.memory import WORD_BYTES
from hosts.native.memory.addresses import DOORBELL_AT, LOCAL_AT, MEMORY_AT, PAGE_BYTES, STACKS_AT
from hosts.native.memory.image_header import MAGIC, layout_number
from hosts.native.memory.layout import HOST_OFFSET, LABEL_OFFSET, SHARED_BYTES, HostWords, Label
from hosts.native.memory.mapping import MAP_FIXED, PROT_NONE, RESERVED, is_taken, libc, map_at
from hosts.native.memory.private_words import LOCAL_BYTES, Local
from hosts.native.memory.task_stacks import STACKS_BYTES

_MREMAP_MAYMOVE_FIXED: Final = 0x3

libc.mremap.restype = ctypes.c_void_p
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]


def reserve() -> None:
    """Reserve the addresses: zeros at the private words', nothing at the others' yet (a stray access faults).

    Children that are forked from here inherit all, the private words each as their own copy. May be called again.
    """
    if all(is_taken(at) for at in (MEMORY_AT, LOCAL_AT, DOORBELL_AT, STACKS_AT)):
        return
    map_at(MEMORY_AT, SHARED_BYTES, PROT_NONE, RESERVED)
    map_at(DOORBELL_AT, PAGE_BYTES, PROT_NONE, RESERVED)
    map_at(STACKS_AT, STACKS_BYTES, PROT_NONE, RESERVED)
    map_at(LOCAL_AT, LOCAL_BYTES, mmap.PROT_READ | mmap.PROT_WRITE, RESERVED)


def map_machine(fd: int) -> None:
    """Map the memory behind ``fd`` at the machine's address, in place of what was there."""
    map_at(MEMORY_AT, SHARED_BYTES, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | MAP_FIXED, fd)


def map_doorbell(cpu: int) -> None:
    """Map the doorbell of a pCPU where compiled code expects its own. The machine's memory is mapped, and shared."""
    bell = host_words().bells[cpu].at
    # Of a shared mapping, a move of no bytes makes a second view and leaves the first.
    if libc.mremap(bell, 0, PAGE_BYTES, _MREMAP_MAYMOVE_FIXED, DOORBELL_AT) != DOORBELL_AT:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot map the doorbell of pCPU {cpu} at {DOORBELL_AT:#x}: {os.strerror(number)}")


def local() -> Local:
    """Return the private host words of this process."""
    return Local(LOCAL_AT)


def machine() -> Machine:
    """Return the machine."""
    return Machine(MEMORY_AT)


def host_words() -> HostWords:
    """Return the shared host words."""
    return HostWords(MEMORY_AT + HOST_OFFSET)


def _new_file(path: Path) -> int:
    # Never the old file cut short: a process that still maps it would die of SIGBUS.
    path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


class SharedMemory:
    """One run's memory: without a name and gone with the last process that has it, or a file that outlives them all.

    Struct values as compiled code has them (``memory.machine.vcpus[0].mode``) name its words here too:
    :meth:`read` and :meth:`write` take their addresses, wherever this process has mapped them.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Make the memory; every page is there from the start, so a full machine is an OSError here, not a SIGBUS.

        With a ``path`` it is that file, new even if there was one, and the caller removes it. All that was
        stored in it can be read after the death of every process.
        """
        self.fd = os.memfd_create("pirace", os.MFD_CLOEXEC) if path is None else _new_file(path)
        try:
            os.posix_fallocate(self.fd, 0, SHARED_BYTES)
            shared = mmap.mmap(self.fd, SHARED_BYTES)
        except BaseException:
            os.close(self.fd)
            if path is not None:
                path.unlink(missing_ok=True)
            raise
        self.words: npt.NDArray[np.int64] = np.frombuffer(shared, np.int64)
        self.machine = Machine(MEMORY_AT)
        self.host = HostWords(MEMORY_AT + HOST_OFFSET)
        label = Label(MEMORY_AT + LABEL_OFFSET)
        self.write(label.magic, MAGIC)
        self.write(label.layout, layout_number())

    def read(self, word: int) -> int:
        """Read a word by the address that it has for compiled code."""
        return int(self.words[(word - MEMORY_AT) // WORD_BYTES])

    def write(self, word: int, value: int) -> None:
        """Write a word by the address that it has for compiled code."""
        self.words[(word - MEMORY_AT) // WORD_BYTES] = value

    def slice(self, word: int, count: int) -> npt.NDArray[np.int64]:
        """Return a view of ``count`` words from the address that they have for compiled code."""
        index = (word - MEMORY_AT) // WORD_BYTES
        return self.words[index : index + count]

    def copy(self) -> SharedMemory:
        """Return a copy of the words, which no process shares."""
        other = copy.copy(self)
        other.fd, other.words = -1, self.words.copy()
        return other

    def close(self) -> None:
        """Close the descriptor; a reference to :attr:`words` keeps the mapping alive."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
