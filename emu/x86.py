"""The run loop: ``vcpu_run`` and ``vcpu_enter_guest``, every step in the kernel's order (fact 3.1)."""

from __future__ import annotations

from emu.cpu import local_irq_disable, local_irq_enable, preempt_disable
from emu.exits import EXIT_FASTPATH_EXIT_HANDLED, EXIT_FASTPATH_REENTER_GUEST
from emu.halt import schedule, vcpu_block
from emu.kvm_host import (
    EXITING_GUEST_MODE,
    IN_GUEST_MODE,
    KVM_MP_STATE_RUNNABLE,
    KVM_REQ_EVENT,
    KVM_REQ_TLB_FLUSH,
    KVM_REQ_UNBLOCK,
    OUTSIDE_GUEST_MODE,
)
from emu.kvm_main import kvm_check_request, kvm_request_pending
from emu.lapic import kvm_cpu_has_pending_timer, kvm_inject_pending_timer_irqs
from emu.machine import Vcpu
from emu.observe.probes.wake import probe_signal_taken
from emu.sched import need_resched, preempt_enable
from emu.signal import get_signal, xfer_to_guest_mode_work_pending
from emu.vcpu_load import vcpu_load, vcpu_put
from emu.vmx import kvm_x86_handle_exit_irqoff, vmx_handle_exit, vmx_vcpu_run
from emu.vmx_intr import kvm_x86_sync_pir_to_irr
from emu.waist import READ_ONCE, WRITE_ONCE, local_read, smp_mb, smp_store_release, smp_wmb


def kvm_vcpu_exit_request(vcpu: Vcpu) -> int:
    """Return whether the vCPU has to leave: a kicker won, a request or a signal waits, or another task does."""
    if READ_ONCE(vcpu.mode) == EXITING_GUEST_MODE:
        return 1
    if kvm_request_pending(vcpu) != 0:
        return 1
    if need_resched() != 0:
        return 1
    return xfer_to_guest_mode_work_pending(vcpu)


def kvm_process_requests(vcpu: Vcpu) -> None:
    """Serve the requests; with APICv, KVM_REQ_EVENT finds nothing that the entry's sync would not."""
    if kvm_request_pending(vcpu) != 0:
        kvm_check_request(KVM_REQ_TLB_FLUSH, vcpu)
        kvm_check_request(KVM_REQ_EVENT, vcpu)
        kvm_check_request(KVM_REQ_UNBLOCK, vcpu)


def kvm_before_interrupt(vcpu: Vcpu) -> None:
    """Mark the vCPU as handling an interrupt (for the guest's perf events; nothing else reads it)."""


def kvm_after_interrupt(vcpu: Vcpu) -> None:
    """Take the mark back."""


def smp_mb__after_srcu_read_unlock() -> None:
    """Full barrier, which the SRCU unlock implies; pairs with the sender's RMW of ON and with the request makers."""
    smp_mb()


def vcpu_enter_guest(vcpu: Vcpu) -> int:
    """Enter the guest once, re-enter from the fastpath as often as it asks, and handle the exit. 1: go on."""
    kvm_process_requests(vcpu)
    preempt_disable()
    local_irq_disable()
    smp_store_release(vcpu.mode, IN_GUEST_MODE)
    smp_mb__after_srcu_read_unlock()
    kvm_x86_sync_pir_to_irr(vcpu)
    if kvm_vcpu_exit_request(vcpu) != 0:
        WRITE_ONCE(vcpu.mode, OUTSIDE_GUEST_MODE)
        smp_wmb()
        local_irq_enable()
        preempt_enable()
        return 1
    while True:
        exit_fastpath = vmx_vcpu_run(vcpu)
        if exit_fastpath != EXIT_FASTPATH_REENTER_GUEST:
            break
        kvm_x86_sync_pir_to_irr(vcpu)
        if kvm_vcpu_exit_request(vcpu) != 0:
            exit_fastpath = EXIT_FASTPATH_EXIT_HANDLED
            break
    WRITE_ONCE(vcpu.mode, OUTSIDE_GUEST_MODE)
    smp_wmb()
    kvm_x86_handle_exit_irqoff(vcpu)
    kvm_before_interrupt(vcpu)
    local_irq_enable()
    local_irq_disable()
    kvm_after_interrupt(vcpu)
    local_irq_enable()
    preempt_enable()
    return vmx_handle_exit(vcpu, exit_fastpath)


def vcpu_run(vcpu: Vcpu) -> None:
    """Run the vCPU until its guest has ended."""
    while local_read(vcpu.guest.ended) == 0:
        if local_read(vcpu.mp_state) == KVM_MP_STATE_RUNNABLE:
            vcpu_enter_guest(vcpu)
        else:
            vcpu_block(vcpu)
        kvm_check_request(KVM_REQ_UNBLOCK, vcpu)
        if kvm_cpu_has_pending_timer(vcpu) != 0:
            kvm_inject_pending_timer_irqs(vcpu)
        if xfer_to_guest_mode_work_pending(vcpu) != 0:
            kvm_handle_signal_exit(vcpu)
        if need_resched() != 0:
            schedule(vcpu)


def kvm_handle_signal_exit(vcpu: Vcpu) -> None:
    """Leave to userspace for a signal, which is taken there; then the vCPU is run again."""
    probe_signal_taken()
    vcpu_put(vcpu)
    get_signal(vcpu)
    vcpu_load(vcpu)


def kvm_arch_vcpu_ioctl_run(vcpu: Vcpu) -> None:
    """Run a vCPU on this pCPU from load to put."""
    local_irq_enable()
    vcpu_load(vcpu)
    vcpu_run(vcpu)
    vcpu_put(vcpu)
