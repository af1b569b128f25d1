"""Probes of the guest's timer: from its WRMSR to the injection (C11)."""

from __future__ import annotations

from emu.machine import Vcpu
from emu.observe.ghost import window
from emu.observe.timers import TIMER_ARMED, TIMER_DUE, check_arming, check_injection, timers_are_checked
from emu.waist import local_read, mark, peek


def probe_timer_armed(vcpu: Vcpu) -> None:
    """The guest has written a deadline."""
    if timers_are_checked() != 0:
        check_arming(vcpu)


def probe_deadline(vcpu: Vcpu, deadline: int, passed: int, where: int) -> None:
    """A clock was asked whether a deadline has passed; ``where`` is the window of the place."""
    if timers_are_checked() != 0 and passed != 0:
        if peek(vcpu.timer_watch) == TIMER_ARMED and deadline == local_read(vcpu.apic.tscdeadline):
            mark(vcpu.timer_watch, TIMER_DUE)
            window(where)


def probe_timer_injected(vcpu: Vcpu) -> None:
    """The timer's interrupt is about to be injected."""
    if timers_are_checked() != 0:
        check_injection(vcpu)
