"""C11: a timer that is armed and due is delivered, once, and none is delivered that was not due.

The guest's deadline is watched from its WRMSR to the injection, in one word of the vCPU. That it is due is noted when a
clock is asked and says so: the preemption timer, the host's timer, KVM's own look at the TSC. No verdict asks a clock
itself. A deadline that is open has to have something that will fire for it, whenever the guest is entered or asleep;
and nothing may be armed for one that is not.
"""

from __future__ import annotations

from typing import Final

from emu.machine import Vcpu, config
from emu.observe.accounting import C11
from emu.observe.sightings import promised, sighting
from emu.vectors import SLOT_TIMER, vector_of
from emu.waist import local_read, local_write, mark, peek

TIMER_IDLE: Final = 0
TIMER_ARMED: Final = 1
TIMER_DUE: Final = 2
"""Values of ``Vcpu.timer_watch``: no deadline is open; one is; its time has come."""


def timers_are_checked() -> int:
    """Return whether this scenario's timers are watched; the others do without, and keep their states."""
    return local_read(config().timer_checks)


def check_arming(vcpu: Vcpu) -> None:
    """The guest arms a deadline. It does so only when the one before is over: one still open was lost."""
    if peek(vcpu.timer_watch) != TIMER_IDLE:
        timer_sighting(vcpu)
    mark(vcpu.timer_watch, TIMER_ARMED)


def check_injection(vcpu: Vcpu) -> None:
    """The timer's interrupt is injected: for a deadline that is open, and due."""
    if peek(vcpu.timer_watch) != TIMER_DUE:
        timer_sighting(vcpu)
    mark(vcpu.timer_watch, TIMER_IDLE)


def check_timer_at_entry(vcpu: Vcpu) -> None:
    """The guest is entered: an open deadline has the preemption timer behind it, and nothing else has."""
    watch = peek(vcpu.timer_watch)
    armed = local_read(vcpu.vmcs.preemption_timer_armed)
    if watch == TIMER_ARMED:
        ahead = local_read(vcpu.vmcs.preemption_timer_deadline) == local_read(vcpu.apic.tscdeadline)
        sound = armed != 0 and local_read(vcpu.apic.hv_timer_in_use) != 0 and ahead
    else:
        sound = watch == TIMER_IDLE and armed == 0
    if not sound:
        timer_sighting(vcpu)
        forget_timer(vcpu)


def check_timer_asleep(vcpu: Vcpu) -> int:
    """The vCPU sleeps: an open deadline is the host timer's, and is not due; return whether that is so."""
    watch = peek(vcpu.timer_watch)
    if watch == TIMER_IDLE:
        return 1
    taken_over = local_read(vcpu.apic.tscdeadline) != 0 and local_read(vcpu.apic.hv_timer_in_use) == 0
    if watch == TIMER_ARMED and taken_over:
        return 1
    timer_sighting(vcpu)
    forget_timer(vcpu)
    return 0


def timer_sighting(vcpu: Vcpu) -> None:
    """Record a sighting of C11."""
    if promised(C11) != 0:
        sighting(vcpu, C11, vector_of(SLOT_TIMER))


def forget_timer(vcpu: Vcpu) -> None:
    """Disarm everything, so that one loss is one sighting."""
    mark(vcpu.timer_watch, TIMER_IDLE)
    local_write(vcpu.vmcs.preemption_timer_armed, 0)
    local_write(vcpu.apic.hv_timer_in_use, 0)
    local_write(vcpu.apic.tscdeadline, 0)
