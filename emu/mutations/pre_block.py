"""Seeded bugs of the wake-up list as it was until v5.16: a vCPU put itself there before it looked whether to block."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import NEW, Edit, Mutation, Row

LISTED: Final = """
if local_read(vcpu.pre_pcpu) == 0:
    return
"""
ASSIGNED: Final = """
if vmx_needs_pi_wakeup(vcpu) == 0:
    return
"""
LOADED: Final = """
if pi_nv(old) == POSTED_INTR_WAKEUP_VECTOR or before == cpu:
    pi_test_and_clear_sn(pi_desc)
else:
    pi_direct(vcpu, pi_nv(old), cpu)
"""
PREEMPTED: Final = """
if READ_ONCE(vcpu.wait.state) == TASK_RUNNING:
    pi_set_sn(vcpu.pi_desc)
"""
POSTED: Final = """
if pi_test_on(vcpu.pi_desc) != 0:
    __pi_post_block(vcpu)
"""

MUTATIONS: Final = (
    Mutation(
        80,
        "unlisted-if-assigned",
        "behind a block the vCPU is taken off the list only if a device is assigned, which was taken away meanwhile",
        "8b306e2f3c41 (B12)",
        (Edit("pi_post_block", LISTED, ASSIGNED),),
        (Row("pre-block", NEW, "VIOLATION", ("C6",)),),
    ),
    Mutation(
        81,
        "ndst-moved-while-listed",
        "the load moves NDST of a vCPU that is on the wake-up list of the pCPU before, where nobody looks for it then",
        "d76fb40637fc (B15)",
        (Edit("pi_load_until_5_16", LOADED, LOADED.replace("pi_nv(old) == POSTED_INTR_WAKEUP_VECTOR or ", "")),),
        (Row("pre-block-migrate", NEW, "VIOLATION", ("C6",)),),
    ),
    Mutation(
        82,
        "sn-on-the-way-to-sleep",
        "a task that is preempted on its way to sleep is taken for preempted, and SN keeps the device from waking it",
        "3ba9f93b1236",
        (Edit("pi_put_until_5_16", PREEMPTED, "pi_set_sn(vcpu.pi_desc)"),),
        (Row("pre-block", NEW, "MAY", ("C2",)),),
    ),
    Mutation(
        83,
        "blocks-with-on-set",
        "an ON that was set before NV was the wake-up vector does not keep the vCPU from blocking: its last look does",
        "v5.16",
        (Edit("pi_pre_block", POSTED),),
        (Row("pre-block", NEW, "PASS"),),
    ),
)
