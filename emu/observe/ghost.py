"""Ghost words: counters, marks and mailboxes, which the machine neither reads nor waits for.

Nothing here is a locked operation, a fence or an interrupt point, on any host.
"""

from __future__ import annotations

from typing import Final

from emu.machine import MAX_PCPUS, Vcpu, smp_processor_id, this_pcpu
from emu.observe.accounting import MERGED
from emu.vectors import SLOTS, vector_of
from emu.waist import BIT, local_read, local_write, mark, peek


def count(counter: int) -> None:
    """Add one to a counter of this pCPU (see emu.observe.accounting.COUNTERS)."""
    word = this_pcpu().counters[counter]
    local_write(word, local_read(word) + 1)


def counted(counter: int) -> int:
    """Return a counter of this pCPU."""
    return local_read(this_pcpu().counters[counter])


def window(number: int) -> None:
    """Note that a race window was entered (see emu.observe.accounting.WINDOWS)."""
    word = this_pcpu().windows[number]
    local_write(word, local_read(word) + 1)


TOLD_NOBODY: Final = 1
TOLD_OTHER: Final = 2
TOLD_SELF: Final = 3
"""Values of ``Pcpu.told``: whom the rule under test has notified so far, if it is at work."""
WHOM: Final = 3
"""The bits that hold them: above them is what instruments that attach to a user's code keep."""


def note_told(whom: int) -> None:
    """Note a notification: an IPI is about to leave, or a task was woken."""
    word = this_pcpu().told
    if local_read(word) == TOLD_NOBODY:
        local_write(word, whom)


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


def put_mail(vcpu: Vcpu, slot: int) -> None:
    """Write the next number into this sender's mailbox: what the interrupt is about. Comes before the post."""
    box = vcpu.mail[slot * MAX_PCPUS + smp_processor_id()]
    mark(box, peek(box) + 1)


def note_refused(vcpu: Vcpu, slot: int) -> None:
    """Note that the APIC refused the interrupt: its mail need not be read (see lost_slot)."""
    box = slot * MAX_PCPUS + smp_processor_id()
    newest = peek(vcpu.mail[box])
    if peek(vcpu.refused[box]) != newest - 1:
        mark(vcpu.accepted_before[box], newest - 1)
    mark(vcpu.refused[box], newest)


def note_merged(vcpu: Vcpu, i: int, bits: int) -> None:
    """Count each vector whose second post found the first still waiting."""
    for slot in range(SLOTS):
        vector = vector_of(slot)
        if vector >> 6 == i and bits & BIT(vector & 63) != 0:
            mark(vcpu.merged[slot], peek(vcpu.merged[slot]) + 1)
            count(MERGED)
