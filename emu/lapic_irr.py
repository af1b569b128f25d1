"""``vmx_sync_pir_to_irr``: the vCPU's own look at its PIR (fact 4.1)."""

from __future__ import annotations

from emu.lapic_regs import apic_find_highest_irr, vmx_set_rvi
from emu.machine import Vcpu
from emu.memory import Words
from emu.observe.accounting import MERGED, SELF_AND_REMOTE_SYNC, SYNC_FINDS_ON, SYNC_FINDS_ON_ONLY, SYNCS
from emu.observe.ghost import count, window
from emu.posted_intr import pi_clear_on, pi_test_on
from emu.vectors import SLOT_TIMER, SLOTS, vector_of
from emu.waist import BIT, READ_ONCE, local_read, local_write, mark, peek, xchg


def vmx_sync_pir_to_irr(vcpu: Vcpu) -> int:
    """Move the PIR to the vIRR if ON is set; set RVI from the whole vIRR; give the highest vector or -1.

    ON is cleared before the PIR is read, so that whoever posts behind the harvest finds ON clear and notifies.
    """
    count(SYNCS)
    if pi_test_on(vcpu.pi_desc) != 0:
        note_generation(vcpu)
        pi_clear_on(vcpu.pi_desc)
        max_irr = kvm_apic_update_irr(vcpu)
    else:
        max_irr = apic_find_highest_irr(vcpu)
    vmx_set_rvi(vcpu, max_irr)
    return max_irr


def kvm_x86_sync_pir_to_irr(vcpu: Vcpu) -> int:
    """Sync, as the run loop calls it."""
    return vmx_sync_pir_to_irr(vcpu)


def kvm_apic_update_irr(vcpu: Vcpu) -> int:
    """Harvest the PIR into the vIRR (v6.16 form: pure loads first); give the highest vector in the vIRR or -1.

    The vIRR is scanned even if the PIR is empty (33fd0ccd2590), for ON without PIR is legal.
    """
    pir = vcpu.pi_desc.pir
    word0 = READ_ONCE(pir[0])
    word1 = READ_ONCE(pir[1])
    word2 = READ_ONCE(pir[2])
    word3 = READ_ONCE(pir[3])
    window(SYNC_FINDS_ON)
    if word0 | word1 | word2 | word3 == 0:
        window(SYNC_FINDS_ON_ONLY)
        return apic_find_highest_irr(vcpu)
    if word0 | word1 | word2 != 0:
        if word3 & BIT(vector_of(SLOT_TIMER) & 63) != 0:
            window(SELF_AND_REMOTE_SYNC)
        if word0 != 0:
            harvest(vcpu, 0)
        if word1 != 0:
            harvest(vcpu, 1)
        if word2 != 0:
            harvest(vcpu, 2)
    if word3 != 0:
        harvest(vcpu, 3)
    return apic_find_highest_irr(vcpu)


def harvest(vcpu: Vcpu, i: int) -> int:
    """Take one PIR word in one locked exchange and merge it into the vIRR; give what was taken."""
    bits = xchg(vcpu.pi_desc.pir[i], 0)
    merge(vcpu, i, bits)
    return bits


def merge(vcpu: Vcpu, i: int, bits: int) -> None:
    """Merge bits into a vIRR word; a bit that is there already makes two posts one delivery (C5)."""
    word = vcpu.apic.virr[i]
    irr = local_read(word)
    if irr & bits != 0:
        note_merged(vcpu, i, irr & bits)
    local_write(word, irr | bits)


def note_merged(vcpu: Vcpu, i: int, bits: int) -> None:
    """Count each vector whose second post found the first still waiting."""
    for slot in range(SLOTS):
        vector = vector_of(slot)
        if vector >> 6 == i and bits & BIT(vector & 63) != 0:
            mark(vcpu.merged[slot], peek(vcpu.merged[slot]) + 1)
            count(MERGED)


def note_generation(vcpu: Vcpu) -> None:
    """Number the generations of ON, before it is cleared: C7 asks which post a set ON belongs to."""
    word = vcpu.pi_desc.software[0]
    mark(word, peek(word) + 1)


def any_pir(pir: Words) -> int:
    """Look, as an instrument, whether any PIR bit is set: non-zero if so."""
    return peek(pir[0]) | peek(pir[1]) | peek(pir[2]) | peek(pir[3])
