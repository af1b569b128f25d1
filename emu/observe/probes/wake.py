"""Probes of wake-ups, kicks and requests."""

from __future__ import annotations

from emu.kvm_host import EXITING_GUEST_MODE, TASK_INTERRUPTIBLE
from emu.machine import this_pcpu
from emu.observe.accounting import (
    KICK_LOSES,
    KICKS,
    REQUESTS,
    SIGNAL_TAKEN,
    WAKE_BEFORE_SLEEP,
    WAKE_FINDS_WAITER,
    WAKES,
    WOKEN_FROM_LIST,
)
from emu.observe.ghost import TOLD_OTHER, count, note_told, window
from emu.waist import local_read


def probe_waiter_found() -> None:
    """A waker found a task in the wait record."""
    window(WAKE_FINDS_WAITER)


def probe_waking(state: int) -> None:
    """A waker made a task runnable that was in a state: TASK_INTERRUPTIBLE was still on its way to sleep."""
    if state == TASK_INTERRUPTIBLE:
        window(WAKE_BEFORE_SLEEP)


def probe_woken() -> None:
    """A vCPU that blocked was woken; that may be what a rule at work did."""
    count(WAKES)
    if local_read(this_pcpu().in_wakeup_handler) != 0:
        window(WOKEN_FROM_LIST)
    note_told(TOLD_OTHER)


def probe_kick() -> None:
    """A kick found nobody to wake."""
    count(KICKS)


def probe_kick_found(mode: int) -> None:
    """A kicker found a mode: EXITING_GUEST_MODE if another kicker came first."""
    if mode == EXITING_GUEST_MODE:
        window(KICK_LOSES)


def probe_request_taken() -> None:
    """A vCPU has taken a request."""
    count(REQUESTS)


def probe_signal_taken() -> None:
    """A vCPU leaves to userspace, for a signal."""
    window(SIGNAL_TAKEN)
