"""Faults of these tests only: what users' patches got wrong, and a store buffer was blamed for."""

from __future__ import annotations

from typing import Final

from emu.mutations import Edit, Mutation


def _fault(number: int, name: str, about: str, *edits: Edit) -> Mutation:
    return Mutation(number, name, about, "these tests", edits, ())


SELF_IPI: Final = _fault(
    1,
    "self-ipi-for-sync",
    "the block check sends itself a notification where it would sync",
    Edit(
        "kvm_apic_has_interrupt",
        "max_irr = vmx_sync_pir_to_irr(vcpu)",
        "if pi_test_on(vcpu.pi_desc) != 0:\n"
        "    apic_send_IPI(smp_processor_id(), POSTED_INTR_VECTOR)\n"
        "max_irr = apic_find_highest_irr(vcpu)",
    ),
)
ON_FIRST: Final = _fault(
    2,
    "on-before-pir",
    "the sender sets ON before the bit in the PIR",
    Edit(
        "vmx_deliver_posted_interrupt",
        "if local_read(vcpu.apicv_active) == 0:\n    return -1",
        "if local_read(vcpu.apicv_active) == 0:\n    return -1\n"
        "probe = probe_before_on(vcpu)\n"
        "on_was_set = pi_test_and_set_on(vcpu.pi_desc)",
    ),
    Edit(
        "vmx_deliver_posted_interrupt",
        "probe = probe_before_on(vcpu)\non_was_set = pi_test_and_set_on(vcpu.pi_desc)",
    ),
)
STALE_PPR: Final = _fault(
    3,
    "stale-ppr",
    "neither EOI nor the block check works PPR out anew",
    Edit("eoi_virtualization", "ppr_virtualization(vcpu)"),
    Edit("kvm_apic_has_interrupt", "ppr = apic_update_ppr(vcpu)", "ppr = local_read(vcpu.apic.vppr)"),
)
ON_ALONE: Final = _fault(
    4,
    "events-from-on-alone",
    "an interrupt that was moved to the vIRR is no event",
    Edit(
        "kvm_vcpu_has_events",
        "return 1 if kvm_apic_has_interrupt(vcpu) >= 0 else 0",
        "if pi_test_on(vcpu.pi_desc) == 0:\n    return 0\nreturn 1 if kvm_apic_has_interrupt(vcpu) >= 0 else 0",
    ),
)
NV_STORED: Final = _fault(
    5,
    "nv-stored-plainly",
    "the blocking vCPU writes its notification vector with a plain store of the whole word",
    Edit(
        "vcpu_block",
        "kvm_lapic_switch_to_sw_timer(vcpu)",
        "WRITE_ONCE(vcpu.pi_desc.control, pi_control(POSTED_INTR_WAKEUP_VECTOR, 0))\n"
        "kvm_lapic_switch_to_sw_timer(vcpu)",
    ),
)
PRIORITY_KEPT: Final = _fault(
    6,
    "priority-kept",
    "the block check compares with a priority that the guest's handlers left in a word of the patch's own",
    Edit(
        "deliver_virtual_interrupt",
        "local_write(vcpu.apic.vppr, vector & 0xF0)",
        "local_write(vcpu.apic.vppr, vector & 0xF0)\nWRITE_ONCE(vcpu.pi_desc.software[1], vector & 0xF0)",
    ),
    Edit(
        "kvm_apic_has_interrupt",
        "ppr = apic_update_ppr(vcpu)",
        "apic_update_ppr(vcpu)\nppr = READ_ONCE(vcpu.pi_desc.software[1])",
    ),
)
NOT_FREE: Final = _fault(
    7,
    "on-cpu-ignored",
    "a task that is woken is queued anywhere, even while its pCPU is still switching away from it",
    Edit(
        "ttwu_queue",
        "if smp_load_acquire(task.on_cpu) == 0:\n    cpu = select_task_rq(task, cpu)\n    WRITE_ONCE(task.cpu, cpu)",
        "cpu = select_task_rq(task, cpu)\nWRITE_ONCE(task.cpu, cpu)",
    ),
)
FAULTS: Final = (SELF_IPI, ON_FIRST, STALE_PPR, ON_ALONE, NV_STORED, PRIORITY_KEPT, NOT_FREE)

TELLS_ONCE: Final = """
from emu.cpu import apic_send_IPI
from emu.kvm_main import IN_GUEST_MODE, kvm_vcpu_wake_up
from emu.waist import READ_ONCE, WRITE_ONCE


def tells_once(vcpu, vec):
    if READ_ONCE(vcpu.pi_desc.software[1]) != 0:
        return
    WRITE_ONCE(vcpu.pi_desc.software[1], 1)
    if READ_ONCE(vcpu.mode) == IN_GUEST_MODE:
        apic_send_IPI(READ_ONCE(vcpu.cpu), vec)
    else:
        kvm_vcpu_wake_up(vcpu)
"""
"""A rule with a flag of its own that nobody takes back."""
