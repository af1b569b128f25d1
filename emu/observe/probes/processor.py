"""Probes of the processor: VM-entry, VM-exit, interrupts in non-root mode."""

from __future__ import annotations

from emu.kvm_host import EXITING_GUEST_MODE
from emu.machine import Vcpu, config, machine, smp_processor_id, this_pcpu
from emu.observe.accounting import (
    DELIVERIES,
    IPIS_TAKEN,
    KICK_BEFORE_ENTRY,
    NOTIFICATIONS_IN_GUEST,
    NOTIFICATIONS_SPURIOUS,
    NOTIFIED_AFTER_SYNC,
    NOTIFIED_IN_GUEST,
    NOTIFIED_WHILE_MASKED,
    VM_ENTRIES,
    VM_EXITS,
)
from emu.observe.checkers import check_vm_entry
from emu.observe.ghost import count, window
from emu.observe.sleep_checks import check_loaded
from emu.observe.timers import check_timer_at_entry, timers_are_checked
from emu.waist import apic_pending, ipis_in_flight, local_read, mark, peek


def probe_vm_entry(vcpu: Vcpu) -> None:
    """VM-entry: count what came behind the last sync, and check C3, C7 and C11."""
    count(VM_ENTRIES)
    if peek(vcpu.mode) == EXITING_GUEST_MODE:
        window(KICK_BEFORE_ENTRY)
    if apic_pending() != 0 or ipis_in_flight() != 0:
        window(NOTIFIED_AFTER_SYNC)
    check_vm_entry(vcpu)
    if timers_are_checked() != 0:
        check_timer_at_entry(vcpu)
    if local_read(config().task_pcpus) != 0:
        check_loaded(vcpu)


def probe_vm_exit() -> None:
    """A VM-exit; its reason is in the VMCS."""
    count(VM_EXITS)


def probe_delivered() -> None:
    """A virtual interrupt is delivered to the guest."""
    count(DELIVERIES)


def probe_processing() -> None:
    """The processor begins, or ends, with an external interrupt in non-root mode: the mark is odd in between."""
    word = this_pcpu().irq.processing
    mark(word, peek(word) + 1)


def probe_interrupt_acked() -> None:
    """The local APIC has given a vector up."""
    count(IPIS_TAKEN)


def probe_notified_in_guest(bits: int) -> None:
    """Posted-interrupt processing is done; ``bits`` is 0 if it found no PIR bit."""
    window(NOTIFIED_IN_GUEST)
    count(NOTIFICATIONS_IN_GUEST)
    if bits == 0:
        count(NOTIFICATIONS_SPURIOUS)
    elif local_read(config().guest_masks) != 0:
        if local_read(machine().vcpus[smp_processor_id()].guest.rflags_if) == 0:
            window(NOTIFIED_WHILE_MASKED)
