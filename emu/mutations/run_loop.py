"""Seeded bugs of the run loop: syncs, barriers and checks around VM-entry, and interrupts that are open too long."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import ALL, NEW, Edit, Mutation, Row

SYNC: Final = "kvm_x86_sync_pir_to_irr(vcpu)"
ENTRY_CHECK: Final = """
if kvm_vcpu_exit_request(vcpu) != 0:
    WRITE_ONCE(vcpu.mode, OUTSIDE_GUEST_MODE)
    smp_wmb()
    local_irq_enable()
    preempt_enable()
    return 1
"""
OPEN: Final = "local_irq_enable()\nlocal_irq_disable()\n"
OPEN_LONG: Final = """
local_irq_enable()
for _ in range(choose(40)):
    cpu_relax()
local_irq_disable()
"""
INSTANT: Final = """
if apic_pending() != 0:
    taken = apic_ack()
    probe_interrupt_acked()
    handle_vector(taken)
"""
FASTPATH_BEGIN: Final = "reason = local_read(vcpu.vmcs.vm_exit_reason)"
REENTER_CHECK: Final = """if exit_fastpath != EXIT_FASTPATH_REENTER_GUEST:
    break"""
ENTRY_BEGIN: Final = "probe_vm_entry(vcpu)"

MUTATIONS: Final = (
    Mutation(
        1,
        "no-fastpath-sync",
        "the run loop does not sync before it re-enters from the fastpath",
        "the promise of 9b44423bf4c8",
        (Edit("vcpu_enter_guest", SYNC, occurrence=2),),
        (
            Row("tscdeadline-immed", "elide skip", "VIOLATION", ("C1", "C7")),
            Row("timer-fastpath", "elide", "VIOLATION", ("C1", "C7")),
            Row("self-vs-remote", "elide skip", "VIOLATION", ("C1", "C7")),
            Row("tscdeadline-immed", "always kick", "PASS"),
            Row("self-vs-remote", "always", "PASS"),
            Row("remote-post", "elide", "PASS"),
            Row("icr-self", "elide", "VIOLATION", ("C1", "C7")),
            Row("icr-self", "always", "PASS"),
        ),
    ),
    Mutation(
        2,
        "no-entry-sync",
        "no sync between mode = IN_GUEST_MODE and VM-entry",
        "b95234c84004",
        (Edit("vcpu_enter_guest", SYNC),),
        (Row("remote-post", ALL + " skip", "VIOLATION", ("C1", "C7")),),
    ),
    Mutation(
        3,
        "sync-before-mode",
        "the entry syncs first and sets IN_GUEST_MODE after",
        "B06",
        (
            Edit("vcpu_enter_guest", "local_irq_disable()", f"local_irq_disable()\n{SYNC}"),
            Edit("vcpu_enter_guest", SYNC),
        ),
        (Row("remote-post", ALL, "VIOLATION", ("C1", "C7")),),
    ),
    Mutation(
        4,
        "no-entry-barrier",
        "no full barrier between mode = IN_GUEST_MODE and the sync",
        "B05",
        (Edit("vcpu_enter_guest", "smp_mb__after_srcu_read_unlock()"),),
        (Row("remote-post", ALL + " skip", "VIOLATION", ("C1", "C7")), Row("tscdeadline-immed", "elide", "PASS")),
    ),
    Mutation(
        10,
        "no-exit-request-check",
        "the first entry does not check for requests after the sync",
        "fact 3.1, step 9",
        (Edit("vcpu_enter_guest", ENTRY_CHECK),),
        (Row("kick", ALL, "VIOLATION", ("C9",)),),
    ),
    Mutation(
        13,
        "irqs-open-before-sync",
        "interrupts open for a moment before the entry's sync",
        "design table",
        (
            Edit(
                "vcpu_enter_guest",
                "smp_mb__after_srcu_read_unlock()",
                "smp_mb__after_srcu_read_unlock()\n" + OPEN,
            ),
        ),
        (Row("device-irq", NEW, "PASS"),),
    ),
    Mutation(
        14,
        "irqs-open-after-exit",
        "interrupts open for a moment between the VM-exit and the fastpath",
        "design table",
        (Edit("vmx_exit_handlers_fastpath", FASTPATH_BEGIN, OPEN + FASTPATH_BEGIN),),
        (Row("device-irq", NEW, "PASS"), Row("self-vs-remote", "elide", "PASS")),
    ),
    Mutation(
        15,
        "irqs-open-before-fastpath-sync",
        "interrupts open for a moment between the self-post and the fastpath's sync",
        "design table",
        (
            Edit(
                "vcpu_enter_guest",
                REENTER_CHECK,
                OPEN + REENTER_CHECK,
            ),
        ),
        (Row("device-irq", NEW, "PASS"), Row("self-vs-remote", "elide", "PASS")),
    ),
    Mutation(
        16,
        "irqs-open-before-entry",
        "interrupts stay open between the last sync and VM-entry",
        "design table",
        (Edit("vm_entry", ENTRY_BEGIN, OPEN_LONG + ENTRY_BEGIN),),
        (Row("remote-post", ALL, "VIOLATION", ("C1",)),),
    ),
    Mutation(
        17,
        "irq-instant-before-entry",
        "one interrupt is taken between the last sync and VM-entry",
        "the claim of 9b44423bf4c8",
        (Edit("vm_entry", ENTRY_BEGIN, INSTANT + ENTRY_BEGIN),),
        (Row("device-irq", "elide skip", "VIOLATION", ("C1", "C7")), Row("device-irq", "always kick", "PASS")),
    ),
    Mutation(
        27,
        "exit-check-before-sync",
        "the re-entry loop checks for requests before it syncs",
        "379a3c8ee444, fixed by de7cd3f6761f (B03: needs APICv off or L2)",
        (
            Edit(
                "vcpu_enter_guest",
                f"{SYNC}\nif kvm_vcpu_exit_request(vcpu) != 0:\n"
                "    exit_fastpath = EXIT_FASTPATH_EXIT_HANDLED\n    break",
                "if kvm_vcpu_exit_request(vcpu) != 0:\n"
                f"    exit_fastpath = EXIT_FASTPATH_EXIT_HANDLED\n    break\n{SYNC}",
            ),
        ),
        (Row("kick", NEW, "PASS"),),
    ),
)
