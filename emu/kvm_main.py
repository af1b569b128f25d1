"""Requests, modes, wake-ups and kicks: virt/kvm/kvm_main.c and Documentation/virt/kvm/vcpu-requests.rst."""

from __future__ import annotations

from emu.cpu import apic_send_IPI, kvm_get_running_vcpu, preempt_disable
from emu.kvm_host import EXITING_GUEST_MODE, IN_GUEST_MODE
from emu.machine import Vcpu, smp_processor_id
from emu.observe.probes.wake import probe_kick, probe_kick_found, probe_request_taken, probe_woken
from emu.observe.tracepoints import trace_kvm_make_request
from emu.rcuwait import rcuwait_wake_up
from emu.sched import preempt_enable
from emu.vectors import RESCHEDULE_VECTOR
from emu.waist import BIT, READ_ONCE, WRITE_ONCE, cmpxchg, set_bit, smp_mb, smp_wmb, test_and_clear_bit


def kvm_make_request(req: int, vcpu: Vcpu) -> None:
    """Make a request: what it is about is visible before the bit."""
    trace_kvm_make_request(req, vcpu)
    smp_wmb()
    set_bit(req, vcpu.requests)


def kvm_check_request(req: int, vcpu: Vcpu) -> int:
    """Take a request if it is made; what it is about is visible after."""
    if READ_ONCE(vcpu.requests) & BIT(req) != 0:
        test_and_clear_bit(req, vcpu.requests)
        smp_mb()
        probe_request_taken()
        return 1
    return 0


def kvm_request_pending(vcpu: Vcpu) -> int:
    """Read the requests."""
    return READ_ONCE(vcpu.requests)


def kvm_vcpu_exiting_guest_mode(vcpu: Vcpu) -> int:
    """Turn IN_GUEST_MODE into EXITING_GUEST_MODE; return the mode found. One kicker wins (fact 3.2)."""
    return cmpxchg(vcpu.mode, IN_GUEST_MODE, EXITING_GUEST_MODE)


def kvm_vcpu_wake_up(vcpu: Vcpu) -> int:
    """Wake the vCPU if it blocks; 1 if that woke it."""
    if rcuwait_wake_up(vcpu) != 0:
        probe_woken()
        return 1
    return 0


def kvm_vcpu_kick(vcpu: Vcpu) -> None:
    """Wake a blocked vCPU, or force a running one out of guest mode (fact 3.3)."""
    if kvm_vcpu_wake_up(vcpu) != 0:
        return
    probe_kick()
    preempt_disable()
    if vcpu == kvm_get_running_vcpu():
        if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
            WRITE_ONCE(vcpu.mode, EXITING_GUEST_MODE)
    else:
        mode = kvm_vcpu_exiting_guest_mode(vcpu)
        if mode == IN_GUEST_MODE:
            cpu = READ_ONCE(vcpu.cpu)
            if cpu != smp_processor_id():
                apic_send_IPI(cpu, RESCHEDULE_VECTOR)
        probe_kick_found(mode)
    preempt_enable()
