"""Counters and marks. Nothing here is a locked operation, a fence or an interrupt point, on any host."""

from __future__ import annotations

from typing import Final

from emu.machine import this_pcpu
from emu.observe.accounting import NOTIFIED_AFTER_SYNC
from emu.waist import apic_pending, ipis_in_flight, local_read, local_write, mark, peek


def count(counter: int) -> None:
    """Add one to a counter of this pCPU (see emu.observe.accounting.COUNTERS)."""
    word = this_pcpu().counters[counter]
    local_write(word, local_read(word) + 1)


def counted(counter: int) -> int:
    """Give a counter of this pCPU."""
    return local_read(this_pcpu().counters[counter])


def window(number: int) -> None:
    """Note that a race window was entered (see emu.observe.accounting.WINDOWS)."""
    word = this_pcpu().windows[number]
    local_write(word, local_read(word) + 1)


NOT_ASKED: Final = 0
TOLD_NOBODY: Final = 1
TOLD_OTHER: Final = 2
TOLD_SELF: Final = 3
"""What ``told`` of a pCPU holds: whom the rule under test has told so far, if it is at work."""


def note_told(whom: int) -> None:
    """Note that somebody is being told: an IPI is on its way, or a task was woken."""
    word = this_pcpu().told
    if local_read(word) == TOLD_NOBODY:
        local_write(word, whom)


def note_late_notification() -> None:
    """Note that VM-entry finds something pending or about to be, which came behind the last sync."""
    if apic_pending() != 0 or ipis_in_flight() != 0:
        window(NOTIFIED_AFTER_SYNC)


def begin_effects() -> None:
    """Publish that this pCPU is inside a delivery, wake or kick: before the first effect. Nests."""
    cpu = this_pcpu()
    depth = local_read(cpu.irq.inside_depth)
    if depth == 0:
        mark(cpu.marks.inside, peek(cpu.marks.inside) + 1)
    local_write(cpu.irq.inside_depth, depth + 1)


def end_effects() -> None:
    """Publish that the last effect is done."""
    cpu = this_pcpu()
    depth = local_read(cpu.irq.inside_depth) - 1
    local_write(cpu.irq.inside_depth, depth)
    if depth == 0:
        mark(cpu.marks.inside, peek(cpu.marks.inside) + 1)
