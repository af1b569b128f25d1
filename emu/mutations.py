"""Seeded bugs: each one statement (or two) of the one protocol source, and what becomes of it.

The loader applies them on every host behind a selector; the source itself stays clean. Where the table of expected
verdicts says *clean*, a tool that convicts is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["PASS", "VIOLATION", "MAY"]


@dataclass(frozen=True)
class Edit:
    """Replace consecutive statements of a function; nothing instead means they are dropped."""

    function: str
    find: str
    becomes: str = ""
    occurrence: int = 1


@dataclass(frozen=True)
class Row:
    """What a mutation must give under some policies in one scenario, and which of the checks must fire."""

    scenario: str
    policies: str
    outcome: Outcome
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mutation:
    """One seeded bug. ``fabric_fault`` is done by the host's fabric, not by an edit."""

    number: int
    name: str
    about: str
    origin: str
    edits: tuple[Edit, ...]
    rows: tuple[Row, ...]
    fabric_fault: int = 0


ALL = "always elide kick"
NEW = "always elide"
SYNC = "kvm_x86_sync_pir_to_irr(vcpu)"
ENTRY_CHECK = """
if kvm_vcpu_exit_request(vcpu) != 0:
    WRITE_ONCE(vcpu.mode, OUTSIDE_GUEST_MODE)
    smp_wmb()
    local_irq_enable()
    preempt_enable()
    return 1
"""
OPEN = "local_irq_enable()\nlocal_irq_disable()\n"
OPEN_LONG = """
local_irq_enable()
for _ in range(choose(40)):
    cpu_relax()
local_irq_disable()
"""
INSTANT = """
if apic_pending() != 0:
    taken = apic_ack()
    probe_interrupt_acked()
    handle_vector(taken)
"""
FASTPATH_BEGIN = "reason = local_read(vcpu.vmcs.vm_exit_reason)"
REENTER_CHECK = """if exit_fastpath != EXIT_FASTPATH_REENTER_GUEST:
    break"""
ENTRY_BEGIN = "probe_vm_entry(vcpu)"
SLEEP_CHECK = """
if kvm_vcpu_check_block(vcpu) != 0:
    break
"""
STALE_TRIGGER = """
mode = READ_ONCE(vcpu.mode)
on_was_set = pi_test_and_set_on(vcpu.pi_desc)
if on_was_set == 0:
    if mode == IN_GUEST_MODE:
        if vcpu != kvm_get_running_vcpu() or local_read(config().policy) != ELIDE_SELF_2022:
            apic_send_IPI(READ_ONCE(vcpu.cpu), POSTED_INTR_VECTOR)
    elif local_read(config().policy) == KICK_2016:
        kvm_vcpu_kick(vcpu)
    else:
        kvm_vcpu_wake_up(vcpu)
"""
TRIGGER = """
on_was_set = pi_test_and_set_on(vcpu.pi_desc)
if local_read(config().policy) == ORIG_2013:
    orig_2013(vcpu, on_was_set)
elif on_was_set == 0:
    probe = probe_trigger_begin(vcpu, probe)
    kvm_vcpu_trigger_posted_interrupt(vcpu, POSTED_INTR_VECTOR)
    probe_trigger_end(vcpu, probe)
"""

MUTATIONS: tuple[Mutation, ...] = (
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
        5,
        "no-wait-barrier",
        "the wait record is published without a barrier before the last check",
        "fact 3.5",
        (Edit("set_current_state", "smp_mb()"),),
        (Row("halt-wake", ALL, "VIOLATION", ("C2",)), Row("remote-post", "elide", "PASS")),
    ),
    Mutation(
        6,
        "on-cleared-plainly",
        "the sync clears ON by load and store",
        "fact 1",
        (
            Edit(
                "pi_clear_on",
                "clear_bit(POSTED_INTR_ON, pi_desc.control)",
                "WRITE_ONCE(pi_desc.control, READ_ONCE(pi_desc.control) & ~BIT(POSTED_INTR_ON))",
            ),
        ),
        (Row("self-vs-remote", ALL, "MAY", ("C4", "C1", "C7")),),
    ),
    Mutation(
        7,
        "on-set-plainly",
        "the sender sets ON by load and store: neither atomic nor a barrier",
        "fact 2.1",
        (
            Edit(
                "pi_test_and_set_on",
                "return test_and_set_bit(POSTED_INTR_ON, pi_desc.control)",
                "control = READ_ONCE(pi_desc.control)\n"
                "WRITE_ONCE(pi_desc.control, control | BIT(POSTED_INTR_ON))\n"
                "return control & BIT(POSTED_INTR_ON)",
            ),
        ),
        (
            Row("remote-post", NEW, "VIOLATION", ("C1", "C7")),
            Row("halt-wake", "kick", "MAY", ("C2",)),
        ),
    ),
    Mutation(
        8,
        "mode-read-before-on",
        "the sender reads the mode before it sets ON",
        "B05",
        (Edit("vmx_deliver_posted_interrupt", TRIGGER, STALE_TRIGGER),),
        (
            Row("remote-post", NEW, "VIOLATION", ("C1", "C7")),
            Row("halt-wake", "kick", "MAY", ("C1", "C2")),
        ),
    ),
    Mutation(
        9,
        "request-after-kick",
        "the request is made after the kick has read the mode",
        "fact 3.3",
        (
            Edit(
                "request",
                "kvm_make_request(KVM_REQ_TLB_FLUSH, vcpu)\nkvm_vcpu_kick(vcpu)",
                "kvm_vcpu_kick(vcpu)\nkvm_make_request(KVM_REQ_TLB_FLUSH, vcpu)",
            ),
        ),
        (Row("kick", ALL, "VIOLATION", ("C9",)),),
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
        11,
        "pi-leaves-on",
        "posted-interrupt processing does not clear ON",
        "fact 4.3",
        (Edit("posted_interrupt_processing", "clear_bit(POSTED_INTR_ON, vcpu.pi_desc.control)"),),
        (Row("remote-post", NEW, "VIOLATION", ("C1",)), Row("tscdeadline-immed", "elide", "PASS")),
    ),
    Mutation(
        12,
        "early-return-on-empty-pir",
        "the sync gives -1 when ON was set but the PIR is empty, whatever the vIRR holds",
        "b41f8638b9d3 (B01)",
        (Edit("kvm_apic_update_irr", "return apic_find_highest_irr(vcpu)", "return -1"),),
        (Row("remote-post", NEW, "VIOLATION", ("C3",)), Row("tscdeadline-immed", "elide", "PASS")),
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
        18,
        "on-cleared-after-harvest",
        "the sync clears ON after it has read the PIR",
        "fact 4.1",
        (
            Edit(
                "vmx_sync_pir_to_irr",
                "pi_clear_on(vcpu.pi_desc)\nmax_irr = kvm_apic_update_irr(vcpu)",
                "max_irr = kvm_apic_update_irr(vcpu)\npi_clear_on(vcpu.pi_desc)",
            ),
        ),
        (Row("remote-post", ALL, "VIOLATION", ("C4", "C1")),),
    ),
    Mutation(
        19,
        "pir-harvested-plainly",
        "a PIR word is taken by load and store",
        "fact 1",
        (
            Edit(
                "harvest",
                "bits = xchg(vcpu.pi_desc.pir[i], 0)",
                "bits = READ_ONCE(vcpu.pi_desc.pir[i])\nWRITE_ONCE(vcpu.pi_desc.pir[i], 0)",
            ),
        ),
        (Row("remote-post", NEW, "VIOLATION", ("C5",)),),
    ),
    Mutation(
        20,
        "pir-set-plainly",
        "the sender sets its PIR bit by load and store",
        "fact 1",
        (
            Edit(
                "pi_test_and_set_pir",
                "return test_and_set_bit(vector & 63, pi_desc.pir[vector >> 6])",
                "bits = READ_ONCE(pi_desc.pir[vector >> 6])\n"
                "WRITE_ONCE(pi_desc.pir[vector >> 6], bits | BIT(vector & 63))\n"
                "return bits & BIT(vector & 63)",
            ),
        ),
        (Row("remote-post", NEW, "VIOLATION", ("C5", "C4")),),
    ),
    Mutation(
        21,
        "no-second-check",
        "the vCPU sleeps without the second look after it published its wait record",
        "fact 3.5",
        (Edit("kvm_vcpu_block", SLEEP_CHECK, "schedule(vcpu)\nbreak"),),
        (Row("halt-wake", ALL, "VIOLATION", ("C2",)),),
    ),
    Mutation(
        22,
        "wake-dropped",
        "the rule does not wake a vCPU that is not in guest mode",
        "fdba608f15e2",
        (
            Edit("always_2021", "kvm_vcpu_wake_up(vcpu)"),
            Edit("elide_self_2022", "kvm_vcpu_wake_up(vcpu)"),
            Edit("kick_2016", "kvm_vcpu_kick(vcpu)"),
        ),
        (Row("halt-wake", ALL, "VIOLATION", ("C2",)), Row("remote-post", ALL, "PASS")),
    ),
    Mutation(
        23,
        "ipi-lost-uncounted",
        "the fabric drops a notification before it is counted",
        "fabric",
        (),
        (Row("remote-post", NEW, "VIOLATION", ("C1",)),),
        fabric_fault=1,
    ),
    Mutation(
        24,
        "ipi-lost-counted",
        "the fabric drops a notification after it was counted",
        "fabric",
        (),
        (Row("remote-post", NEW, "VIOLATION", ("C10",)),),
        fabric_fault=2,
    ),
    Mutation(
        25,
        "self-ipi-not-elided",
        "elide-self sends to itself all the same",
        "9b44423bf4c8",
        (
            Edit(
                "elide_self_2022",
                "if vcpu != kvm_get_running_vcpu():\n    apic_send_IPI(READ_ONCE(vcpu.cpu), vec)",
                "apic_send_IPI(READ_ONCE(vcpu.cpu), vec)",
            ),
        ),
        (Row("tscdeadline-immed", "elide", "VIOLATION", ("C8",)), Row("tscdeadline-immed", "always", "PASS")),
    ),
    Mutation(
        26,
        "rvi-not-written",
        "the sync moves the PIR but does not write RVI",
        "fact 4.1, step 3",
        (Edit("vmx_sync_pir_to_irr", "vmx_set_rvi(vcpu, max_irr)"),),
        (Row("tscdeadline-immed", "elide", "VIOLATION", ("C3",)),),
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
