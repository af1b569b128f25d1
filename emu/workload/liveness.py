"""The liveness timer: a test driver that wakes a guest which is correctly asleep and nothing else would wake.

Where timers are checked it leaves the guest's alone: its tick is a post, and there is none as long as the guest has a
deadline open, which has to wake it by itself. A host timer that no other pCPU has taken expires on this one.
"""

from __future__ import annotations

from typing import Final

from emu.irq import kvm_arch_set_irq_inatomic
from emu.lapic import apic_timer_expired, hrtimer_interrupt
from emu.machine import Vcpu, config
from emu.observe.checkers import check_sleep
from emu.observe.timers import TIMER_IDLE, timers_are_checked
from emu.vectors import SLOT_POST, vector_of
from emu.waist import all_silent, local_read, local_write, peek, run_goes_on, say_silent
from emu.workload.program import turn_over

TICK_VECTOR: Final = vector_of(SLOT_POST + 2)
"""The highest of those that host threads post."""


def liveness_timer(vcpu: Vcpu) -> None:
    """Let the timer of a sleeping guest expire. Called only after a checker has found its sleep correct."""
    guest = vcpu.guest
    if run_goes_on() == 0:
        local_write(guest.actions_left, 0)
        local_write(guest.turn_wanted, 0)
        if local_read(guest.silent) == 0:
            local_write(guest.silent, 1)
            say_silent()
        if all_silent() == 0 or check_sleep(vcpu) == 0:
            return
    elif turn_over(local_read(guest.turn)) == 0:
        return
    if timers_are_checked() == 0:
        apic_timer_expired(vcpu, 1)
    elif peek(vcpu.timer_watch) == TIMER_IDLE:
        kvm_arch_set_irq_inatomic(vcpu, TICK_VECTOR)
    elif local_read(config().posted_timers) != 0:
        hrtimer_interrupt(vcpu)
