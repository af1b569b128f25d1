"""The harvest of the PIR into the vIRR: the half of lapic.c that ``vmx_sync_pir_to_irr`` calls (fact 4.1)."""

from __future__ import annotations

from emu.lapic_regs import apic_find_highest_irr
from emu.machine import Vcpu
from emu.observe.probes.sync import probe_merge, probe_pir_read
from emu.waist import READ_ONCE, local_read, local_write, xchg


def kvm_apic_update_irr(vcpu: Vcpu) -> int:
    """Harvest the PIR into the vIRR (v6.16 form: pure loads first); return the highest vector in the vIRR or -1.

    The vIRR is scanned even if the PIR is empty (33fd0ccd2590), for ON without PIR is legal.
    """
    pir = vcpu.pi_desc.pir
    word0 = READ_ONCE(pir[0])
    word1 = READ_ONCE(pir[1])
    word2 = READ_ONCE(pir[2])
    word3 = READ_ONCE(pir[3])
    probe_pir_read(word0, word1, word2, word3)
    if word0 | word1 | word2 | word3 == 0:
        return apic_find_highest_irr(vcpu)
    if word0 | word1 | word2 != 0:
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
    """Take one PIR word in one locked exchange and merge it into the vIRR; return what was taken."""
    bits = xchg(vcpu.pi_desc.pir[i], 0)
    merge(vcpu, i, bits)
    return bits


def merge(vcpu: Vcpu, i: int, bits: int) -> None:
    """Merge bits into a vIRR word; a bit that is there already makes two posts one delivery (C5)."""
    word = vcpu.apic.virr[i]
    irr = local_read(word)
    probe_merge(vcpu, i, irr & bits)
    local_write(word, irr | bits)
