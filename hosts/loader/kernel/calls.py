"""What becomes of calls: functions of the machine under the same or other names, and other views of a pointer.

A function of ``emu/`` that has the kernel's parameters stands here under its name; one whose parameters or result
differ is called through a few lines of C (``adapters/library.c``), in which it is named ``emu_NAME``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hosts.loader.c.rules import (
    Argument,
    ByName,
    CallRule,
    Constant,
    Each,
    EmuCall,
    Instead,
    Into,
    Primitive,
    Refused,
    View,
)
from hosts.loader.kernel.names import OF_PCPU, OF_THIS_PCPU, PER_CPU

_VCPU: Final = "struct kvm_vcpu *"
_APIC: Final = "struct kvm_lapic *"
_WAIT: Final = "struct rcuwait *"
_PI: Final = "struct pi_desc *"
_LOCK: Final = "raw_spinlock_t *"
_LIST: Final = "struct list_head *"
_ENTRY: Final = "struct pi_wakeup_entry *"


def _vcpu_call(name: str, result: str = "void", *, more: tuple[str, ...] = (), of: str = _VCPU) -> EmuCall:
    """Return a call that is given the vCPU first, and then ``more``."""
    arguments = ", ".join(f"_{i}" for i in range(1 + len(more)))
    return EmuCall(f"{name}({arguments})", (of, *more), result)


def _vector(expression: str, parameters: tuple[str, ...]) -> EmuCall:
    """Return a call that gives a vector, or -1."""
    return EmuCall(expression, parameters, "int", least=-1, most=255)


DELIVER: Final = EmuCall("vmx_deliver_posted_interrupt(_0, _1)", (_VCPU, "int"), "int", least=0, most=0)
"""-1 says that APICv is off, which it never is in this machine; ``bring`` makes sure of it where the user's stands."""

BLOCK: Final = EmuCall("kvm_vcpu_block(_0)", (_VCPU,), "bool")
"""The kernel's own since v5.17, which says whether the task slept."""

SAME: Final[Mapping[str, EmuCall]] = {
    "kvm_vcpu_kick": _vcpu_call("kvm_vcpu_kick"),
    "kvm_vcpu_wake_up": _vcpu_call("kvm_vcpu_wake_up", "bool"),
    "kvm_vcpu_exiting_guest_mode": EmuCall("kvm_vcpu_exiting_guest_mode(_0)", (_VCPU,), "int", least=0, most=2),
    "kvm_vcpu_exit_request": _vcpu_call("kvm_vcpu_exit_request", "bool"),
    "kvm_request_pending": _vcpu_call("kvm_request_pending", "u64"),
    "kvm_vcpu_has_events": _vcpu_call("kvm_vcpu_has_events", "bool"),
    "kvm_apic_has_interrupt": _vector("kvm_apic_has_interrupt(_0)", (_VCPU,)),
    "kvm_cpu_has_pending_timer": _vcpu_call("kvm_cpu_has_pending_timer", "int"),
    "kvm_inject_pending_timer_irqs": _vcpu_call("kvm_inject_pending_timer_irqs"),
    "kvm_lapic_expired_hv_timer": _vcpu_call("kvm_lapic_expired_hv_timer"),
    "kvm_lapic_switch_to_sw_timer": _vcpu_call("kvm_lapic_switch_to_sw_timer"),
    "kvm_lapic_switch_to_hv_timer": _vcpu_call("kvm_lapic_switch_to_hv_timer"),
    "vmx_sync_pir_to_irr": _vector("vmx_sync_pir_to_irr(_0)", (_VCPU,)),
    "vmx_deliver_posted_interrupt": DELIVER,
    "vcpu_enter_guest": _vcpu_call("vcpu_enter_guest", "int"),
    "vcpu_run": _vcpu_call("vcpu_run"),
    "kvm_after_interrupt": _vcpu_call("kvm_after_interrupt"),
    "pi_test_and_set_pir": EmuCall("pi_test_and_set_pir(_0, _1)", ("int", _PI), "bool"),
    "pi_test_and_set_on": EmuCall("pi_test_and_set_on(_0)", (_PI,), "bool"),
    "pi_test_on": EmuCall("pi_test_on(_0)", (_PI,), "bool"),
    "pi_clear_on": EmuCall("pi_clear_on(_0)", (_PI,)),
    "pi_set_on": EmuCall("pi_set_on(_0)", (_PI,)),
    "pi_set_sn": EmuCall("pi_set_sn(_0)", (_PI,)),
    "pi_test_and_clear_sn": EmuCall("pi_test_and_clear_sn(_0)", (_PI,), "bool"),
    "pi_is_pir_empty": EmuCall("pi_is_pir_empty(_0)", (_PI,), "bool"),
    "vmx_vcpu_pi_load": _vcpu_call("vmx_vcpu_pi_load", more=("int",)),
    "vmx_vcpu_pi_put": _vcpu_call("vmx_vcpu_pi_put"),
    "vmx_needs_pi_wakeup": _vcpu_call("vmx_needs_pi_wakeup", "bool"),
    "pi_enable_wakeup_handler": _vcpu_call("pi_enable_wakeup_handler"),
    "pi_wakeup_handler": EmuCall("pi_wakeup_handler()"),
    "vmx_interrupt_blocked": _vcpu_call("vmx_interrupt_blocked", "bool"),
    "kvm_get_running_vcpu": EmuCall("kvm_get_running_vcpu()", (), _VCPU),
    "preempt_disable": EmuCall("preempt_disable()"),
    "preempt_enable": EmuCall("preempt_enable()"),
    "local_irq_disable": EmuCall("local_irq_disable()"),
    "local_irq_enable": EmuCall("local_irq_enable()"),
    "smp_processor_id": EmuCall("smp_processor_id()", (), "int", least=0, most=63),
    "raw_smp_processor_id": EmuCall("smp_processor_id()", (), "int", least=0, most=63),
    "smp_mb__after_srcu_read_unlock": EmuCall("smp_mb__after_srcu_read_unlock()"),
}
"""Functions of ``emu/`` that the kernel calls with the same parameters."""

OTHER: Final[Mapping[str, EmuCall]] = {
    "rcuwait_wake_up": EmuCall("rcuwait_wake_up(_0)", (_WAIT,), "int", least=0, most=1),
    "prepare_to_rcuwait": EmuCall("prepare_to_rcuwait(_0)", (_WAIT,)),
    "finish_rcuwait": EmuCall("finish_rcuwait(_0)", (_WAIT,)),
    "set_current_state": EmuCall("set_state_of_current(_0)", ("int",)),
    "schedule": EmuCall("schedule_current()"),
    "get_cpu": EmuCall("get_cpu()", (), "int", least=0, most=63),
    "put_cpu": EmuCall("put_cpu()"),
    "smp_send_reschedule": EmuCall("smp_send_reschedule(_0)", ("int",)),
    "apic.send_IPI_mask": EmuCall("apic_send_IPI(_0, _1)", ("int", "int")),
    "apic.send_IPI": EmuCall("apic_send_IPI(_0, _1)", ("int", "int")),
    "__apic_send_IPI_mask": EmuCall("apic_send_IPI(_0, _1)", ("int", "int")),
    "__apic_send_IPI": EmuCall("apic_send_IPI(_0, _1)", ("int", "int")),
    "apic.send_IPI_self": EmuCall("apic_send_IPI(smp_processor_id(), _0)", ("int",)),
    "__apic_send_IPI_self": EmuCall("apic_send_IPI(smp_processor_id(), _0)", ("int",)),
    "local_irq_restore": EmuCall("local_irq_restore(_0)", ("unsigned long",)),
    **dict.fromkeys(("raw_spin_lock", "spin_lock"), EmuCall("raw_spin_lock(_0)", (_LOCK,))),
    "raw_spin_lock_nested": EmuCall("raw_spin_lock(_0)", (_LOCK, "...")),
    **dict.fromkeys(("raw_spin_unlock", "spin_unlock"), EmuCall("raw_spin_unlock(_0)", (_LOCK,))),
    **dict.fromkeys(("list_add", "list_add_tail"), EmuCall("list_add(_0, _1)", (_ENTRY, _LIST))),
    "list_del": EmuCall("list_del_entry(_0)", (_ENTRY,)),
    "kvm_arch_has_assigned_device": EmuCall("READ_ONCE(machine().bypass)", ("...",), "bool"),
    "apic_find_highest_irr": _vector("apic_find_highest_irr(_0)", (_APIC,)),
    "apic_find_highest_isr": _vector("apic_find_highest_isr(_0)", (_APIC,)),
    "kvm_lapic_find_highest_irr": _vector("apic_find_highest_irr(_0)", (_VCPU,)),
    "vmx_set_rvi": EmuCall("set_rvi_of_current_vmcs(_0)", ("int",)),
    "kvm_vcpu_is_blocking": _vcpu_call("kvm_vcpu_is_blocking", "bool"),
    "kvm_arch_interrupt_allowed": EmuCall("1 - vmx_interrupt_blocked(_0)", (_VCPU,), "int", least=0, most=1),
    "signal_pending": EmuCall("xfer_to_guest_mode_work_pending(kvm_get_running_vcpu())", ("...",), "bool"),
    "xfer_to_guest_mode_work_pending": EmuCall("xfer_to_guest_mode_work_pending(kvm_get_running_vcpu())", (), "bool"),
    "__xfer_to_guest_mode_work_pending": EmuCall("thread_work_pending(kvm_get_running_vcpu())", (), "bool"),
    "emu_handle_work": _vcpu_call("xfer_to_guest_mode_handle_work", "bool"),
    "kvm_apic_inject_pending_timer_irqs": _vcpu_call("kvm_apic_inject_pending_timer_irqs", of=_APIC),
    "cancel_hv_timer": _vcpu_call("cancel_hv_timer", of=_APIC),
    "apic_timer_expired": _vcpu_call("apic_timer_expired", of=_APIC, more=("bool",)),
    "kvm_before_interrupt": EmuCall("kvm_before_interrupt(_0)", (_VCPU, "...")),
    "kvm_x86_ops.sync_pir_to_irr": _vector("kvm_x86_sync_pir_to_irr(_0)", (_VCPU,)),
    "kvm_x86_ops.deliver_posted_interrupt": DELIVER,
    "kvm_x86_ops.deliver_interrupt": EmuCall("vmx_deliver_interrupt(_0, _3)", (_APIC, "...", "...", "int")),
    "vmx_deliver_interrupt": EmuCall("vmx_deliver_interrupt(_0, _3)", (_APIC, "...", "...", "int")),
    "kvm_x86_ops.run": EmuCall("vmx_vcpu_run(_0)", (_VCPU,), "int", least=0, most=2),
    "kvm_x86_ops.vcpu_run": EmuCall("vmx_vcpu_run(_0)", (_VCPU, "..."), "int", least=0, most=2),
    "kvm_x86_ops.handle_exit_irqoff": _vcpu_call("kvm_x86_handle_exit_irqoff"),
    "kvm_x86_ops.handle_exit": _vcpu_call("vmx_handle_exit", "int", more=("int",)),
    "kvm_x86_ops.pre_block": _vcpu_call("vmx_pre_block", "int"),
    "kvm_x86_ops.post_block": _vcpu_call("vmx_post_block"),
    "emu_kvm_check_request": EmuCall("kvm_check_request(_0, _1)", ("int", _VCPU), "bool"),
    "emu_kvm_make_request": EmuCall("kvm_make_request(_0, _1)", ("int", _VCPU)),
    "emu_kvm_vcpu_check_block": _vcpu_call("kvm_vcpu_check_block", "bool"),
    "emu_kvm_apic_update_irr": _vector("kvm_apic_update_irr(_0)", (_VCPU,)),
    "emu_kvm_vcpu_block": _vcpu_call("kvm_vcpu_block"),
    "emu_triggered": _vcpu_call("kvm_vcpu_trigger_posted_interrupt", "bool", more=("int",)),
    "emu_apic_accept_irq": _vcpu_call("__apic_accept_irq", "int", more=("int",), of=_APIC),
    "emu_kvm_apic_local_deliver": _vcpu_call("kvm_apic_local_deliver", "int", of=_APIC),
    "emu_handle_fastpath_preemption_timer": _vcpu_call("handle_fastpath_preemption_timer", "int"),
    "emu_vcpu_block": _vcpu_call("vcpu_block", "int"),
    "emu_kvm_vcpu_halt": _vcpu_call("kvm_vcpu_halt"),
    "emu_apic_lvtt": _vcpu_call("apic_lvtt", "u32", of=_APIC),
}
"""Functions of ``emu/`` under other names, or with other parameters."""

TRIGGER: Final = _vcpu_call("kvm_vcpu_trigger_posted_interrupt", more=("int",))
"""The trigger since v5.17; before, its result says whether it has notified."""

RUN_REENTERING: Final = EmuCall("vmx_vcpu_run_reentering(_0)", (_VCPU,), "int", least=0, most=2)
"""``kvm_x86_ops.run`` of a kernel whose ``vmx_vcpu_run`` enters again by itself."""

VIEWS: Final[Mapping[str, CallRule]] = {
    "to_vmx": View("vcpu_vmx"),
    "to_vt": View("vcpu_vt"),
    "vcpu_to_pi_desc": View("pi_desc", "pi_desc"),
    **dict.fromkeys(("vt_to_vcpu", "vmx_to_vcpu"), View("kvm_vcpu")),
    "cpu_physical_id": Argument(0),
    **dict.fromkeys(("per_cpu", "per_cpu_ptr"), ByName(OF_PCPU)),
    "this_cpu_ptr": ByName(OF_THIS_PCPU),
    "local_irq_save": Into(EmuCall("local_irq_save()", (), "unsigned long", least=0, most=1)),
    "list_for_each_entry": Each(_LIST, "READ_ONCE(_0.vcpus)", "online_vcpus()", "machine().vcpus[_0]"),
    "get_cpu_mask": Argument(0),
    "cpumask_of": Argument(0),
    "__this_cpu_read": ByName(PER_CPU),
    "smp_mb__after_srcu_read_lock": Primitive("smp_mb"),
    "this_cpu_read": ByName(PER_CPU),
    "raw_cpu_read": ByName(PER_CPU),
}
"""The same thing seen otherwise. A mask of pCPUs is one pCPU here: KVM's IPIs go to one."""

LIBRARY: Final[Mapping[str, Instead]] = {
    **{
        name: Instead(f"lib_{name}")
        for name in (
            *("kvm_check_request", "kvm_test_request", "kvm_clear_request", "kvm_make_request"),
            *("kvm_vcpu_check_block", "kvm_vcpu_block", "kvm_apic_update_irr", "kvm_apic_local_deliver"),
            *("kvm_lapic_get_reg", "kvm_lapic_set_reg", "kvm_lapic_set_irr", "handle_fastpath_preemption_timer"),
        )
    },
    "xfer_to_guest_mode_handle_work": Instead("lib_handle_work"),
    "__kvm_make_request": Instead("lib___kvm_make_request"),
    "__apic_accept_irq": Instead("lib_apic_accept_irq"),
}
"""Functions that are called through ``adapters/library.c``."""

LIBRARY_ONLY: Final[Mapping[str, CallRule]] = {
    "nobody_made_it": Constant(0, "a request that nobody in this machine makes", "bool"),
    "request_of_others": Refused("this machine does not serve this request: replace what serves it, too, or leave it"),
    "other_register": Refused("this machine has no such register: TPR, PPR, IRR, ISR and LVTT are in it"),
    "other_delivery_mode": Refused("only fixed, edge-triggered interrupts are in this machine"),
    "without_apicv": Refused("APICv is never off in this machine: a post that it does not take cannot be followed"),
    "asked_for_statistics": Constant(1, "whether the task slept is asked for statistics only", "bool"),
}
"""What the library says where the machine ends."""
