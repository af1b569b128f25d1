"""posted_intr.c from 2015 to v5.16: a vCPU is on the wake-up list from before its last look until it is back.

Not ``schedule`` puts it there but ``vcpu_block``, whose task may still be preempted and migrated in between. So it
notes on whose list it is (``pre_pcpu``), and its load must not change NDST while NV is the wake-up vector. The handler
of then woke by ``kvm_vcpu_kick``, of which a vCPU outside guest mode gets the wake-up alone. All this went with
d76fb40637fc.
"""

from __future__ import annotations

from emu.cpu import local_irq_disable, local_irq_enable, raw_spin_lock, raw_spin_unlock
from emu.kvm_host import TASK_RUNNING
from emu.machine import Vcpu, config, machine
from emu.posted_intr import (
    NDST_SHIFT,
    NV_SHIFT,
    POSTED_INTR_ON,
    POSTED_INTR_SN,
    pi_is_pir_empty,
    pi_nv,
    pi_set_on,
    pi_set_sn,
    pi_test_and_clear_sn,
    pi_test_on,
)
from emu.vectors import POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR
from emu.vmx_pi import list_add, list_del, vmx_needs_pi_wakeup
from emu.waist import BIT, READ_ONCE, cmpxchg, local_read, local_write


def vcpu_pre_block(vcpu: Vcpu) -> int:
    """Call the hook ahead of a block, where there is one; 1: do not block."""
    return pi_pre_block(vcpu) if local_read(config().pi_pre_block) != 0 else 0


def vcpu_post_block(vcpu: Vcpu) -> None:
    """Call the hook behind a block, where there is one."""
    if local_read(config().pi_pre_block) != 0:
        pi_post_block(vcpu)


def pi_direct(vcpu: Vcpu, vector: int, cpu: int) -> None:
    """Change NV and NDST of the control word in one go. SN is clear, or is to be; ON may change under the loop."""
    control = vcpu.pi_desc.control
    found = READ_ONCE(control)
    while True:
        old = found
        new = old & BIT(POSTED_INTR_ON) | vector << NV_SHIFT | cpu << NDST_SHIFT
        found = cmpxchg(control, old, new)
        if found == old:
            break


def pi_pre_block(vcpu: Vcpu) -> int:
    """Put the vCPU on this pCPU's list, and make that known; 1: an interrupt is posted already, so do not block."""
    if vmx_needs_pi_wakeup(vcpu) == 0:
        return 0
    local_irq_disable()
    if local_read(vcpu.pre_pcpu) == 0:
        cpu = READ_ONCE(vcpu.cpu)
        local_write(vcpu.pre_pcpu, cpu + 1)
        wakeup = machine().pcpus[cpu].wakeup
        raw_spin_lock(wakeup)
        list_add(vcpu, wakeup)
        raw_spin_unlock(wakeup)
    pi_direct(vcpu, POSTED_INTR_WAKEUP_VECTOR, local_read(vcpu.pre_pcpu) - 1)
    if pi_test_on(vcpu.pi_desc) != 0:
        __pi_post_block(vcpu)
    local_irq_enable()
    return 1 if local_read(vcpu.pre_pcpu) == 0 else 0


def pi_post_block(vcpu: Vcpu) -> None:
    """Take the vCPU off the list, if it is on one: not if a device is assigned, which it may not be any more (B12)."""
    if local_read(vcpu.pre_pcpu) == 0:
        return
    local_irq_disable()
    __pi_post_block(vcpu)
    local_irq_enable()


def __pi_post_block(vcpu: Vcpu) -> None:
    """Direct the notifications here again, then take the vCPU off the list that it is on. Interrupts are off."""
    pi_direct(vcpu, POSTED_INTR_VECTOR, READ_ONCE(vcpu.cpu))
    wakeup = machine().pcpus[local_read(vcpu.pre_pcpu) - 1].wakeup
    raw_spin_lock(wakeup)
    list_del(vcpu, wakeup)
    raw_spin_unlock(wakeup)
    local_write(vcpu.pre_pcpu, 0)


def pi_load_until_5_16(vcpu: Vcpu, cpu: int) -> None:
    """``vmx_vcpu_pi_load`` of then: NDST follows the vCPU, unless NV says that it is on the list of NDST's pCPU."""
    pi_desc = vcpu.pi_desc
    old = READ_ONCE(pi_desc.control)
    before = READ_ONCE(vcpu.cpu)
    if old & BIT(POSTED_INTR_SN) == 0 and before == cpu:
        return
    if pi_nv(old) == POSTED_INTR_WAKEUP_VECTOR or before == cpu:
        pi_test_and_clear_sn(pi_desc)
    else:
        pi_direct(vcpu, pi_nv(old), cpu)
    if pi_is_pir_empty(pi_desc) == 0:
        pi_set_on(pi_desc)


def pi_put_until_5_16(vcpu: Vcpu) -> None:
    """``vmx_vcpu_pi_put`` of then: SN if the vCPU is preempted; one that blocks is on the list already.

    Until v5.13 a task that was preempted on its way to sleep was not taken for preempted (``current->state``, not
    ``on_rq``, in ``kvm_sched_out``). This scheme needs that: with SN set nobody would wake it.
    """
    if vmx_needs_pi_wakeup(vcpu) == 0 or local_read(vcpu.preempted) == 0:
        return
    if READ_ONCE(vcpu.wait.state) == TASK_RUNNING:
        pi_set_sn(vcpu.pi_desc)
