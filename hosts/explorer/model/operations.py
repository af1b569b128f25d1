"""Operations of threads: on shared words, interrupts and IPIs, branches, and ghost words.

Private words, constants and the accounting never get here: a thread's automaton has done all that by itself.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple


class Op(enum.IntEnum):
    """The operations. An arrow says what the thread is answered."""

    END = 0
    """The thread has ended."""
    LOAD = 1
    """``word`` -> its value, the own store buffer first."""
    STORE = 2
    """``a`` into ``word``, through the store buffer."""
    XCHG = 3
    """Put ``a`` into ``word``, locked -> what it held."""
    CMPXCHG = 4
    """Put ``b`` into ``word`` if it holds ``a``, locked -> what it held."""
    OR = 5
    """Set the bits ``a``, locked -> what the word held."""
    AND = 6
    """Keep the bits ``a``, locked -> what the word held."""
    ADD = 7
    """Add ``a``, locked -> what the word held."""
    FENCE = 8
    """Wait until the own store buffer is empty."""
    SEND = 9
    """Send vector number ``b`` to thread ``a``; drains the own buffer first unless the search lets it overtake."""
    POINT = 10
    """-> 1 if a vector is pending at the own APIC; on 0 the next operation belongs to the same step."""
    PENDING = 11
    """-> 1 if a vector is pending at the own APIC."""
    ACK = 12
    """Take the highest pending vector -> its number. Only when one is pending."""
    CHOOSE = 13
    """-> each number below ``a``."""
    GHOST_READ = 14
    """An instrument's look at ``word`` -> its value, the own buffer first; see Model.buffer_flag_of for others."""
    GHOST_WRITE = 15
    """An instrument's mark: ``a`` into ``word``, straight into memory."""
    GHOST_ADD = 16
    """Add ``a`` to an instrument's ``word``, straight in memory."""
    RESET = 17
    """Put 0 into all words of ``Model.reset_families[a]``."""
    IN_FLIGHT = 18
    """-> 1 if an IPI to this thread has been sent and has not arrived."""
    QUIESCENT = 19
    """-> 1 if ``Model.terminated`` words all hold 1, no IPI is in flight to this thread and all buffers are empty."""
    YIELD = 20
    """Let others go on."""

    @property
    def written(self) -> str:
        """Return the name in witness files, which keep the words of their first format."""
        return WRITTEN.get(self, self.name)


WRITTEN: Final = {
    Op.GHOST_READ: "PEEK",
    Op.GHOST_WRITE: "POKE",
    Op.GHOST_ADD: "TALLY",
    Op.RESET: "RENEW",
    Op.QUIESCENT: "QUIET",
    Op.YIELD: "PAUSE",
}
BY_WRITTEN: Final = {op.written: op for op in Op}

LOCKED: Final = frozenset({Op.XCHG, Op.CMPXCHG, Op.OR, Op.AND, Op.ADD})

SCHEDULED: Final = 1
"""Flag: others may act right before this operation. Without it, it belongs to the step of the operation before."""
OWN_FENCE: Final = 1
"""``a`` of a fence that is a locked operation on an own word, no full barrier: nobody need be scheduled before it."""
BEGINS: Final = 4
"""Flag of a scheduled mark that says that effects follow: it and the first effect behind it (the first scheduled
operation or IPI) are one step. Whoever looks before sees neither, so nothing is overlooked if the mark is set no sooner
than needed. The second effect has a step of its own: others may act on the first."""
FENCELESS: Final = 2
"""Flag of a locked operation, put there by the audit: atomic in memory, but the own buffer keeps what it holds
(unless it holds this very word)."""


class Operation(NamedTuple):
    """One operation. ``word``, ``a`` and ``b`` as its kind says; values are signed 64-bit numbers."""

    kind: Op
    word: int = -1
    a: int = 0
    b: int = 0
    flags: int = 0
    where: int = 0
    """What a thread's :meth:`~hosts.explorer.model.system.Thread.place` tells people about: a number of its own."""

    @property
    def scheduled(self) -> bool:
        """Return whether others may act before it."""
        return self.flags & SCHEDULED != 0

    @property
    def begins(self) -> bool:
        """Return whether the next scheduled operation belongs to its step."""
        return self.flags & BEGINS != 0

    @property
    def drains(self) -> bool:
        """Return whether it waits until the own buffer is empty."""
        return self.kind == Op.FENCE or (self.kind in LOCKED and self.flags & FENCELESS == 0)


_TRANSACTION: Final = "emu.iommu_post"
"""The module of what hardware does in one transaction: its operations belong to the step of the first, which is made by
a function of another module."""


def in_transaction(module: str, kind: Op) -> bool:
    """Return whether an operation of a module's function is part of the step before."""
    return module == _TRANSACTION and kind != Op.POINT
