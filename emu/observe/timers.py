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
from emu.observe.snapshot import quiet_stamp, still
from emu.vectors import SLOT_TIMER, vector_of
from emu.waist import WRITE_ONCE, local_read, local_write, mark, peek

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


def posted_timer_is_backed(vcpu: Vcpu) -> int:
    """Return whether no deadline is open, or somebody still has it: whoever injects notes that before they let go."""
    if peek(vcpu.hrtimer) != 0 or peek(vcpu.hrtimer_pending) != 0:
        return 1
    return 1 if peek(vcpu.timer_watch) == TIMER_IDLE else 0


def check_timer_at_entry(vcpu: Vcpu) -> None:
    """The guest is entered: an open deadline has the preemption timer behind it, and nothing else has."""
    if local_read(config().posted_timers) != 0:
        if posted_timer_is_backed(vcpu) == 0:
            timer_sighting(vcpu)
            forget_timer(vcpu)
        return
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
    if local_read(config().posted_timers) != 0:
        return check_posted_asleep(vcpu)
    watch = peek(vcpu.timer_watch)
    if watch == TIMER_IDLE:
        return 1
    taken_over = local_read(vcpu.apic.tscdeadline) != 0 and local_read(vcpu.apic.hv_timer_in_use) == 0
    if watch == TIMER_ARMED and taken_over:
        return 1
    timer_sighting(vcpu)
    forget_timer(vcpu)
    return 0


def check_posted_asleep(vcpu: Vcpu) -> int:
    """The same where another pCPU has the host's timer: a judgement only if nobody is inside."""
    before = quiet_stamp()
    if before < 0:
        return 0
    watch = peek(vcpu.timer_watch)
    sound = watch == TIMER_IDLE or (watch == TIMER_ARMED and peek(vcpu.hrtimer) != 0)
    if still(before) == 0:
        return 0
    if sound:
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
    if local_read(config().posted_timers) != 0:
        WRITE_ONCE(vcpu.hrtimer_pending, 0)
        WRITE_ONCE(vcpu.hrtimer, 0)
