"""Bugs on the path of PIR, ON and mode (facts 6.1): of senders, of the sync, of the entry, of sleep and wake-up."""

from __future__ import annotations

from typing import Final

from emu.history.bug import Bug, Shown

NO_APICV_OFF: Final = "APICv is on for ever here"

BUGS: Final = (
    Bug(
        "B01", 2026, '"Do IRR scan in __kvm_apic_update_irr even if PIR is empty"',
        "a sync harvests, a sender sets ON late, the next sync finds ON and an empty PIR and writes RVI = 0",
        "v6.16 to the fix of May 2026", ("33fd0ccd2590",), ("b41f8638b9d3",),
        (Shown("remote-post", "always-2021", "early-return-on-empty-pir"),),
    ),
    Bug(
        "B02", 2021, '"Wake vCPU when delivering posted IRQ even if vCPU == this vCPU"',
        "a device interrupt on the target's own pCPU posts between the last check and schedule(): nobody wakes it",
        "v5.8 to v5.15, and 4.18 with a backport", ("fdba608f15e2",), ("379a3c8ee444",),
        (Shown("device-irq", "skip-running-2020"),),
    ),
    Bug(
        "B03", 2021, '"check for interrupts before deciding whether to exit the fast path"',
        "the re-entry loop checks for requests, then its sync makes one, which waits for the next exit",
        "v5.8 to v5.15", ("de7cd3f6761f",), ("379a3c8ee444",),
        why_not=f"only a sync with APICv off, or in L2, makes a request, and {NO_APICV_OFF} "
        "(exit-check-before-sync is its order, and harmless)",
    ),
    Bug(
        "B05", 2016, "the order of ON and mode, which taking back KVM_REQ_EVENT had to get right",
        "a sender reads the mode, the vCPU enters and finds ON clear, the sender sets ON and notifies nobody",
        "a hazard of v4.11, which that commit avoided", ("b95234c84004",), (),
        (
            Shown("remote-post", "always-2021", "mode-read-before-on"),
            Shown("remote-post", "always-2021", "no-entry-barrier"),
        ),
    ),
    Bug(
        "B06", 2016, "IN_GUEST_MODE set behind the sync, or before interrupts are off",
        "the entry syncs, a sender posts and sees no guest mode or notifies too early, the vCPU enters",
        "before v4.11, where KVM_REQ_EVENT hid it", ("b95234c84004",), (),
        (Shown("remote-post", "always-2021", "sync-before-mode"),),
    ),
    Bug(
        "B09", 2021, '"check PIR even for vCPUs with disabled APICv"',
        "a vCPU turns APICv off, a device still posts into its PIR, the entry does not sync",
        "before v5.16", ("37c4dbf337c5", "7e1901f6c86c", "53b7ca1a3593"),
        why_not=NO_APICV_OFF,
    ),
    Bug(
        "B10", 2023, '"__kvm_apic_update_irr must update the IRR atomically"',
        "with APICv inhibited a sender sets a bit of an IRR word between the harvest's load and its store",
        "before v6.5", ("514946d14363",),
        why_not=f"no sender writes another vCPU's IRR, for {NO_APICV_OFF}",
    ),
)  # fmt: skip
