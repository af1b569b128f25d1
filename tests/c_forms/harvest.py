"""The harvest of harvest.c: half after half of the PIR's words."""

from emu.lapic_regs import apic_find_highest_irr
from emu.machine import Vcpu
from emu.waist import READ_ONCE, local_read, local_write, take_half


def kvm_apic_update_irr(vcpu: Vcpu) -> int:
    """Move the PIR to the vIRR."""
    for i in range(4):
        if READ_ONCE(vcpu.pi_desc.pir[i]) & 0xFFFFFFFF != 0:
            bits = take_half(vcpu.pi_desc.pir[i], 0)
            local_write(vcpu.apic.virr[i], local_read(vcpu.apic.virr[i]) | bits)
        if READ_ONCE(vcpu.pi_desc.pir[i]) >> 32 != 0:
            bits = take_half(vcpu.pi_desc.pir[i], 1)
            high = ((bits ^ 0x80000000) - 0x80000000) * 0x100000000
            local_write(vcpu.apic.virr[i], local_read(vcpu.apic.virr[i]) | high)
    return apic_find_highest_irr(vcpu)
