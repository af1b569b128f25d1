"""The stacks of tasks: a task that sleeps in one process is resumed in another, so they are shared as the machine is.

They lie at one address in every process, each with a guard page below it that nobody can touch, and in a memory of
their own behind the machine's: a saved image of the machine has none. What is on a stack belongs to the compiled
code of one run, and nothing else can read it. A run has as many as it has tasks, most runs none.
"""

from __future__ import annotations

import mmap
import os
from typing import Final, Self

from emu.machine import MAX_PCPUS
from emu.memory import WORD_BYTES, Word
from hosts.native.memory.addresses import PAGE_BYTES, STACKS_AT
from hosts.native.memory.mapping import MAP_FIXED, map_at, words_at

STACK_BYTES: Final = 64 * 1024
"""The deepest chain of calls, an interrupt and a send through libzmq below it, has been seen to take 1,200 bytes. What
is seldom done takes more: libzmq's complaint about an error, the dynamic linker's first look for a function."""
STRIDE: Final = STACK_BYTES + PAGE_BYTES
"""From one stack to the next; a guard page comes first."""
MOST_STACKS: Final = MAX_PCPUS
STACKS_BYTES: Final = MOST_STACKS * STRIDE

_FRAME_WORDS: Final = 4
"""What a fresh stack holds: where to begin, two arguments, and the return address of what does not return. The stack
pointer is then where the calling convention wants it at a function's first instruction."""


class StackMemory:
    """The memory of one run's stacks; without any there is no memory."""

    def __init__(self, count: int) -> None:
        """Make room for so many; every page is there from the start, so a full machine is an OSError here."""
        if count > MOST_STACKS:
            raise ValueError(f"a run has at most {MOST_STACKS} stacks, not {count}")
        self.count = count
        self.fd = -1
        if count == 0:
            return
        self.fd = os.memfd_create("pirace-stacks", os.MFD_CLOEXEC)
        try:
            os.posix_fallocate(self.fd, 0, count * STACK_BYTES)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def top(number: int) -> int:
    """Return the address behind a stack, from which it grows down."""
    return STACKS_AT + (number + 1) * STRIDE


def map_stacks(fd: int, count: int) -> None:
    """Map the stacks behind ``fd``. What lies between them stays as it was reserved: it cannot be touched."""
    for number in range(count):
        at, access = top(number) - STACK_BYTES, mmap.PROT_READ | mmap.PROT_WRITE
        map_at(at, STACK_BYTES, access, mmap.MAP_SHARED | MAP_FIXED, fd, number * STACK_BYTES)


def fill(number: int, context: Word, root: int, role: int) -> None:
    """Make the context of a task that begins in the compiled root, with ``role`` and its own number as arguments."""
    at = top(number) - _FRAME_WORDS * WORD_BYTES
    words_at(at, _FRAME_WORDS)[:] = (root, role, number, 0)
    words_at(context, 1)[0] = at


def overflowed(address: int) -> int | None:
    """Return the number of the stack in whose guard page an address lies, if it lies in one."""
    number, offset = divmod(address - STACKS_AT, STRIDE)
    return number if 0 <= number < MOST_STACKS and offset < PAGE_BYTES else None
