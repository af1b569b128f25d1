"""Seeded bugs of senders: of a post's operations and their order, of the rule under test, of kicks."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import ALL, NEW, Edit, Mutation, Row

STALE_TRIGGER: Final = """
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
TRIGGER: Final = """
on_was_set = pi_test_and_set_on(vcpu.pi_desc)
if local_read(config().policy) == ORIG_2013:
    orig_2013(vcpu, on_was_set)
elif on_was_set == 0:
    probe = probe_trigger_begin(vcpu, probe)
    kvm_vcpu_trigger_posted_interrupt(vcpu, POSTED_INTR_VECTOR)
    probe_trigger_end(vcpu, probe)
"""

MUTATIONS: Final = (
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
        22,
        "wake-dropped",
        "the rule does not wake a vCPU that is not in guest mode",
        "fdba608f15e2",
        (
            Edit("always_2021", "kvm_vcpu_wake_up(vcpu)"),
            Edit("elide_self_2022", "kvm_vcpu_wake_up(vcpu)"),
            Edit("kick_2016", "kvm_vcpu_kick(vcpu)"),
        ),
        (
            Row("halt-wake", ALL, "VIOLATION", ("C2",)),
            Row("remote-post", ALL, "PASS"),
            Row("hlt-fastpath", NEW, "VIOLATION", ("C2",)),
            Row("halt-poll", NEW, "VIOLATION", ("C2",)),
        ),
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
)
