"""The structs of KVM, and what each of their fields is in this machine.

KVM keeps a vCPU in several structs that point to each other; here all of them are one value, ``emu.machine.Vcpu``, seen
as one struct or the other. A field that is not in these tables is refused where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hosts.loader.c.rules import (
    Bank,
    Constant,
    Dropped,
    FieldRule,
    PageField,
    Refused,
    StructRule,
    ViewField,
    WordField,
    WordsField,
)

VCPU: Final = StructRule("Vcpu")

STRUCTS: Final[Mapping[str, StructRule]] = {
    **dict.fromkeys(
        (
            *("kvm_vcpu", "kvm_vcpu_arch", "kvm_lapic", "kvm_timer", "vcpu_vmx", "vcpu_vt", "loaded_vmcs", "rcuwait"),
            *(
                "kvm",
                "kvm_run",
                "kvm_vcpu_pv",
                "kvm_vcpu_apf",
                "kvm_vcpu_exception",
                "kvm_guest_fpu",
                "kvm_async_pf_of",
            ),
        ),
        VCPU,
    ),
    "pi_desc": StructRule("PiDesc"),
    "pi_wakeup_entry": VCPU,
    **dict.fromkeys(("list_head", "raw_spinlock"), StructRule("WakeupList")),
}
"""What a pointer to a struct is at run time. ``struct kvm`` is told by one of its vCPUs: nothing of it is a word."""

_STATISTICS: Final = Dropped("a statistic")
_USER_SPACE: Final = Dropped("for user space, which is not in this machine")
_SRCU: Final = Dropped("SRCU protects memory slots: this machine has none")
_TIME: Final = Dropped("timekeeping: this machine has no clock but its deadlines")
_MITIGATION: Final = Dropped("a mitigation of speculation")

_NO_DEBUG: Final = Constant(0, "the guest uses no debug registers")
_NO_EVENT: Final = Constant(0, "no INIT, SIPI, NMI, SMI or exception in this machine")
_NO_POLLING: Final = Constant(0, "this machine does not poll before it blocks", "unsigned int")
_APICV_ON: Final = Constant(1, "APICv is never off in this machine", "bool")

APIC_TMR: Final = 0x180

_REGISTERS: Final = PageField(
    banks=(
        Bank(0x200, 0x10, 8, "apic.virr"),
        Bank(0x100, 0x10, 8, "apic.visr"),
        Bank(APIC_TMR, 0x10, 8, "", constant=Constant(0, "every interrupt of this machine is edge-triggered", "u32")),
    ),
    words={
        0x80: WordField("apic.vtpr", "u32", shared=False, least=0, most=255),
        0xA0: WordField("apic.vppr", "u32", shared=False, least=0, most=255),
    },
)

_VCPU: Final[Mapping[str, FieldRule]] = {
    "mode": WordField("mode", "int", least=0, most=2),
    "cpu": WordField("cpu", "int", least=0, most=63),
    "requests": WordField("requests", "u64"),
    "vcpu_id": WordField("id", "int", shared=False, least=0, most=63),
    "vcpu_idx": WordField("id", "int", shared=False, least=0, most=63),
    "wait": ViewField("rcuwait"),
    "arch": ViewField("kvm_vcpu_arch"),
    "kvm": ViewField("kvm", pointer=True),
    "run": ViewField("kvm_run", pointer=True),
    "stat": _STATISTICS,
    "ready": Dropped("a hint for directed yield, which this machine does not do"),
    "preempted": WordField("preempted", "bool", shared=False, least=0, most=1),
    "srcu_idx": _SRCU,
    "____srcu_idx": _SRCU,
    "srcu_depth": _SRCU,
    "halt_poll_ns": _NO_POLLING,
    "mmio_needed": _USER_SPACE,
    "dirty_ring": Dropped("this machine has no memory to log"),
    "async_pf": ViewField("kvm_async_pf_of"),
    "guest_debug": _NO_DEBUG,
}

_ARCH: Final[Mapping[str, FieldRule]] = {
    "apic": ViewField("kvm_lapic", pointer=True),
    "apicv_active": _APICV_ON,
    "mp_state": WordField("mp_state", "u32", shared=False, least=0, most=9),
    "pv": ViewField("kvm_vcpu_pv"),
    "apf": ViewField("kvm_vcpu_apf"),
    "exception": ViewField("kvm_vcpu_exception"),
    "guest_fpu": ViewField("kvm_guest_fpu"),
    "waitp": ViewField("rcuwait", pointer=True),
    "switch_db_regs": _NO_DEBUG,
    "xfd_no_write_intercept": Constant(0, "the guest's FPU is not in this machine"),
    "tsc_always_catchup": Constant(0, "timekeeping: this machine has no clock but its deadlines"),
    "apic_attention": Constant(0, "no vAPIC page of an old guest"),
    "nmi_pending": _NO_EVENT,
    "smi_pending": _NO_EVENT,
    "guest_state_protected": Constant(0, "no SEV-ES and no TDX in this machine"),
    "apic_arb_prio": Dropped("no interrupt of lowest priority in this machine"),
    "l1tf_flush_l1d": _MITIGATION,
    "at_instruction_boundary": Dropped("steal time: this machine has no memory of the guest"),
    "last_vmentry_cpu": _MITIGATION,
    "last_guest_tsc": _TIME,
    "host_debugctl": Dropped("debug registers of the host"),
}

_LAPIC: Final[Mapping[str, FieldRule]] = {
    "vcpu": ViewField("kvm_vcpu", pointer=True),
    "regs": _REGISTERS,
    "lapic_timer": ViewField("kvm_timer"),
    "apicv_active": _APICV_ON,
    "irr_pending": Constant(1, "with APICv it is always true", "bool"),
    "isr_count": Constant(1, "with APICv it is always 1", "s16"),
    "highest_isr_cache": Constant(-1, "with APICv nothing is cached"),
    "pending_events": _NO_EVENT,
    "sw_enabled": Constant(1, "the guest's APIC is never off in this machine", "bool"),
    "guest_apic_protected": Constant(0, "no TDX in this machine", "bool"),
    "sipi_vector": Dropped("no INIT and no SIPI in this machine"),
}

_TIMER: Final[Mapping[str, FieldRule]] = {
    "pending": WordField("apic.timer_pending", "int", shared=False, least=0),
    "tscdeadline": WordField("apic.tscdeadline", "u64", shared=False),
    "expired_tscdeadline": WordField("apic.expired_tscdeadline", "u64", shared=False),
    "hv_timer_in_use": WordField("apic.hv_timer_in_use", "bool", shared=False),
    "timer_mode": Constant(2 << 17, "the guest's timer is in TSC-deadline mode", "u32"),
    "period": Constant(0, "the guest's timer is in TSC-deadline mode", "s64"),
    "target_expiration": _TIME,
    "timer_advance_ns": Constant(0, "this machine's timers are not advanced", "u32"),
    "advance_expire_delta": Constant(-(1 << 63), "this machine's timers are not advanced", "s64"),
}

_WAKEUP_ENTRY: Final = ViewField("pi_wakeup_entry")
"""The vCPU's place in a wake-up list: the list is a word with a bit for each vCPU here."""

_PI_DESC: Final[Mapping[str, FieldRule]] = {
    "control": WordField("control", "u64"),
    "notifications": WordField("control", "u16", bits=16),
    "on": WordField("control", "u16", bits=1),
    "sn": WordField("control", "u16", shift=1, bits=1),
    "nv": WordField("control", "u8", shift=16, bits=8),
    "ndst": WordField("control", "u32", shift=32, bits=32),
}

PIR_BY_32: Final = WordsField("pir", "u32", 8)
PIR_BY_64: Final = WordsField("pir", "unsigned long", 4)
"""``pi_desc.pir`` before v6.16, and from then on."""

FIELDS: Final[Mapping[str, Mapping[str, FieldRule]]] = {
    "kvm_vcpu": _VCPU,
    "kvm_vcpu_arch": _ARCH,
    "kvm_lapic": _LAPIC,
    "kvm_timer": _TIMER,
    "pi_desc": _PI_DESC,
    "vcpu_vmx": {
        "vcpu": ViewField("kvm_vcpu"),
        "vt": ViewField("vcpu_vt"),
        "pi_desc": ViewField("pi_desc", "pi_desc"),
        "pi_wakeup_list": _WAKEUP_ENTRY,
        "loaded_vmcs": ViewField("loaded_vmcs", pointer=True),
        "req_immediate_exit": Constant(0, "nothing asks for an immediate exit in this machine", "bool"),
    },
    "vcpu_vt": {"pi_desc": ViewField("pi_desc", "pi_desc"), "pi_wakeup_list": _WAKEUP_ENTRY},
    "loaded_vmcs": {"hv_timer_soft_disabled": Constant(0, "the preemption timer is off when it is not in use", "bool")},
    "kvm_vcpu_pv": {"pv_unhalted": Constant(0, "no paravirtual unhalt in this machine", "bool")},
    "kvm_vcpu_apf": {"halted": Constant(0, "no asynchronous page faults in this machine", "bool")},
    "kvm_vcpu_exception": {"pending": _NO_EVENT},
    "kvm_guest_fpu": {"xfd_err": Constant(0, "the guest's FPU is not in this machine", "u64")},
    "kvm_async_pf_of": {},
    "rcuwait": {
        "task": Refused("the wait record is used by prepare_to_rcuwait(), rcuwait_wake_up() and the like here")
    },
    "kvm": {
        "srcu": _SRCU,
        "dirty_ring_size": Constant(0, "this machine has no memory to log", "u32"),
        "max_halt_poll_ns": _NO_POLLING,
    },
}
"""By struct and field. Structs without a name in C have one here."""

ANY_FIELD: Final[Mapping[str, FieldRule]] = {"kvm_run": _USER_SPACE}
"""Structs of which every field is one thing."""

TYPES: Final[Mapping[str, str]] = {
    "fastpath_t": "int",
    "ktime_t": "s64",
    "gpa_t": "u64",
    "gfn_t": "u64",
    "hpa_t": "u64",
    "cpumask_t": "int",
    **dict.fromkeys(("raw_spinlock_t", "spinlock_t"), "struct raw_spinlock"),
}
"""Types that are numbers, and the lock of a wake-up list, which is a struct with the list here."""
