"""The harvest of harvest_early.c, with its mistake."""

from emu.lapic_regs import apic_find_highest_irr
from emu.machine import Vcpu
from emu.waist import READ_ONCE, local_read, local_write, xchg


def kvm_apic_update_irr(vcpu: Vcpu) -> int:
    """Move the PIR to the vIRR, but not look at the vIRR if the PIR is empty."""
    pir = vcpu.pi_desc.pir
    word0 = READ_ONCE(pir[0])
    word1 = READ_ONCE(pir[1])
    word2 = READ_ONCE(pir[2])
    word3 = READ_ONCE(pir[3])
    if word0 | word1 | word2 | word3 == 0:
        return -1
    if word0 != 0:
        local_write(vcpu.apic.virr[0], local_read(vcpu.apic.virr[0]) | xchg(pir[0], 0))
    if word1 != 0:
        local_write(vcpu.apic.virr[1], local_read(vcpu.apic.virr[1]) | xchg(pir[1], 0))
    if word2 != 0:
        local_write(vcpu.apic.virr[2], local_read(vcpu.apic.virr[2]) | xchg(pir[2], 0))
    if word3 != 0:
        local_write(vcpu.apic.virr[3], local_read(vcpu.apic.virr[3]) | xchg(pir[3], 0))
    return apic_find_highest_irr(vcpu)
