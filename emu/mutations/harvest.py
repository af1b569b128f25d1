"""Seeded bugs of the vCPU's own look at its PIR, by the kernel's sync and by the processor."""

from __future__ import annotations

from typing import Final

from emu.mutations.edit import ALL, NEW, Edit, Mutation, Row

MUTATIONS: Final = (
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
        26,
        "rvi-not-written",
        "the sync moves the PIR but does not write RVI",
        "fact 4.1, step 3",
        (Edit("vmx_sync_pir_to_irr", "vmx_set_rvi(vcpu, max_irr)"),),
        (Row("tscdeadline-immed", "elide", "VIOLATION", ("C3",)),),
    ),
)
