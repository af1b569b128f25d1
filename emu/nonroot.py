"""The processor in VMX non-root mode: VM-entry, virtual interrupts, posted-interrupt processing (facts 4.3, 4.4)."""

from __future__ import annotations

from emu.exits import EXIT_REASON_EXTERNAL_INTERRUPT, EXIT_REASON_PREEMPTION_TIMER
from emu.guest import guest_eoi_due, guest_interrupt_handler
from emu.lapic_irr import harvest
from emu.lapic_regs import (
    apic_clear_vector,
    apic_find_highest_irr,
    apic_find_highest_isr,
    apic_set_vector,
    highest_of,
    ppr_virtualization,
)
from emu.machine import Vcpu, this_pcpu
from emu.observe.accounting import TIMER_IN_GUEST
from emu.observe.probes.processor import (
    probe_delivered,
    probe_interrupt_acked,
    probe_notified_in_guest,
    probe_processing,
    probe_vm_entry,
    probe_vm_exit,
)
from emu.observe.probes.sync import probe_before_on_cleared
from emu.observe.probes.timer import probe_deadline
from emu.observe.tracepoints import trace_posted_interrupt_processing
from emu.posted_intr import POSTED_INTR_ON
from emu.vectors import POSTED_INTR_VECTOR
from emu.waist import apic_ack, apic_pending, clear_bit, deadline_passed, local_read, local_write
from emu.workload.program import guest_step


def __vmx_vcpu_run(vcpu: Vcpu) -> None:
    """Enter the guest, run it until something makes it exit, and leave the reason in the VMCS.

    A recognised virtual interrupt comes first, then what is pending at the local APIC, then the preemption timer,
    then the next step of the guest.
    """
    vm_entry(vcpu)
    reason = 0
    while reason == 0:
        if pending_virtual_interrupt(vcpu) != 0:
            deliver_virtual_interrupt(vcpu)
        elif apic_pending() != 0:
            reason = external_interrupt(vcpu)
        elif preemption_timer_expired(vcpu) != 0:
            reason = EXIT_REASON_PREEMPTION_TIMER
        elif guest_eoi_due(vcpu) != 0:
            eoi_virtualization(vcpu)
        else:
            reason = guest_step(vcpu)
    vm_exit(vcpu, reason)


def vm_entry(vcpu: Vcpu) -> None:
    """Enter non-root mode."""
    probe_vm_entry(vcpu)
    forget_exit(vcpu)
    ppr_virtualization(vcpu)
    local_write(this_pcpu().irq.non_root, 1)


def forget_exit(vcpu: Vcpu) -> None:
    """Clear what VM-exit wrote, once it is not read any more: states that differ in it alone become one."""
    local_write(vcpu.vmcs.vm_exit_reason, 0)
    local_write(vcpu.vmcs.vm_exit_intr_info, 0)
    local_write(vcpu.vmcs.exit_qualification, 0)


def vm_exit(vcpu: Vcpu, reason: int) -> None:
    """Leave non-root mode."""
    local_write(this_pcpu().irq.non_root, 0)
    local_write(vcpu.vmcs.vm_exit_reason, reason)
    probe_vm_exit()


def pending_virtual_interrupt(vcpu: Vcpu) -> int:
    """Return 1 if a virtual interrupt is delivered at this boundary of instructions.

    One is recognised if the class of RVI is above that of PPR (whoever changes either evaluates), and then waits for
    RFLAGS.IF and for the end of an STI's shadow.
    """
    if local_read(vcpu.vmcs.rvi) > local_read(vcpu.apic.vppr) | 0x0F:
        return local_read(vcpu.guest.rflags_if) & ~local_read(vcpu.vmcs.guest_interruptibility_info)
    return 0


def deliver_virtual_interrupt(vcpu: Vcpu) -> None:
    """Deliver the virtual interrupt that RVI names (SDM, virtual-interrupt delivery)."""
    vector = local_read(vcpu.vmcs.rvi)
    apic_set_vector(vector, vcpu.apic.visr)
    local_write(vcpu.vmcs.svi, vector)
    local_write(vcpu.apic.vppr, vector & 0xF0)
    apic_clear_vector(vector, vcpu.apic.virr)
    local_write(vcpu.vmcs.rvi, max(apic_find_highest_irr(vcpu), 0))
    probe_delivered()
    guest_interrupt_handler(vcpu, vector)


def eoi_virtualization(vcpu: Vcpu) -> None:
    """Retire the vector in service that SVI names (SDM, EOI virtualization)."""
    apic_clear_vector(local_read(vcpu.vmcs.svi), vcpu.apic.visr)
    local_write(vcpu.vmcs.svi, max(apic_find_highest_isr(vcpu), 0))
    ppr_virtualization(vcpu)


def preemption_timer_expired(vcpu: Vcpu) -> int:
    """Return whether the VMX preemption timer has counted down."""
    if local_read(vcpu.vmcs.preemption_timer_armed) == 0:
        return 0
    deadline = local_read(vcpu.vmcs.preemption_timer_deadline)
    passed = deadline_passed(deadline)
    probe_deadline(vcpu, deadline, passed, TIMER_IN_GUEST)
    return passed


def external_interrupt(vcpu: Vcpu) -> int:
    """Acknowledge what is pending: the notification vector is processed here, any other ends the stay."""
    probe_processing()
    vector = apic_ack()
    probe_interrupt_acked()
    reason = EXIT_REASON_EXTERNAL_INTERRUPT
    if vector == POSTED_INTR_VECTOR:
        posted_interrupt_processing(vcpu)
        reason = 0
    else:
        local_write(vcpu.vmcs.vm_exit_intr_info, vector)
    probe_processing()
    return reason


def posted_interrupt_processing(vcpu: Vcpu) -> None:
    """Process a notification, on the descriptor of the current VMCS (SDM, posted-interrupt processing).

    Senders may get in between any two of the locked operations. RVI is raised by what the PIR held, never lowered.
    """
    probe_before_on_cleared(vcpu)
    clear_bit(POSTED_INTR_ON, vcpu.pi_desc.control)
    word3 = harvest(vcpu, 3)
    word2 = harvest(vcpu, 2)
    word1 = harvest(vcpu, 1)
    word0 = harvest(vcpu, 0)
    probe_notified_in_guest(word0 | word1 | word2 | word3)
    if word0 | word1 | word2 | word3 != 0:
        highest = highest_of(word0, word1, word2, word3)
        local_write(vcpu.vmcs.rvi, max(local_read(vcpu.vmcs.rvi), highest))
    trace_posted_interrupt_processing(vcpu)
