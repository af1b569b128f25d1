"""Probes of root mode: interrupts that are taken there, and a vCPU that blocks."""

from __future__ import annotations

from emu.kvm_host import KVM_MP_STATE_HALTED
from emu.lapic_regs import apic_find_highest_irr
from emu.machine import Vcpu, config, machine, smp_processor_id, this_pcpu
from emu.observe.accounting import (
    BLOCK_ON_MASKED,
    DEVICE_IRQS,
    HLT_FASTPATH_GOES_ON,
    HLT_FASTPATH_HALTS,
    IRQ_BEFORE_SLEEP,
    KICK_ENDS_STAY,
    NOTIFICATIONS_SPURIOUS,
    NOTIFIED_AFTER_HALT,
    NOTIFIED_IN_ROOT,
    POLL_ENDS,
    STRAY_INTERRUPTS,
)
from emu.observe.checkers import check_sleep
from emu.observe.ghost import count, window
from emu.observe.timers import check_timer_asleep, timers_are_checked
from emu.vectors import RESCHEDULE_VECTOR
from emu.waist import apic_pending, ipis_in_flight, local_read, local_write


def probe_notified_in_root() -> None:
    """A notification has missed non-root mode."""
    window(NOTIFIED_IN_ROOT)
    count(NOTIFICATIONS_SPURIOUS)


def probe_hlt_fastpath(vcpu: Vcpu) -> None:
    """The HLT fastpath has decided, on the vCPU's last look in guest mode; what comes now is taken in root mode."""
    if local_read(vcpu.mp_state) != KVM_MP_STATE_HALTED:
        window(HLT_FASTPATH_GOES_ON)
        return
    window(HLT_FASTPATH_HALTS)
    if apic_pending() != 0 or ipis_in_flight() != 0:
        window(NOTIFIED_AFTER_HALT)


def probe_stray_interrupt() -> None:
    """A vector was taken that has no handler."""
    count(STRAY_INTERRUPTS)


def probe_device_irq() -> None:
    """A device's interrupt is taken, at times between a vCPU's last look at its PIR and its sleep."""
    count(DEVICE_IRQS)
    if local_read(this_pcpu().between_check_and_sleep) != 0:
        window(IRQ_BEFORE_SLEEP)


def probe_stay_ended(vector: int) -> None:
    """An external interrupt has ended a stay in non-root mode."""
    if vector == RESCHEDULE_VECTOR:
        window(KICK_ENDS_STAY)


def probe_events_checked() -> None:
    """A vCPU that is about to block has looked at its PIR; what is posted from here on has to wake it."""
    local_write(this_pcpu().between_check_and_sleep, 1)
    if local_read(config().guest_masks) != 0:
        if apic_find_highest_irr(machine().vcpus[smp_processor_id()]) >= 0:
            window(BLOCK_ON_MASKED)


def probe_polled(found: int) -> None:
    """A vCPU that polls has looked; ``found``: there is a reason not to block."""
    probe_block_decided()
    if found != 0:
        window(POLL_ENDS)


def probe_block_decided() -> None:
    """It sleeps, or it does not block."""
    local_write(this_pcpu().between_check_and_sleep, 0)


def probe_asleep(vcpu: Vcpu) -> int:
    """C2, C7 and C11 about a vCPU that sleeps; return 1 if its sleep is judged to be sound."""
    sound = check_sleep(vcpu)
    if sound != 0 and timers_are_checked() != 0:
        sound = check_timer_asleep(vcpu)
    return sound
