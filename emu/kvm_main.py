"""Requests, modes, wake-ups and kicks: virt/kvm/kvm_main.c and Documentation/virt/kvm/vcpu-requests.rst."""

from __future__ import annotations

from typing import Final

from emu.cpu import apic_send_IPI, kvm_get_running_vcpu, preempt_disable, preempt_enable
from emu.machine import Vcpu, smp_processor_id
from emu.observe.accounting import KICK_LOSES, KICKS, REQUESTS, WAKE_BEFORE_SLEEP, WAKE_FINDS_WAITER, WAKES
from emu.observe.ghost import TOLD_OTHER, count, note_told, window
from emu.observe.tracepoints import trace_kvm_make_request, trace_sched_waking
from emu.vectors import RESCHEDULE_VECTOR
from emu.waist import BIT, READ_ONCE, WRITE_ONCE, cmpxchg, set_bit, smp_mb, smp_wmb, test_and_clear_bit, xchg

OUTSIDE_GUEST_MODE: Final = 0
IN_GUEST_MODE: Final = 1
EXITING_GUEST_MODE: Final = 2

KVM_REQ_TLB_FLUSH: Final = 0
"""The request that the kickers of the scenarios make; it needs the vCPU out of guest mode."""
KVM_REQ_UNBLOCK: Final = 2
KVM_REQ_EVENT: Final = 14
KICKED_REQUESTS: Final = 1 << KVM_REQ_TLB_FLUSH
"""Requests that are made together with a kick: the others wait for the next exit by design (C9)."""

TASK_RUNNING: Final = 0
TASK_INTERRUPTIBLE: Final = 1
TASK_ASLEEP: Final = 2
"""Off the run queue: the scheduler took TASK_INTERRUPTIBLE at its word."""


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
        count(REQUESTS)
        return 1
    return 0


def kvm_request_pending(vcpu: Vcpu) -> int:
    """Read the requests."""
    return READ_ONCE(vcpu.requests)


def kvm_vcpu_exiting_guest_mode(vcpu: Vcpu) -> int:
    """Turn IN_GUEST_MODE into EXITING_GUEST_MODE; gives the mode found. One kicker wins (fact 3.2)."""
    return cmpxchg(vcpu.mode, IN_GUEST_MODE, EXITING_GUEST_MODE)


def try_to_wake_up(vcpu: Vcpu) -> int:
    """Make the vCPU's task runnable; 1 if it was not. A task that is off the run queue needs its pCPU told."""
    state = xchg(vcpu.wait.state, TASK_RUNNING)
    if state == TASK_RUNNING:
        return 0
    trace_sched_waking(vcpu, state)
    if state == TASK_INTERRUPTIBLE:
        window(WAKE_BEFORE_SLEEP)
    cpu = READ_ONCE(vcpu.cpu)
    if state == TASK_ASLEEP and cpu != smp_processor_id():
        apic_send_IPI(cpu, RESCHEDULE_VECTOR)
    return 1


def rcuwait_wake_up(vcpu: Vcpu) -> int:
    """Wake the task that the wait record names, if any; the barrier pairs with the sleeper's (fact 3.5)."""
    smp_mb()
    if READ_ONCE(vcpu.wait.task) != 0:
        window(WAKE_FINDS_WAITER)
        return try_to_wake_up(vcpu)
    return 0


def kvm_vcpu_wake_up(vcpu: Vcpu) -> int:
    """Wake the vCPU if it blocks; 1 if that woke it."""
    if rcuwait_wake_up(vcpu) != 0:
        count(WAKES)
        note_told(TOLD_OTHER)
        return 1
    return 0


def kvm_vcpu_kick(vcpu: Vcpu) -> None:
    """Wake a blocked vCPU, or force a running one out of guest mode (fact 3.3)."""
    if kvm_vcpu_wake_up(vcpu) != 0:
        return
    count(KICKS)
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
        if mode == EXITING_GUEST_MODE:
            window(KICK_LOSES)
    preempt_enable()
