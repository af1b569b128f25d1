"""The liveness timer: a test driver that wakes a guest which is correctly asleep and nothing else would wake."""

from __future__ import annotations

from emu.lapic import apic_timer_expired
from emu.machine import Vcpu
from emu.observe.checkers import check_sleep
from emu.waist import all_silent, local_read, local_write, run_goes_on, say_silent
from emu.workload.program import turn_over


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
    apic_timer_expired(vcpu, 1)
