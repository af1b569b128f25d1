"""The functions of wakeup.c, operation for operation."""

from emu.cpu import apic_send_IPI, local_irq_restore, local_irq_save, raw_spin_lock, raw_spin_unlock
from emu.halt import vmx_interrupt_blocked
from emu.kvm_host import kvm_vcpu_is_blocking
from emu.kvm_main import kvm_vcpu_wake_up
from emu.machine import Vcpu, config, machine, smp_processor_id
from emu.posted_intr import NDST_SHIFT, NV_SHIFT, pi_is_pir_empty, pi_nv, pi_set_on, pi_set_sn, pi_test_on
from emu.vectors import POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR
from emu.vmx_pi import list_add, list_del
from emu.waist import BIT, READ_ONCE, cmpxchg, local_read


def vmx_vcpu_pi_load(vcpu: Vcpu, cpu: int) -> None:
    """Direct the notifications to the pCPU."""
    control = vcpu.pi_desc.control
    flags = local_irq_save()
    found = READ_ONCE(control)
    if pi_nv(found) == POSTED_INTR_WAKEUP_VECTOR:
        held = machine().pcpus[READ_ONCE(vcpu.cpu)].wakeup
        raw_spin_lock(held)
        for i in range(local_read(config().task_pcpus)):
            wakeup = machine().pcpus[i].wakeup
            if READ_ONCE(wakeup.vcpus) & BIT(local_read(vcpu.id)) != 0:
                list_del(vcpu, wakeup)
        raw_spin_unlock(held)
    while True:
        old = found
        new = old & 0xFFFD | POSTED_INTR_VECTOR << NV_SHIFT | cpu << NDST_SHIFT
        found = cmpxchg(control, old, new)
        if found == old:
            break
    local_irq_restore(flags)
    if pi_is_pir_empty(vcpu.pi_desc) == 0:
        pi_set_on(vcpu.pi_desc)


def pi_enable_wakeup_handler(vcpu: Vcpu) -> None:
    """Put the vCPU on the list."""
    control = vcpu.pi_desc.control
    raw_spin_lock(machine().pcpus[READ_ONCE(vcpu.cpu)].wakeup)
    list_add(vcpu, machine().pcpus[READ_ONCE(vcpu.cpu)].wakeup)
    raw_spin_unlock(machine().pcpus[READ_ONCE(vcpu.cpu)].wakeup)
    while True:
        old = READ_ONCE(control)
        new = old & ~(0xFF << NV_SHIFT) | POSTED_INTR_WAKEUP_VECTOR << NV_SHIFT
        if cmpxchg(control, old, new) == old:
            break
    if new & 1 != 0:
        apic_send_IPI(smp_processor_id(), POSTED_INTR_WAKEUP_VECTOR)


def vmx_vcpu_pi_put(vcpu: Vcpu) -> None:
    """Say that the vCPU is off its pCPU."""
    if READ_ONCE(machine().bypass) == 0:
        return
    if local_read(vcpu.preempted) != 0:
        pi_set_sn(vcpu.pi_desc)
    elif kvm_vcpu_is_blocking(vcpu) != 0 and vmx_interrupt_blocked(vcpu) == 0:
        pi_enable_wakeup_handler(vcpu)


def pi_wakeup_handler() -> None:
    """Wake the vCPUs of the list that have ON set."""
    wakeup = machine().pcpus[smp_processor_id()].wakeup
    raw_spin_lock(wakeup)
    listed = READ_ONCE(wakeup.vcpus)
    i = 0
    while i < local_read(config().vcpus):
        if listed & BIT(i) != 0 and pi_test_on(machine().vcpus[i].pi_desc) != 0:
            kvm_vcpu_wake_up(machine().vcpus[i])
        i += 1
    raw_spin_unlock(wakeup)
