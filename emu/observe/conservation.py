"""C5: what was accepted of a vector was delivered, merged or still waits, and its mailboxes are read."""

from __future__ import annotations

from emu.lapic_regs import apic_test_vector
from emu.machine import MAX_PCPUS, Vcpu, config, machine
from emu.vectors import SLOTS, vector_of
from emu.waist import BIT, local_read, mark, peek


def lost_slot(vcpu: Vcpu) -> int:
    """C5: return a slot of which posts accepted != delivered + merged + waiting, or -1.

    Accepted and self-sent = delivered + merged + waiting in the PIR + waiting in the vIRR; and a vector that waits
    nowhere has every mailbox acknowledged.
    """
    for slot in range(SLOTS):
        if imbalance(vcpu, slot) != 0 or unread_mail(vcpu, slot) != 0:
            return slot
    return -1


def imbalance(vcpu: Vcpu, slot: int) -> int:
    """Return accepted - delivered - merged - waiting for one slot; 0 if nothing is lost or made up."""
    vector = vector_of(slot)
    books = peek(vcpu.self_ipis[slot]) - peek(vcpu.delivered[slot]) - peek(vcpu.merged[slot])
    for i in range(local_read(config().pcpus)):
        books += peek(machine().pcpus[i].accepted[local_read(vcpu.id) * SLOTS + slot])
    return books - waiting(vcpu, vector)


def waiting(vcpu: Vcpu, vector: int) -> int:
    """Count where a vector waits: PIR bit and vIRR bit."""
    in_pir = 1 if peek(vcpu.pi_desc.pir[vector >> 6]) & BIT(vector & 63) != 0 else 0
    return in_pir + apic_test_vector(vector, vcpu.apic.virr)


def unread_mail(vcpu: Vcpu, slot: int) -> int:
    """Return whether a vector waits nowhere although a mailbox of it has not been read to the end."""
    if waiting(vcpu, vector_of(slot)) != 0:
        return 0
    for i in range(local_read(config().pcpus)):
        box = slot * MAX_PCPUS + i
        newest = peek(vcpu.mail[box])
        if newest != peek(vcpu.acknowledged[box]) and is_demanded(vcpu, box, newest) != 0:
            return 1
    return 0


def is_demanded(vcpu: Vcpu, box: int, newest: int) -> int:
    """Return whether a number that was not read came with an interrupt that the APIC accepted."""
    if newest != peek(vcpu.refused[box]):
        return 1
    return 1 if peek(vcpu.acknowledged[box]) < peek(vcpu.accepted_before[box]) else 0


def balance(vcpu: Vcpu, slot: int) -> None:
    """Make the counts of a slot agree, so that one loss is one sighting."""
    mark(vcpu.merged[slot], peek(vcpu.merged[slot]) + imbalance(vcpu, slot))
    for i in range(local_read(config().pcpus)):
        mark(vcpu.acknowledged[slot * MAX_PCPUS + i], peek(vcpu.mail[slot * MAX_PCPUS + i]))
