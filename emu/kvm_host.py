"""kvm_host.h, kvm.h and sched.h in include/linux: modes and states of a vCPU, requests, task states."""

from __future__ import annotations

from typing import Final

from emu.machine import Vcpu
from emu.waist import READ_ONCE

OUTSIDE_GUEST_MODE: Final = 0
IN_GUEST_MODE: Final = 1
EXITING_GUEST_MODE: Final = 2

KVM_MP_STATE_RUNNABLE: Final = 0
KVM_MP_STATE_HALTED: Final = 3

KVM_REQ_TLB_FLUSH: Final = 0
"""The request that the kickers of the scenarios make; it needs the vCPU out of guest mode."""
KVM_REQ_UNBLOCK: Final = 2
KVM_REQ_EVENT: Final = 14
KICKED_REQUESTS: Final = 1 << KVM_REQ_TLB_FLUSH
"""Requests that are made together with a kick: the others wait for the next exit by design (C9)."""

TASK_RUNNING: Final = 0
TASK_INTERRUPTIBLE: Final = 1
TASK_ASLEEP: Final = 2
"""Off the run queue: the scheduler took TASK_INTERRUPTIBLE at its word."""
TASK_DEAD: Final = 3


def kvm_vcpu_is_blocking(vcpu: Vcpu) -> int:
    """Return whether the wait record names a task."""
    return 1 if READ_ONCE(vcpu.wait.task) != 0 else 0
