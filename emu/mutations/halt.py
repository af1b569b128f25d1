"""Seeded bugs of halting: what a vCPU that goes to sleep has to do so that a waker finds it."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import ALL, NEW, Edit, Mutation, Row

SLEEP_CHECK: Final = """
if kvm_vcpu_check_block(vcpu) != 0:
    break
"""

FIRST_LOOK: Final = """
if kvm_vcpu_has_events(vcpu) == 0:
    local_write(vcpu.mp_state, KVM_MP_STATE_HALTED)
"""
HALTED: Final = "local_write(vcpu.mp_state, KVM_MP_STATE_HALTED)"

MUTATIONS: Final = (
    Mutation(
        5,
        "no-wait-barrier",
        "the wait record is published without a barrier before the last check",
        "fact 3.5",
        (Edit("set_current_state", "smp_mb()"),),
        (Row("halt-wake", ALL, "VIOLATION", ("C2",)), Row("remote-post", "elide", "PASS")),
    ),
    Mutation(
        21,
        "no-second-check",
        "the vCPU sleeps without the second look after it published its wait record",
        "fact 3.5",
        (Edit("kvm_vcpu_block", SLEEP_CHECK, "schedule(vcpu)\nbreak"),),
        (
            Row("halt-wake", ALL, "VIOLATION", ("C2",)),
            Row("hlt-fastpath", NEW, "VIOLATION", ("C2",)),
            Row("halt-poll", NEW, "VIOLATION", ("C2",)),
        ),
    ),
    Mutation(
        40,
        "halt-without-a-look",
        "the HLT fastpath halts without a look at the PIR, and leaves it to the second look",
        "fact 5.5",
        (Edit("kvm_emulate_halt", FIRST_LOOK, HALTED),),
        (Row("hlt-fastpath", NEW, "PASS"),),
    ),
    Mutation(
        41,
        "shadow-outlives-hlt",
        "the shadow of an STI does not end with the HLT behind it, which KVM has stepped over",
        "SDM, blocking by STI",
        (
            Edit(
                "skip_emulated_instruction",
                "local_write(vcpu.vmcs.guest_interruptibility_info, 0)",
            ),
        ),
        (Row("masked-guest", NEW, "VIOLATION", ("C2",)),),
    ),
)
