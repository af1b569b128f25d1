"""Signals to a vCPU's task: kernel/signal.c, include/linux/entry-kvm.h. A kick without a request.

A signal is two steps: the flag, then a reschedule IPI to the pCPU that the task runs on, or its wake-up. The vCPU has
to look at the flag between IN_GUEST_MODE and VM-entry, and before it sleeps: an IPI that came earlier is gone.
"""

from __future__ import annotations

from typing import Final

from emu.cpu import apic_send_IPI, preempt_disable
from emu.machine import Vcpu, config, smp_processor_id
from emu.sched import preempt_enable, try_to_wake_up
from emu.vectors import RESCHEDULE_VECTOR
from emu.waist import READ_ONCE, local_read, set_bit, test_and_clear_bit

TIF_SIGPENDING: Final = 0


def signal_wake_up(vcpu: Vcpu) -> None:
    """Tell the task that a signal waits: it is woken, or made to leave the guest."""
    set_bit(TIF_SIGPENDING, vcpu.signal_pending)
    if try_to_wake_up(vcpu) == 0:
        kick_process(vcpu)


def kick_process(vcpu: Vcpu) -> None:
    """Make a running task enter the kernel. The mode is neither read nor written, so that every sender sends."""
    preempt_disable()
    cpu = READ_ONCE(vcpu.cpu)
    if cpu != smp_processor_id():
        apic_send_IPI(cpu, RESCHEDULE_VECTOR)
    preempt_enable()


def xfer_to_guest_mode_work_pending(vcpu: Vcpu) -> int:
    """Return whether work waits that is done outside the guest: of it this machine has signals."""
    return signal_pending(vcpu) if local_read(config().signals) != 0 else 0


def signal_pending(vcpu: Vcpu) -> int:
    """Read the flag."""
    return READ_ONCE(vcpu.signal_pending)


def get_signal(vcpu: Vcpu) -> None:
    """Take what waits, on the way to userspace."""
    test_and_clear_bit(TIF_SIGPENDING, vcpu.signal_pending)
