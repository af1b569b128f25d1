"""lapic.c: acceptance of interrupts, and the APIC timer, backed by the VMX preemption timer (facts 2.1, 5)."""

from __future__ import annotations

from typing import Final

from emu.cpu import preempt_disable
from emu.kvm_host import IN_GUEST_MODE, KVM_REQ_UNBLOCK
from emu.kvm_main import kvm_make_request, kvm_vcpu_kick
from emu.lapic_regs import apic_update_ppr
from emu.machine import Vcpu, config
from emu.observe.accounting import TIMER_ASLEEP, TIMER_AT_ONCE, TIMER_AT_SWITCH
from emu.observe.probes.post import probe_effects_begin, probe_effects_end, probe_post_begin, probe_post_end
from emu.observe.probes.timer import (
    probe_deadline,
    probe_own_expiry,
    probe_posted_deadline,
    probe_posted_timer,
    probe_timer_armed,
    probe_timer_injected,
)
from emu.sched import preempt_enable
from emu.vectors import SLOT_TIMER, vector_of
from emu.vmx_intr import vmx_deliver_interrupt, vmx_sync_pir_to_irr
from emu.waist import READ_ONCE, WRITE_ONCE, atomic_inc, cmpxchg, deadline_passed, local_read, local_write

HRTIMER_FIRING: Final = -1


def __apic_accept_irq(vcpu: Vcpu, vector: int) -> int:
    """Accept a fixed, edge-triggered interrupt at the vCPU's APIC; 0 if the APIC is disabled."""
    if local_read(vcpu.apic.enabled) == 0:
        return 0
    vmx_deliver_interrupt(vcpu, vector)
    return 1


def kvm_apic_set_irq(vcpu: Vcpu, vector: int) -> int:
    """Accept an interrupt from outside the APIC: irqfd, IOAPIC, MSI, another vCPU's ICR."""
    return __apic_accept_irq(vcpu, vector)


def kvm_apic_send_ipi(vcpu: Vcpu, vector: int) -> None:
    """Send an IPI of a guest: the target's APIC accepts it, for KVM finds the target by itself."""
    probe_post_begin(vcpu, vector)
    accepted = kvm_apic_set_irq(vcpu, vector)
    probe_post_end(vcpu, vector, accepted)


def kvm_apic_has_interrupt(vcpu: Vcpu) -> int:
    """Return the vector that could be delivered now, or -1; asking moves the PIR to the vIRR (fact 4.2)."""
    ppr = apic_update_ppr(vcpu)
    max_irr = vmx_sync_pir_to_irr(vcpu)
    if max_irr >= 0 and max_irr & 0xF0 > ppr & 0xF0:
        return max_irr
    return -1


def kvm_apic_local_deliver(vcpu: Vcpu) -> int:
    """Deliver the LVT timer entry; 0 if it is masked or the APIC is disabled."""
    if local_read(vcpu.apic.enabled) == 0 or local_read(vcpu.apic.lvtt_masked) != 0:
        return 0
    return __apic_accept_irq(vcpu, vector_of(SLOT_TIMER))


def kvm_apic_inject_pending_timer_irqs(vcpu: Vcpu) -> None:
    """Inject the timer interrupt and disarm the deadline."""
    probe_timer_injected(vcpu)
    probe_post_begin(vcpu, vector_of(SLOT_TIMER))
    accepted = kvm_apic_local_deliver(vcpu)
    if local_read(config().posted_timers) != 0:
        WRITE_ONCE(vcpu.hrtimer, 0)
    else:
        local_write(vcpu.apic.tscdeadline, 0)
    probe_post_end(vcpu, vector_of(SLOT_TIMER), accepted)


def apic_timer_expired(vcpu: Vcpu, from_timer_fn: int) -> None:
    """Act on an expired timer: inject at once from the vCPU's own thread, else leave it to the slow loop."""
    if local_read(vcpu.apic.timer_pending) != 0:
        return
    local_write(vcpu.apic.expired_tscdeadline, local_read(vcpu.apic.tscdeadline))
    if from_timer_fn == 0 and local_read(vcpu.apicv_active) != 0 and local_read(config().slow_timer) == 0:
        kvm_apic_inject_pending_timer_irqs(vcpu)
        return
    probe_effects_begin()
    local_write(vcpu.apic.timer_pending, 1)
    kvm_make_request(KVM_REQ_UNBLOCK, vcpu)
    if from_timer_fn != 0:
        kvm_vcpu_kick(vcpu)
    probe_effects_end()


def posted_timer_expired(vcpu: Vcpu, from_timer_fn: int) -> None:
    """Act on the expiry of a timer that is posted: what ``apic_timer_expired`` does then, on words that are shared.

    A vCPU that is seen in guest mode is posted to at once, from whatever pCPU; any other finds the expiry in its slow
    loop, into which it is kicked (fact 5.1).
    """
    if READ_ONCE(vcpu.hrtimer_pending) != 0:
        return
    if from_timer_fn == 0:
        probe_own_expiry(vcpu)
        kvm_apic_inject_pending_timer_irqs(vcpu)
        return
    mode = READ_ONCE(vcpu.mode)
    probe_posted_timer(mode)
    if mode == IN_GUEST_MODE:
        kvm_apic_inject_pending_timer_irqs(vcpu)
        return
    atomic_inc(vcpu.hrtimer_pending)
    kvm_make_request(KVM_REQ_UNBLOCK, vcpu)
    kvm_vcpu_kick(vcpu)


def start_sw_timer(vcpu: Vcpu) -> None:
    """Back the deadline by a host timer on a housekeeping pCPU; one that lies behind expires right here."""
    deadline = local_read(vcpu.apic.tscdeadline)
    passed = deadline_passed(deadline)
    probe_deadline(vcpu, deadline, passed, TIMER_AT_ONCE)
    local_write(vcpu.apic.tscdeadline, 0)
    if passed != 0:
        posted_timer_expired(vcpu, 0)
    else:
        WRITE_ONCE(vcpu.hrtimer, deadline)


def hrtimer_interrupt(vcpu: Vcpu) -> None:
    """Expire a vCPU's host timer if it is due, in interrupt context on whichever pCPU has it: it is taken first."""
    probe_effects_begin()
    deadline = READ_ONCE(vcpu.hrtimer)
    if deadline > 0 and deadline_passed(deadline) != 0:
        if cmpxchg(vcpu.hrtimer, deadline, HRTIMER_FIRING) == deadline:
            probe_posted_deadline(vcpu)
            posted_timer_expired(vcpu, 1)
    probe_effects_end()


def cancel_hv_timer(vcpu: Vcpu) -> None:
    """Disarm the preemption timer."""
    local_write(vcpu.vmcs.preemption_timer_armed, 0)
    local_write(vcpu.apic.hv_timer_in_use, 0)


def kvm_lapic_expired_hv_timer(vcpu: Vcpu) -> None:
    """Handle the expiry of the preemption timer that backs the APIC timer."""
    preempt_disable()
    if local_read(vcpu.apic.hv_timer_in_use) != 0:
        apic_timer_expired(vcpu, 0)
        cancel_hv_timer(vcpu)
    preempt_enable()


def start_hv_timer(vcpu: Vcpu) -> None:
    """Back the deadline by the preemption timer; one that lies behind expires right here."""
    deadline = local_read(vcpu.apic.tscdeadline)
    local_write(vcpu.apic.hv_timer_in_use, 1)
    local_write(vcpu.vmcs.preemption_timer_armed, 1)
    local_write(vcpu.vmcs.preemption_timer_deadline, deadline)
    passed = deadline_passed(deadline)
    probe_deadline(vcpu, deadline, passed, TIMER_AT_ONCE)
    if passed != 0:
        apic_timer_expired(vcpu, 0)
        cancel_hv_timer(vcpu)


def kvm_set_lapic_tscdeadline_msr(vcpu: Vcpu, deadline: int) -> None:
    """Arm the timer (the guest's WRMSR TSC_DEADLINE)."""
    local_write(vcpu.apic.tscdeadline, deadline)
    probe_timer_armed(vcpu)
    if local_read(config().posted_timers) != 0:
        start_sw_timer(vcpu)
    else:
        start_hv_timer(vcpu)


def kvm_lapic_switch_to_sw_timer(vcpu: Vcpu) -> None:
    """Hand the timer to a host timer before blocking; one that has expired meanwhile expires here, outside."""
    if local_read(vcpu.apic.hv_timer_in_use) != 0:
        cancel_hv_timer(vcpu)
        deadline = local_read(vcpu.apic.tscdeadline)
        passed = deadline_passed(deadline)
        probe_deadline(vcpu, deadline, passed, TIMER_AT_SWITCH)
        if passed != 0:
            apic_timer_expired(vcpu, 0)


def kvm_lapic_switch_to_hv_timer(vcpu: Vcpu) -> None:
    """Take the timer back after blocking."""
    if local_read(vcpu.apic.tscdeadline) != 0 and local_read(vcpu.apic.timer_pending) == 0:
        start_hv_timer(vcpu)


def apic_timer_fn(vcpu: Vcpu) -> None:
    """Expire the host timer of a blocked vCPU, in interrupt context on its pCPU."""
    deadline = local_read(vcpu.apic.tscdeadline)
    if deadline != 0 and local_read(vcpu.apic.hv_timer_in_use) == 0 and local_read(vcpu.apic.timer_pending) == 0:
        passed = deadline_passed(deadline)
        probe_deadline(vcpu, deadline, passed, TIMER_ASLEEP)
        if passed != 0:
            apic_timer_expired(vcpu, 1)


def kvm_cpu_has_pending_timer(vcpu: Vcpu) -> int:
    """Return whether an expiry waits for the slow loop."""
    if local_read(config().posted_timers) != 0:
        return READ_ONCE(vcpu.hrtimer_pending)
    return local_read(vcpu.apic.timer_pending)


def kvm_inject_pending_timer_irqs(vcpu: Vcpu) -> None:
    """Inject what the slow loop finds: before v5.8 every timer came this way."""
    if local_read(config().posted_timers) != 0:
        kvm_apic_inject_pending_timer_irqs(vcpu)
        WRITE_ONCE(vcpu.hrtimer_pending, 0)
    elif local_read(vcpu.apic.timer_pending) != 0:
        kvm_apic_inject_pending_timer_irqs(vcpu)
        local_write(vcpu.apic.timer_pending, 0)
