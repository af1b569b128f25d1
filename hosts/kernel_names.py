"""Names of the values that words of the machine hold: modes, task states, requests, reasons of a VM-exit."""

from __future__ import annotations

from typing import Final

from emu.exits import (
    EXIT_REASON_CPUID,
    EXIT_REASON_EXTERNAL_INTERRUPT,
    EXIT_REASON_HLT,
    EXIT_REASON_MSR_WRITE,
    EXIT_REASON_PREEMPTION_TIMER,
)
from emu.kvm_host import (
    EXITING_GUEST_MODE,
    IN_GUEST_MODE,
    KVM_REQ_EVENT,
    KVM_REQ_TLB_FLUSH,
    KVM_REQ_UNBLOCK,
    OUTSIDE_GUEST_MODE,
    TASK_ASLEEP,
    TASK_INTERRUPTIBLE,
    TASK_RUNNING,
)

MODES: Final = {OUTSIDE_GUEST_MODE: "OUTSIDE", IN_GUEST_MODE: "IN_GUEST", EXITING_GUEST_MODE: "EXITING"}
TASKS: Final = {TASK_RUNNING: "RUNNING", TASK_INTERRUPTIBLE: "INTERRUPTIBLE", TASK_ASLEEP: "ASLEEP"}
REQUESTS: Final = {KVM_REQ_TLB_FLUSH: "TLB_FLUSH", KVM_REQ_UNBLOCK: "UNBLOCK", KVM_REQ_EVENT: "EVENT"}
EXITS: Final = {
    EXIT_REASON_CPUID: "CPUID",
    EXIT_REASON_HLT: "HLT",
    EXIT_REASON_MSR_WRITE: "WRMSR",
    EXIT_REASON_PREEMPTION_TIMER: "preemption timer",
    EXIT_REASON_EXTERNAL_INTERRUPT: "external interrupt",
}
