"""posted_intr.c, the scheduler's half: where a vCPU's notifications go while it is off its pCPU (fact 3.6).

Some senders never ask KVM where the vCPU is: the IOMMU posts to the descriptor and sends NV to NDST, unless SN is set.
So whoever puts a vCPU off its pCPU tells them. If it was preempted, SN: nobody need be notified of what its next entry
finds anyway. If it blocks, the wake-up vector, whose handler wakes those on the pCPU's list that have ON set.
"""

from __future__ import annotations

from emu.cpu import apic_send_IPI, local_irq_restore, local_irq_save, raw_spin_lock, raw_spin_unlock
from emu.kvm_host import kvm_vcpu_is_blocking
from emu.machine import Vcpu, WakeupList, machine, smp_processor_id
from emu.posted_intr import (
    NDST_SHIFT,
    NV_SHIFT,
    POSTED_INTR_ON,
    pi_is_pir_empty,
    pi_nv,
    pi_set_on,
    pi_set_sn,
    pi_test_and_clear_sn,
)
from emu.vectors import POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR
from emu.waist import BIT, READ_ONCE, WRITE_ONCE, cmpxchg, local_read


def vmx_needs_pi_wakeup(vcpu: Vcpu) -> int:
    """Return whether anything but KVM can post to the vCPU: a device is assigned whose interrupts can bypass KVM."""
    return READ_ONCE(machine().bypass)


def vmx_vcpu_pi_load(vcpu: Vcpu, cpu: int) -> None:
    """Direct the notifications to the pCPU that the vCPU is going to run on; ``vcpu.cpu`` still holds the one before.

    With SN set the IOMMU posts without setting ON, and a sync asks for ON: so ON is set again if the PIR holds anything
    (c112b5f50232).
    """
    pi_desc = vcpu.pi_desc
    old = READ_ONCE(pi_desc.control)
    if pi_nv(old) != POSTED_INTR_WAKEUP_VECTOR and READ_ONCE(vcpu.cpu) == cpu:
        if pi_test_and_clear_sn(pi_desc) == 0:
            return
    else:
        pi_redirect(vcpu, cpu)
    if pi_is_pir_empty(pi_desc) == 0:
        pi_set_on(pi_desc)


def pi_redirect(vcpu: Vcpu, cpu: int) -> None:
    """Take the vCPU off the wake-up list of the pCPU before, then change NDST, NV and SN in one go."""
    control = vcpu.pi_desc.control
    flags = local_irq_save()
    if pi_nv(READ_ONCE(control)) == POSTED_INTR_WAKEUP_VECTOR:
        wakeup = machine().pcpus[READ_ONCE(vcpu.cpu)].wakeup
        raw_spin_lock(wakeup)
        list_del(vcpu, wakeup)
        raw_spin_unlock(wakeup)
    found = READ_ONCE(control)
    while True:
        old = found
        new = old & BIT(POSTED_INTR_ON) | POSTED_INTR_VECTOR << NV_SHIFT | cpu << NDST_SHIFT
        found = cmpxchg(control, old, new)
        if found == old:
            break
    local_irq_restore(flags)


def pi_enable_wakeup_handler(vcpu: Vcpu) -> None:
    """Let a vCPU that blocks be woken by the wake-up vector. Interrupts are off.

    What was posted before NV changed sent the ordinary vector, whose handler wakes nobody; and nobody can be woken from
    within ``schedule``. So the pCPU sends the wake-up vector to itself.
    """
    control = vcpu.pi_desc.control
    wakeup = machine().pcpus[READ_ONCE(vcpu.cpu)].wakeup
    raw_spin_lock(wakeup)
    list_add(vcpu, wakeup)
    raw_spin_unlock(wakeup)
    found = READ_ONCE(control)
    while True:
        old = found
        new = old & ~(0xFF << NV_SHIFT) | POSTED_INTR_WAKEUP_VECTOR << NV_SHIFT
        found = cmpxchg(control, old, new)
        if found == old:
            break
    if new & BIT(POSTED_INTR_ON) != 0:
        apic_send_IPI(smp_processor_id(), POSTED_INTR_WAKEUP_VECTOR)


def vmx_vcpu_pi_put(vcpu: Vcpu) -> None:
    """Say that the vCPU is off its pCPU: to be woken if it blocks and could take an interrupt, else not to be notified.

    The form since mid-2025, from memory but for its behaviour; before, SN was set only for a vCPU that was preempted.
    """
    if vmx_needs_pi_wakeup(vcpu) == 0:
        return
    if local_read(vcpu.preempted) == 0 and kvm_vcpu_is_blocking(vcpu) != 0 and local_read(vcpu.guest.rflags_if) != 0:
        pi_enable_wakeup_handler(vcpu)
    else:
        pi_set_sn(vcpu.pi_desc)


def list_add(vcpu: Vcpu, wakeup: WakeupList) -> None:
    """Put a vCPU on a list, whose lock is held."""
    WRITE_ONCE(wakeup.vcpus, READ_ONCE(wakeup.vcpus) | BIT(local_read(vcpu.id)))


def list_del(vcpu: Vcpu, wakeup: WakeupList) -> None:
    """Take it off the list."""
    WRITE_ONCE(wakeup.vcpus, READ_ONCE(wakeup.vcpus) & ~BIT(local_read(vcpu.id)))
