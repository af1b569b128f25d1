"""The kick of kick.c, as emu has it."""

from emu.cpu import apic_send_IPI, kvm_get_running_vcpu, preempt_disable, preempt_enable
from emu.kvm_host import EXITING_GUEST_MODE, IN_GUEST_MODE
from emu.kvm_main import kvm_vcpu_exiting_guest_mode, kvm_vcpu_wake_up
from emu.machine import Vcpu, smp_processor_id
from emu.vectors import RESCHEDULE_VECTOR
from emu.waist import READ_ONCE, WRITE_ONCE


def kvm_vcpu_kick(vcpu: Vcpu) -> None:
    """Wake who blocks, make leave who is in guest mode."""
    if kvm_vcpu_wake_up(vcpu) != 0:
        return
    preempt_disable()
    if vcpu == kvm_get_running_vcpu():
        if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
            WRITE_ONCE(vcpu.mode, EXITING_GUEST_MODE)
    elif kvm_vcpu_exiting_guest_mode(vcpu) == IN_GUEST_MODE:
        cpu = READ_ONCE(vcpu.cpu)
        if cpu != smp_processor_id():
            apic_send_IPI(cpu, RESCHEDULE_VECTOR)
    preempt_enable()
