"""vmx.c: ``vmx_vcpu_run``, the exit fastpaths and the exit handlers (facts 3.1, 5)."""

from __future__ import annotations

from emu.exits import (
    EXIT_FASTPATH_EXIT_HANDLED,
    EXIT_FASTPATH_NONE,
    EXIT_FASTPATH_REENTER_GUEST,
    EXIT_REASON_EXTERNAL_INTERRUPT,
    EXIT_REASON_HLT,
    EXIT_REASON_MSR_WRITE,
    EXIT_REASON_PREEMPTION_TIMER,
    MSR_TSC_DEADLINE,
)
from emu.halt import kvm_emulate_halt
from emu.irq import handle_vector
from emu.kvm_host import KVM_MP_STATE_RUNNABLE
from emu.lapic import kvm_apic_send_ipi, kvm_lapic_expired_hv_timer, kvm_set_lapic_tscdeadline_msr
from emu.machine import Vcpu, config, machine
from emu.nonroot import __vmx_vcpu_run, forget_exit
from emu.observe.probes.root import probe_hlt_fastpath, probe_stay_ended
from emu.observe.tracepoints import trace_kvm_entry, trace_kvm_exit
from emu.vectors import SLOT_GUEST_IPI, vector_of
from emu.waist import local_read
from emu.workload.program import begin_turn


def handle_fastpath_preemption_timer(vcpu: Vcpu) -> int:
    """Expire the hv timer in the fastpath (26efe2fd92e5)."""
    kvm_lapic_expired_hv_timer(vcpu)
    return EXIT_FASTPATH_REENTER_GUEST


def handle_fastpath_set_tscdeadline(vcpu: Vcpu) -> int:
    """Arm the deadline in the fastpath; a past one posts at once (``tscdeadline_immed``)."""
    kvm_set_lapic_tscdeadline_msr(vcpu, local_read(vcpu.apic.tscdeadline))
    return EXIT_FASTPATH_REENTER_GUEST


def handle_fastpath_set_x2apic_icr(vcpu: Vcpu, qualification: int) -> int:
    """Send the guest's IPI in the fastpath; by its own id it is a post to itself. In v6.3 this left the loop."""
    target = machine().vcpus[qualification - 1]
    kvm_apic_send_ipi(target, vector_of(SLOT_GUEST_IPI))
    return EXIT_FASTPATH_REENTER_GUEST


def handle_fastpath_hlt(vcpu: Vcpu) -> int:
    """Halt in the fastpath, still IN_GUEST_MODE: a notification that comes now is taken in root mode (fact 5.5).

    What makes that safe is the second look, in ``kvm_vcpu_check_block``. The code was read, that it is in v6.11 is
    from memory.
    """
    if local_read(vcpu.guest.turn_wanted) != 0:
        begin_turn(vcpu)
    kvm_emulate_halt(vcpu)
    runnable = local_read(vcpu.mp_state) == KVM_MP_STATE_RUNNABLE
    probe_hlt_fastpath(vcpu)
    return EXIT_FASTPATH_REENTER_GUEST if runnable else EXIT_FASTPATH_EXIT_HANDLED


def vmx_exit_handlers_fastpath(vcpu: Vcpu) -> int:
    """Handle with interrupts off what can be handled so; before v5.8 timers were not among it."""
    reason = local_read(vcpu.vmcs.vm_exit_reason)
    if local_read(config().slow_timer) != 0:
        return EXIT_FASTPATH_NONE
    if reason == EXIT_REASON_PREEMPTION_TIMER:
        return handle_fastpath_preemption_timer(vcpu)
    if reason == EXIT_REASON_MSR_WRITE:
        qualification = local_read(vcpu.vmcs.exit_qualification)
        if qualification == MSR_TSC_DEADLINE:
            return handle_fastpath_set_tscdeadline(vcpu)
        return handle_fastpath_set_x2apic_icr(vcpu, qualification)
    if reason == EXIT_REASON_HLT and local_read(config().hlt_fastpath) != 0:
        return handle_fastpath_hlt(vcpu)
    return EXIT_FASTPATH_NONE


def vmx_vcpu_enter_exit(vcpu: Vcpu) -> None:
    """Enter and exit the guest."""
    __vmx_vcpu_run(vcpu)


def vmx_vcpu_run(vcpu: Vcpu) -> int:
    """Run the guest once, then the exit fastpath (``kvm_x86_run``)."""
    trace_kvm_entry(vcpu)
    vmx_vcpu_enter_exit(vcpu)
    trace_kvm_exit(vcpu)
    return vmx_exit_handlers_fastpath(vcpu)


def vmx_handle_exit_irqoff(vcpu: Vcpu) -> None:
    """Call the host's handler for the vector that ended the stay, interrupts still off."""
    if local_read(vcpu.vmcs.vm_exit_reason) == EXIT_REASON_EXTERNAL_INTERRUPT:
        vector = local_read(vcpu.vmcs.vm_exit_intr_info)
        probe_stay_ended(vector)
        handle_vector(vector)


def kvm_x86_handle_exit_irqoff(vcpu: Vcpu) -> None:
    """Handle what has to be handled before interrupts are on."""
    vmx_handle_exit_irqoff(vcpu)


def vmx_handle_exit(vcpu: Vcpu, exit_fastpath: int) -> int:
    """Handle slowly what the fastpath left."""
    reason = local_read(vcpu.vmcs.vm_exit_reason)
    qualification = local_read(vcpu.vmcs.exit_qualification)
    forget_exit(vcpu)
    if exit_fastpath != EXIT_FASTPATH_NONE:
        return 1
    if local_read(vcpu.guest.turn_wanted) != 0:
        begin_turn(vcpu)
    if reason == EXIT_REASON_HLT:
        return kvm_emulate_halt(vcpu)
    if reason == EXIT_REASON_PREEMPTION_TIMER:
        kvm_lapic_expired_hv_timer(vcpu)
    elif reason == EXIT_REASON_MSR_WRITE:
        if qualification == MSR_TSC_DEADLINE:
            kvm_set_lapic_tscdeadline_msr(vcpu, local_read(vcpu.apic.tscdeadline))
        else:
            handle_fastpath_set_x2apic_icr(vcpu, qualification)
    return 1
