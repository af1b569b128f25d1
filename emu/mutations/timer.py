"""Seeded bugs of the guest's timer: between the preemption timer, the host's timer and the slow loop."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import NEW, Edit, Mutation, Row

INJECT: Final = """
kvm_apic_inject_pending_timer_irqs(vcpu)
return
"""
AT_ONCE: Final = """
if passed != 0:
    apic_timer_expired(vcpu, 0)
    cancel_hv_timer(vcpu)
"""
AT_SWITCH: Final = """
if passed != 0:
    apic_timer_expired(vcpu, 0)
"""
REVIEWED: Final = """
if local_read(vcpu.apic.hv_timer_in_use) != 0:
    apic_timer_expired(vcpu, 0)
    cancel_hv_timer(vcpu)
"""
EXPIRED: Final = """
apic_timer_expired(vcpu, 0)
cancel_hv_timer(vcpu)
"""
KICK: Final = """
if from_timer_fn != 0:
    kvm_vcpu_kick(vcpu)
"""

MUTATIONS: Final = (
    Mutation(
        42,
        "hv-timer-left-armed",
        "the APIC timer is cancelled, but the preemption timer that backs it stays armed",
        "35fe7cfbab2e (B23)",
        (Edit("cancel_hv_timer", "local_write(vcpu.vmcs.preemption_timer_armed, 0)"),),
        (Row("timer-halt", NEW, "VIOLATION", ("C11",)),),
    ),
    Mutation(
        43,
        "timer-injected-twice",
        "an expiry that was injected at once is left to the slow loop as well",
        "B21",
        (Edit("apic_timer_expired", INJECT, "kvm_apic_inject_pending_timer_irqs(vcpu)"),),
        (Row("timer-halt", NEW, "VIOLATION", ("C11",)),),
    ),
    Mutation(
        44,
        "expiry-not-reviewed",
        "the expiry is handled without a look whether the preemption timer is still in use",
        "5acc1ca4fb15 (B21: needs a preemption between the exit and its handler)",
        (Edit("kvm_lapic_expired_hv_timer", REVIEWED, EXPIRED),),
        (Row("timer-halt", NEW, "PASS"),),
    ),
    Mutation(
        45,
        "deadline-lost-at-switch",
        "the deadline is dropped where the host's timer should take it over",
        "fact 3.5",
        (
            Edit(
                "kvm_lapic_switch_to_sw_timer",
                AT_SWITCH,
                AT_SWITCH + "else:\n    local_write(vcpu.apic.tscdeadline, 0)\n",
            ),
        ),
        (Row("timer-halt", NEW, "VIOLATION", ("C11",)),),
    ),
    Mutation(
        46,
        "timer-injected-early",
        "a deadline that lies ahead is injected as it is armed",
        "42720138b063 (the symptom of B22, from memory)",
        (Edit("start_hv_timer", AT_ONCE, EXPIRED),),
        (Row("timer-halt", NEW, "VIOLATION", ("C11",)),),
    ),
    Mutation(
        47,
        "timer-not-taken-back",
        "after it has blocked the vCPU does not take its timer back from the host",
        "fact 3.5",
        (Edit("vcpu_block", "kvm_lapic_switch_to_hv_timer(vcpu)"),),
        (Row("timer-halt", NEW, "VIOLATION", ("C11",)),),
    ),
    Mutation(
        48,
        "timer-without-kick",
        "the host's timer counts an expiry and wakes nobody",
        "fact 5.2",
        (Edit("apic_timer_expired", KICK),),
        (Row("timer-halt", NEW, "VIOLATION", ("C11",)),),
    ),
    Mutation(
        52,
        "timer-posted-as-own",
        "a housekeeping pCPU injects the timer as if it ran the vCPU, whatever the mode",
        "B24",
        (Edit("hrtimer_interrupt", "posted_timer_expired(vcpu, 1)", "posted_timer_expired(vcpu, 0)"),),
        (Row("housekeeping-timer", NEW, "VIOLATION", ("C11",)),),
    ),
    Mutation(
        53,
        "posted-timer-without-kick",
        "a timer that finds the vCPU outside guest mode counts its expiry and wakes nobody",
        "fact 5.2",
        (Edit("posted_timer_expired", "kvm_vcpu_kick(vcpu)"),),
        (Row("housekeeping-timer", NEW, "VIOLATION", ("C11",)),),
    ),
)
