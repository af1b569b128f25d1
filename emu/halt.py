"""Halting and blocking of a vCPU, up to the idle loop: x86.c, kvm_main.c and kernel/sched (fact 3.5)."""

from __future__ import annotations

from typing import Final

from emu.cpu import local_irq_disable, local_irq_enable, preempt_disable
from emu.kvm_host import (
    KVM_MP_STATE_HALTED,
    KVM_MP_STATE_RUNNABLE,
    KVM_REQ_UNBLOCK,
    TASK_ASLEEP,
    TASK_INTERRUPTIBLE,
)
from emu.kvm_main import kvm_check_request
from emu.lapic import (
    apic_timer_fn,
    kvm_apic_has_interrupt,
    kvm_cpu_has_pending_timer,
    kvm_lapic_switch_to_hv_timer,
    kvm_lapic_switch_to_sw_timer,
)
from emu.machine import Vcpu, config
from emu.observe.probes.root import probe_asleep, probe_block_decided, probe_events_checked, probe_polled
from emu.observe.tracepoints import trace_kvm_vcpu_wakeup, trace_sched_switch
from emu.pi_block import vcpu_post_block, vcpu_pre_block
from emu.rcuwait import finish_rcuwait, prepare_to_rcuwait, set_current_state
from emu.sched import preempt_enable, schedule_task
from emu.signal import xfer_to_guest_mode_work_pending
from emu.vcpu_load import kvm_sched_in, kvm_sched_out
from emu.waist import READ_ONCE, cmpxchg, cpu_relax, local_read, local_write, one_in, wait_for_interrupt
from emu.workload.liveness import liveness_timer

POLLS: Final = 8
"""A vCPU that polls looks about so many times. The kernel ends by the clock, and adapts how long it polls."""


def vmx_interrupt_blocked(vcpu: Vcpu) -> int:
    """Return whether the guest takes no interrupts now: RFLAGS.IF is off, or the shadow of an STI lasts."""
    if local_read(vcpu.guest.rflags_if) == 0:
        return 1
    return local_read(vcpu.vmcs.guest_interruptibility_info)


def skip_emulated_instruction(vcpu: Vcpu) -> None:
    """Step over an instruction that KVM has done for the guest: the shadow of an STI before it ends with it."""
    local_write(vcpu.vmcs.guest_interruptibility_info, 0)


def kvm_vcpu_has_events(vcpu: Vcpu) -> int:
    """Return whether the guest would take an interrupt now."""
    if vmx_interrupt_blocked(vcpu) != 0:
        return 0
    return 1 if kvm_apic_has_interrupt(vcpu) >= 0 else 0


def kvm_vcpu_check_block(vcpu: Vcpu) -> int:
    """Return whether there is a reason not to block. What is posted behind the look at the PIR has to wake the vCPU."""
    if kvm_vcpu_has_events(vcpu) != 0:
        return 1
    probe_events_checked()
    if kvm_cpu_has_pending_timer(vcpu) != 0:
        return 1
    if xfer_to_guest_mode_work_pending(vcpu) != 0:
        return 1
    return kvm_check_request(KVM_REQ_UNBLOCK, vcpu)


def kvm_vcpu_block(vcpu: Vcpu) -> None:
    """Block until there is a reason not to."""
    preempt_disable()
    prepare_to_rcuwait(vcpu)
    preempt_enable()
    while True:
        set_current_state(vcpu, TASK_INTERRUPTIBLE)
        if kvm_vcpu_check_block(vcpu) != 0:
            break
        schedule(vcpu)
    probe_block_decided()
    finish_rcuwait(vcpu)


def schedule(vcpu: Vcpu) -> None:
    """Give up the pCPU unless a waker came first; comes back when woken."""
    if local_read(config().task_pcpus) != 0:
        schedule_task()
        return
    local_irq_disable()
    probe_block_decided()
    if cmpxchg(vcpu.wait.state, TASK_INTERRUPTIBLE, TASK_ASLEEP) == TASK_INTERRUPTIBLE:
        trace_sched_switch(vcpu, 0)
        kvm_sched_out(vcpu)
        do_idle(vcpu)
        kvm_sched_in(vcpu)
        trace_sched_switch(vcpu, 1)
    local_irq_enable()


def do_idle(vcpu: Vcpu) -> None:
    """Idle with the vCPU's task asleep: look at what is pending first, then wait; C2 is judged here."""
    while READ_ONCE(vcpu.wait.state) == TASK_ASLEEP:
        wait_for_interrupt()
        local_irq_enable()
        local_irq_disable()
        apic_timer_fn(vcpu)
        if READ_ONCE(vcpu.wait.state) == TASK_ASLEEP and probe_asleep(vcpu) != 0:
            liveness_timer(vcpu)


def kvm_vcpu_halt(vcpu: Vcpu) -> None:
    """Halt the vCPU: poll first if that is on, until something comes or the time for it is over, then block."""
    polls = local_read(config().halt_poll)
    while polls != 0:
        found = kvm_vcpu_check_block(vcpu)
        probe_polled(found)
        if found != 0:
            trace_kvm_vcpu_wakeup(vcpu)
            return
        cpu_relax()
        if one_in(POLLS) != 0:
            polls = 0
    kvm_vcpu_block(vcpu)
    trace_kvm_vcpu_wakeup(vcpu)


def vcpu_block(vcpu: Vcpu) -> int:
    """Block a vCPU that is not runnable, with its timer handed to the host meanwhile."""
    if kvm_vcpu_has_events(vcpu) == 0 and vcpu_pre_block(vcpu) == 0:
        kvm_lapic_switch_to_sw_timer(vcpu)
        kvm_vcpu_halt(vcpu)
        kvm_lapic_switch_to_hv_timer(vcpu)
        vcpu_post_block(vcpu)
        if kvm_vcpu_has_events(vcpu) == 0:
            return 1
    local_write(vcpu.mp_state, KVM_MP_STATE_RUNNABLE)
    return 1


def kvm_emulate_halt(vcpu: Vcpu) -> int:
    """HLT: stay runnable if an interrupt waits, else halt."""
    skip_emulated_instruction(vcpu)
    if kvm_vcpu_has_events(vcpu) == 0:
        local_write(vcpu.mp_state, KVM_MP_STATE_HALTED)
    return 1
