"""Interrupts taken in root mode: the dispatch and the handlers, down to irqfd (fact 4.5)."""

from __future__ import annotations

from emu.lapic import kvm_apic_set_irq
from emu.machine import Vcpu, config, machine, smp_processor_id, this_pcpu
from emu.observe.probes.post import probe_post_begin, probe_post_end
from emu.observe.probes.processor import probe_interrupt_acked
from emu.observe.probes.root import probe_device_irq, probe_notified_in_root, probe_stray_interrupt
from emu.observe.probes.sched import probe_wakeup_begin, probe_wakeup_end
from emu.observe.tracepoints import trace_irq_vector_entry
from emu.pi_wakeup import pi_wakeup_handler
from emu.sched import need_resched, preempt_schedule, preemptible, scheduler_tick
from emu.vectors import (
    DEVICE_VECTOR,
    LOCAL_TIMER_VECTOR,
    POSTED_INTR_VECTOR,
    POSTED_INTR_WAKEUP_VECTOR,
    RESCHEDULE_VECTOR,
    SLOT_DEVICE,
    vector_of,
)
from emu.waist import apic_ack, local_read, local_write


def common_interrupt() -> None:
    """Take the highest pending vector, interrupts off meanwhile. The host comes here from an interrupt point."""
    local_write(this_pcpu().irq.enabled, 0)
    vector = apic_ack()
    probe_interrupt_acked()
    if vector == RESCHEDULE_VECTOR and local_read(config().task_pcpus) != 0:
        scheduler_ipi()
    handle_vector(vector)
    irqentry_exit_cond_resched()
    local_write(this_pcpu().irq.enabled, 1)


def irqentry_exit_cond_resched() -> None:
    """On the way back from an interrupt let another task run, if one wants to and may; else ``preempt_enable`` will.

    It asks the pCPU's own flag; what another pCPU wants gets there by its IPI.
    """
    if local_read(this_pcpu().irq.need_resched) != 0 and preemptible() != 0:
        preempt_schedule()


def handle_vector(vector: int) -> None:
    """Call the handler of an acknowledged vector."""
    trace_irq_vector_entry(vector)
    if vector == POSTED_INTR_VECTOR:
        sysvec_kvm_posted_intr_ipi()
    elif vector == DEVICE_VECTOR:
        vfio_msihandler()
    elif vector == RESCHEDULE_VECTOR:
        sysvec_reschedule_ipi()
    elif vector == POSTED_INTR_WAKEUP_VECTOR:
        sysvec_kvm_posted_intr_wakeup_ipi()
    elif vector == LOCAL_TIMER_VECTOR:
        sysvec_apic_timer_interrupt()
    else:
        spurious_interrupt()


def sysvec_kvm_posted_intr_ipi() -> None:
    """Acknowledge and count a notification that missed non-root mode. It touches no descriptor."""
    probe_notified_in_root()


def sysvec_reschedule_ipi() -> None:
    """Do nothing: that the pCPU has left what it was at is all that is wanted."""


def scheduler_ipi() -> None:
    """Where vCPUs are tasks, take note that another one shall run (``preempt_fold_need_resched``)."""
    if need_resched() != 0:
        local_write(this_pcpu().irq.need_resched, 1)


def sysvec_kvm_posted_intr_wakeup_ipi() -> None:
    """Wake the vCPUs that block here and have been posted to."""
    if local_read(config().task_pcpus) == 0:
        spurious_interrupt()
        return
    probe_wakeup_begin()
    pi_wakeup_handler()
    probe_wakeup_end()


def sysvec_apic_timer_interrupt() -> None:
    """Do what the scheduler's tick is for."""
    if local_read(config().task_pcpus) == 0:
        spurious_interrupt()
    else:
        scheduler_tick()


def spurious_interrupt() -> None:
    """Count a vector that nobody has claimed, as the kernel does; only that it ended a stay or an idle loop matters.

    The nested vector is among them, for this machine runs no nested guest; so are, where no vCPU ever leaves its pCPU,
    the wake-up vector and that of the tick. So are vectors 0 to 31, where a real APIC refuses the first sixteen
    ("received illegal vector") and the others are taken for exceptions: here such a vector arrives and does nothing.
    """
    probe_stray_interrupt()


def vfio_msihandler() -> None:
    """Pass a device's interrupt on to the vCPU it is assigned to, in hard interrupt context (vfio, eventfd, irqfd)."""
    probe_device_irq()
    kvm_arch_set_irq_inatomic(machine().vcpus[smp_processor_id()], vector_of(SLOT_DEVICE))


def kvm_arch_set_irq_inatomic(vcpu: Vcpu, vector: int) -> int:
    """Accept a message-signalled interrupt in any context, as irqfd does; 0 if the APIC is disabled."""
    probe_post_begin(vcpu, vector)
    accepted = kvm_apic_set_irq(vcpu, vector)
    probe_post_end(vcpu, vector, accepted)
    return accepted
