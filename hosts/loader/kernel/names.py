"""Constants and variables of the kernel that C uses by name, and what ``#if`` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from emu.exits import (
    EXIT_FASTPATH_EXIT_HANDLED,
    EXIT_FASTPATH_NONE,
    EXIT_FASTPATH_REENTER_GUEST,
    EXIT_REASON_EXTERNAL_INTERRUPT,
    EXIT_REASON_HLT,
    EXIT_REASON_MSR_WRITE,
    EXIT_REASON_PREEMPTION_TIMER,
)
from emu.kvm_host import (
    EXITING_GUEST_MODE,
    IN_GUEST_MODE,
    KVM_MP_STATE_HALTED,
    KVM_MP_STATE_RUNNABLE,
    KVM_REQ_EVENT,
    KVM_REQ_TLB_FLUSH,
    KVM_REQ_UNBLOCK,
    OUTSIDE_GUEST_MODE,
    TASK_INTERRUPTIBLE,
    TASK_RUNNING,
)
from emu.posted_intr import POSTED_INTR_ON, POSTED_INTR_SN
from emu.vectors import (
    POSTED_INTR_NESTED_VECTOR,
    POSTED_INTR_VECTOR,
    POSTED_INTR_WAKEUP_VECTOR,
    RESCHEDULE_VECTOR,
)
from hosts.loader.c.rules import Constant, EmuCall, NameRule, Refused

CONSTANT: Final = "a constant of the kernel"

NEVER_MADE: Final = 255
"""The number of a request that nobody in this machine makes."""

KVM_REQ_UNHALT: Final = 3

_VALUES: Final[Mapping[str, int]] = {
    "OUTSIDE_GUEST_MODE": OUTSIDE_GUEST_MODE,
    "IN_GUEST_MODE": IN_GUEST_MODE,
    "EXITING_GUEST_MODE": EXITING_GUEST_MODE,
    "KVM_REQ_TLB_FLUSH": KVM_REQ_TLB_FLUSH,
    "KVM_REQ_UNBLOCK": KVM_REQ_UNBLOCK,
    "KVM_REQ_PENDING_TIMER": KVM_REQ_UNBLOCK,
    "KVM_REQ_UNHALT": KVM_REQ_UNHALT,
    "KVM_REQ_EVENT": KVM_REQ_EVENT,
    "KVM_REQUEST_MASK": 63,
    "KVM_REQUEST_NO_WAKEUP": 1 << 8,
    "KVM_REQUEST_WAIT": 1 << 9,
    "KVM_REQUEST_NO_ACTION": 1 << 10,
    "KVM_REQUEST_ARCH_BASE": 8,
    "TASK_RUNNING": TASK_RUNNING,
    "TASK_INTERRUPTIBLE": TASK_INTERRUPTIBLE,
    "POSTED_INTR_ON": POSTED_INTR_ON,
    "POSTED_INTR_SN": POSTED_INTR_SN,
    "POSTED_INTR_VECTOR": POSTED_INTR_VECTOR,
    "POSTED_INTR_WAKEUP_VECTOR": POSTED_INTR_WAKEUP_VECTOR,
    "POSTED_INTR_NESTED_VECTOR": POSTED_INTR_NESTED_VECTOR,
    "RESCHEDULE_VECTOR": RESCHEDULE_VECTOR,
    "KVM_MP_STATE_RUNNABLE": KVM_MP_STATE_RUNNABLE,
    "KVM_MP_STATE_UNINITIALIZED": 1,
    "KVM_MP_STATE_INIT_RECEIVED": 2,
    "KVM_MP_STATE_HALTED": KVM_MP_STATE_HALTED,
    "KVM_MP_STATE_SIPI_RECEIVED": 4,
    "KVM_MP_STATE_AP_RESET_HOLD": 9,
    "EXIT_FASTPATH_NONE": EXIT_FASTPATH_NONE,
    "EXIT_FASTPATH_REENTER_GUEST": EXIT_FASTPATH_REENTER_GUEST,
    "EXIT_FASTPATH_EXIT_HANDLED": EXIT_FASTPATH_EXIT_HANDLED,
    "EXIT_FASTPATH_EXIT_USERSPACE": 3,
    "EXIT_REASON_EXTERNAL_INTERRUPT": EXIT_REASON_EXTERNAL_INTERRUPT,
    "EXIT_REASON_HLT": EXIT_REASON_HLT,
    "EXIT_REASON_MSR_WRITE": EXIT_REASON_MSR_WRITE,
    "EXIT_REASON_PREEMPTION_TIMER": EXIT_REASON_PREEMPTION_TIMER,
    "KVM_RUN_FORCE_IMMEDIATE_EXIT": 1 << 0,
    "KVM_RUN_LOAD_GUEST_DR6": 1 << 1,
    "KVM_RUN_LOAD_DEBUGCTL": 1 << 2,
    "KVM_EXIT_UNKNOWN": 0,
    "KVM_PROFILING": 4,
    "KVM_HANDLING_IRQ": 1,
    "KVM_DEBUGREG_BP_ENABLED": 1,
    "KVM_DEBUGREG_WONT_EXIT": 2,
    "KVM_DEBUGREG_RELOAD": 4,
    "KVM_DEBUGREG_AUTO_SWITCH": 4,
    "APIC_TASKPRI": 0x80,
    "APIC_PROCPRI": 0xA0,
    "APIC_ISR": 0x100,
    "APIC_TMR": 0x180,
    "APIC_IRR": 0x200,
    "APIC_LVTT": 0x320,
    "APIC_LVTTHMR": 0x330,
    "APIC_LVTPC": 0x340,
    "APIC_LVT0": 0x350,
    "APIC_LVT1": 0x360,
    "APIC_LVTERR": 0x370,
    "APIC_VECTOR_MASK": 0xFF,
    "APIC_MODE_MASK": 0x700,
    "APIC_LVT_LEVEL_TRIGGER": 1 << 15,
    "APIC_LVT_MASKED": 1 << 16,
    "APIC_LVT_TIMER_ONESHOT": 0,
    "APIC_LVT_TIMER_PERIODIC": 1 << 17,
    "APIC_LVT_TIMER_TSCDEADLINE": 2 << 17,
    "APIC_DM_FIXED": 0x000,
    "APIC_DM_LOWEST": 0x100,
    "APIC_DM_SMI": 0x200,
    "APIC_DM_REMRD": 0x300,
    "APIC_DM_NMI": 0x400,
    "APIC_DM_INIT": 0x500,
    "APIC_DM_STARTUP": 0x600,
    "APIC_DM_EXTINT": 0x700,
    "MAX_APIC_VECTOR": 256,
    "APIC_VECTORS_PER_REG": 32,
    "NR_VECTORS": 256,
    "NR_PIR_VECTORS": 256,
    "NR_PIR_WORDS": 4,
    "BITS_PER_LONG": 64,
    "EPERM": 1,
    "EINTR": 4,
    "EIO": 5,
    "EAGAIN": 11,
    "EBUSY": 16,
    "EINVAL": 22,
}
"""Constants of headers and enums; those that this machine has too are its own. Its requests are one word: their
numbers are below 64."""

_WIDE: Final[Mapping[str, tuple[int, str]]] = {
    "S64_MIN": (-(1 << 63), "s64"),
    "S64_MAX": ((1 << 63) - 1, "s64"),
    "INT_MAX": ((1 << 31) - 1, "int"),
    "INT_MIN": (-(1 << 31), "int"),
    "U32_MAX": ((1 << 32) - 1, "u32"),
}

_REQUESTS: Final = """
    VM_BUGGED VM_DEAD GET_NESTED_STATE_PAGES MMU_RELOAD MMU_FREE_OBSOLETE_ROOTS MIGRATE_TIMER MASTERCLOCK_UPDATE
    GLOBAL_CLOCK_UPDATE CLOCK_UPDATE MMU_SYNC LOAD_MMU_PGD TLB_FLUSH_CURRENT TLB_FLUSH_GUEST HV_TLB_FLUSH
    REPORT_TPR_ACCESS TRIPLE_FAULT APF_HALT STEAL_UPDATE SMI NMI PMU PMI IOAPIC_EOI_EXIT SCAN_IOAPIC
    LOAD_EOI_EXITMAP APIC_PAGE_RELOAD HV_CRASH HV_RESET HV_EXIT HV_STIMER APICV_UPDATE APF_READY
    MSR_FILTER_CHANGED UPDATE_CPU_DIRTY_LOGGING UPDATE_PROTECTED_GUEST_STATE DIRTY_RING_SOFT_FULL
    MCLOCK_INPROGRESS RECALC_INTERCEPTS OUTSIDE_GUEST_MODE
"""
"""Requests of the kernel that are about what this machine does not have."""

NAMES: Final[Mapping[str, NameRule]] = {
    **{name: Constant(value, CONSTANT) for name, value in _VALUES.items()},
    **{name: Constant(value, CONSTANT, kind) for name, (value, kind) in _WIDE.items()},
    **{
        f"KVM_REQ_{name}": Constant(NEVER_MADE, "a request that nobody in this machine makes")
        for name in _REQUESTS.split()
    },
    "enable_apicv": Constant(1, "APICv is never off in this machine", "bool"),
    "x2apic_mode": Constant(1, "APIC ids are those of the x2APIC here: the number of the pCPU", "int"),
    "pi_inject_timer": Constant(0, "no housekeeping pCPUs in this machine: timers expire where the vCPU runs", "bool"),
    "prof_on": Constant(0, "nobody profiles"),
    "nr_cpu_ids": Constant(64, "more pCPUs than 64 are not in this machine", "unsigned int"),
    "kvm_running_vcpu": Refused("is read by __this_cpu_read() or kvm_get_running_vcpu() only"),
    "kvm_x86_ops.sync_pir_to_irr": Constant(1, "VMX has it"),
    "kvm_x86_ops.set_hv_timer": Constant(1, "VMX has it"),
    "kvm_x86_ops.pre_block": Constant(1, "VMX has it"),
    "kvm_x86_ops.post_block": Constant(1, "VMX has it"),
    "kvm_x86_ops.vcpu_blocking": Constant(0, "AMD has it, VMX does not"),
    "kvm_x86_ops.vcpu_unblocking": Constant(0, "AMD has it, VMX does not"),
    "kvm_x86_ops.deliver_posted_interrupt": Constant(1, "VMX has it"),
}
"""What a name stands for; ``kvm_x86_ops.x`` is that member asked for as a value."""

CONFIG: Final[Mapping[str, bool]] = {
    "CONFIG_SMP": True,
    "CONFIG_X86": True,
    "CONFIG_X86_64": True,
    "CONFIG_64BIT": True,
    "CONFIG_KVM": True,
    "CONFIG_KVM_INTEL": True,
    "CONFIG_HAVE_KVM": True,
    "CONFIG_HAVE_KVM_IRQCHIP": True,
    "CONFIG_HAVE_KVM_IRQFD": True,
    "CONFIG_PREEMPT_NOTIFIERS": True,
    "__KERNEL__": True,
}
"""What ``#if`` finds set. Every other ``CONFIG_`` is not set here: Hyper-V, Xen, SMM, SEV, TDX, debugging."""

NOT_SET: Final = ("CONFIG_", "__KVM_HAVE_ARCH_WQP")
"""How names begin that are not set if they are not in ``CONFIG``."""

PER_CPU: Final[Mapping[str, EmuCall]] = {
    "kvm_running_vcpu": EmuCall("kvm_get_running_vcpu()", ("...",), "struct kvm_vcpu *"),
    "cpu_number": EmuCall("smp_processor_id()", ("...",), "int", least=0, most=63),
}
"""Variables that each pCPU has one of."""

_LISTS: Final[Mapping[str, str]] = {
    "wakeup_vcpus_on_cpu": "struct list_head",
    "wakeup_vcpus_on_cpu_lock": "raw_spinlock_t",
}
"""Structs that each pCPU has one of, and their types: the wake-up list has its lock with it here."""

OF_PCPU: Final[Mapping[str, EmuCall]] = {
    **{name: EmuCall("machine().pcpus[_1].wakeup", ("...", "int"), kind) for name, kind in _LISTS.items()},
    **{f"&{name}": EmuCall("machine().pcpus[_1].wakeup", ("...", "int"), f"{kind} *") for name, kind in _LISTS.items()},
}
"""The same of some pCPU; of ``per_cpu_ptr(&x, cpu)`` a pointer to it."""
OF_THIS_PCPU: Final[Mapping[str, EmuCall]] = {
    f"&{name}": EmuCall("this_pcpu().wakeup", ("...",), f"{kind} *") for name, kind in _LISTS.items()
}
