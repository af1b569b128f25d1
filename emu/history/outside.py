"""Bugs outside of the model: nested guests, APICv that is switched, AVIC, interrupt remapping (facts 6.3 to 6.5)."""

from __future__ import annotations

from typing import Final

from emu.history.bug import Bug

_NESTED: Final = "nested guests are not modelled"
_TOGGLE: Final = "APICv is on for ever here"
_AVIC: Final = "AVIC is not modelled"
_IRTE: Final = "the update of a posted IRTE is not modelled"

BUGS: Final = (
    Bug(
        "B30", 2017, '"Fix races when sending nested PI while dest enters/leaves L2"',
        "the sender sees L2 running, L2 exits and enters again before the sender has said that something is pending",
        "before the fix of 2017; its barrier since 2021", ("6b6977117f50", "83c98007d9fb"), ("705699a13994",),
        why_not=_NESTED,
    ),
    Bug(
        "B31", 2017, "L1's interrupt that is posted just before L2 is entered",
        "the sync moves it into L1's IRR behind the check for events, and L2 runs",
        "before the fix of 2017", ("f27a85c4988d",),
        why_not=_NESTED,
    ),
    Bug(
        "B32", 2020, '"Morph notification vector IRQ on nested VM-Enter to pending PI"',
        "L1 fills L2's PIR and sends the notification to itself with interrupts off: it exits to L1 for ever",
        "before the fix of 2020", ("25bb2cf97139",),
        why_not=_NESTED,
    ),
    Bug(
        "B33", 2024, "the pending mark of a nested post is dropped on exit from L2, or left for the next entry",
        "L2 exits between the mark and its use",
        "from 2021 to the rework of 2024", ("321ef62b0c5f", "a194a3a13ce0", "637df11290b3"),
        why_not=_NESTED,
    ),
    Bug(
        "B34", 2024, "SVI written into the wrong VMCS",
        "an EOI in L2 changes what L1 has in service, so that a later EOI meets the wrong vector",
        "before the fix of 2024", ("04bc93cf49d1",),
        why_not=_NESTED,
    ),
    Bug(
        "B40", 2021, '"APICv: fix race in kvm_request_apicv_update on SVM"',
        "APICv is inhibited while a vCPU runs, which goes on as if it were not",
        "before the fix of 2021", ("b0a1637f64b0",),
        why_not=_TOGGLE,
    ),
    Bug(
        "B41", 2022, '"fix race between interrupt delivery and AVIC inhibition"',
        "the sender finds AVIC active, the vCPU inhibits it and enters, the sender rings a doorbell nobody hears",
        "before the fix of 2022", ("66fa226c131f", "30811174f0db"),
        why_not=_AVIC,
    ),
    Bug(
        "B42", 2021, '"Signal AVIC doorbell iff vCPU is in guest mode"',
        "the doorbell is rung on a pCPU that does not run the guest",
        "before v5.17", ("31f251d4ddfa",),
        why_not=_AVIC,
    ),
    Bug(
        "B43", 2021, '"fix avic_set_running for preemptable kernels"',
        "the hook of the block path is preempted and migrates: the table gets the pCPU that it had before",
        "preemptible kernels before the fix of 2021", (),
        why_not=_AVIC,
    ),
    Bug(
        "B44", None, "erratum 1235 of AVIC",
        "the processor reads that the target runs before its write to the IRR is seen: no exit, no wake-up",
        "none: the processor's", (),
        why_not=_AVIC,
    ),
    Bug(
        "B50", 2025, '"Don\'t clobber posted vCPU IRTE when host IRQ affinity changes"',
        "an affinity change on the host writes the IRTE of a posted interrupt back to the host's own",
        "before the fix of 2025", (),
        why_not=_IRTE,
    ),
    Bug(
        "B51", 2025, "a route that cannot be posted any more, and an IRTE that is posted still",
        "userspace changes the route while the device interrupts",
        "before the fix of 2025", ("9bcac97dc42d",),
        why_not=_IRTE,
    ),
    Bug(
        "B52", 2025, "AVIC inhibited while an interrupt that can be posted is attached",
        "what the IRTE needs is not written down, and it is never posted later",
        "before the fix of 2025", ("6df262f915ab",),
        why_not=_AVIC,
    ),
)  # fmt: skip
