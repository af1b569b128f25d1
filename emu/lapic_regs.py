"""Registers of the virtual-APIC page: vIRR, vISR, priorities (facts 4.1, 4.2).

Only the vCPU's own thread touches these words: with APICv on, everybody else goes through the PIR.
"""

from __future__ import annotations

from emu.machine import Vcpu
from emu.memory import Words
from emu.waist import BIT, fls64, local_read, local_write


def apic_set_vector(vector: int, bitmap: Words) -> None:
    """Set a vector's bit in a 256-bit register."""
    word = bitmap[vector >> 6]
    local_write(word, local_read(word) | BIT(vector & 63))


def apic_clear_vector(vector: int, bitmap: Words) -> None:
    """Clear a vector's bit in a 256-bit register."""
    word = bitmap[vector >> 6]
    local_write(word, local_read(word) & ~BIT(vector & 63))


def apic_test_vector(vector: int, bitmap: Words) -> int:
    """Read a vector's bit in a 256-bit register: 1 or 0."""
    return 1 if local_read(bitmap[vector >> 6]) & BIT(vector & 63) != 0 else 0


def find_highest_vector(bitmap: Words) -> int:
    """Return the highest vector in a 256-bit register, or -1."""
    return highest_of(local_read(bitmap[0]), local_read(bitmap[1]), local_read(bitmap[2]), local_read(bitmap[3]))


def highest_of(word0: int, word1: int, word2: int, word3: int) -> int:
    """Return the highest vector in four words, or -1."""
    if word3 != 0:
        return 191 + fls64(word3)
    if word2 | word1 | word0 == 0:
        return -1
    if word2 != 0:
        return 127 + fls64(word2)
    if word1 != 0:
        return 63 + fls64(word1)
    return fls64(word0) - 1


def apic_find_highest_irr(vcpu: Vcpu) -> int:
    """Return the highest requested vector, or -1."""
    return find_highest_vector(vcpu.apic.virr)


def apic_find_highest_isr(vcpu: Vcpu) -> int:
    """Return the highest vector in service, or -1."""
    return find_highest_vector(vcpu.apic.visr)


def apic_ppr(vcpu: Vcpu) -> int:
    """Work out the processor priority from TPR and the highest vector in service."""
    return max(local_read(vcpu.apic.vtpr), max(apic_find_highest_isr(vcpu), 0) & 0xF0)


def apic_update_ppr(vcpu: Vcpu) -> int:
    """Write the processor priority as it is now."""
    ppr = apic_ppr(vcpu)
    local_write(vcpu.apic.vppr, ppr)
    return ppr


def ppr_virtualization(vcpu: Vcpu) -> None:
    """Write the processor priority as the processor works it out: from TPR and SVI, without a look at the vISR."""
    local_write(vcpu.apic.vppr, max(local_read(vcpu.apic.vtpr), local_read(vcpu.vmcs.svi) & 0xF0))
