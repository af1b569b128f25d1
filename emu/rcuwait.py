"""include/linux/rcuwait.h: sleeping and waking. Both halves of the Dekker pair.

The sleeper stores the wait record and its state, and then reads PIR and ON (``kvm_vcpu_check_block``, emu.halt). The
waker sets PIR and ON, and then reads the wait record. Each has a full barrier between its store and its load, so at
least one of them sees the other (fact 3.5).
"""

from __future__ import annotations

from emu.kvm_host import TASK_RUNNING
from emu.machine import Vcpu
from emu.observe.probes.wake import probe_waiter_found
from emu.sched import try_to_wake_up
from emu.waist import READ_ONCE, WRITE_ONCE, smp_mb


def set_current_state(vcpu: Vcpu, state: int) -> None:
    """Publish the task's state; the barrier is the sleeper's half of the pair."""
    WRITE_ONCE(vcpu.wait.state, state)
    smp_mb()


def prepare_to_rcuwait(vcpu: Vcpu) -> None:
    """Publish the wait record: from here on a waker finds the task."""
    WRITE_ONCE(vcpu.wait.task, 1)


def finish_rcuwait(vcpu: Vcpu) -> None:
    """Withdraw the wait record."""
    WRITE_ONCE(vcpu.wait.task, 0)
    WRITE_ONCE(vcpu.wait.state, TASK_RUNNING)


def rcuwait_wake_up(vcpu: Vcpu) -> int:
    """Wake the task that the wait record names, if any; the barrier pairs with the sleeper's (fact 3.5)."""
    smp_mb()
    if READ_ONCE(vcpu.wait.task) != 0:
        probe_waiter_found()
        return try_to_wake_up(vcpu)
    return 0
