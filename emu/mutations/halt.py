"""Seeded bugs of halting: what a vCPU that goes to sleep has to do so that a waker finds it."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import ALL, Edit, Mutation, Row

SLEEP_CHECK: Final = """
if kvm_vcpu_check_block(vcpu) != 0:
    break
"""

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
        (Row("halt-wake", ALL, "VIOLATION", ("C2",)),),
    ),
)
