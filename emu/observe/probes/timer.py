"""Probes of the guest's timer: from its WRMSR to the injection (C11)."""

from __future__ import annotations

from emu.kvm_host import IN_GUEST_MODE
from emu.machine import Vcpu, this_pcpu
from emu.observe.accounting import POSTED_TIMER_IN, POSTED_TIMER_OUTSIDE
from emu.observe.ghost import window
from emu.observe.timers import TIMER_ARMED, TIMER_DUE, check_arming, check_injection, timer_sighting, timers_are_checked
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


def probe_posted_deadline(vcpu: Vcpu) -> None:
    """A pCPU has taken the host timer of a vCPU, whose deadline has passed."""
    mark(vcpu.timer_watch, TIMER_DUE)


def probe_posted_timer(mode: int) -> None:
    """A timer that is posted has expired, and has read the mode."""
    window(POSTED_TIMER_IN if mode == IN_GUEST_MODE else POSTED_TIMER_OUTSIDE)


def probe_own_expiry(vcpu: Vcpu) -> None:
    """An expiry is injected as the vCPU's own: KVM warns if another thread does that (B24)."""
    if vcpu.at != local_read(this_pcpu().irq.running_vcpu):
        timer_sighting(vcpu)
