"""Which functions a trace shows, and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hosts.kernel_names import EXITS, vector_text

_MODULES: Final = """
cpu posted_intr sched kvm_main policies vmx_intr lapic_regs lapic_irr lapic nonroot vmx irq halt x86
"""
KERNEL_MODULES: Final = frozenset(f"emu.{name}" for name in _MODULES.split())

_FORMS = "orig_2013 kick_2016 skip_running_2020 always_2021 elide_self_2022 user_kvm_vcpu_trigger_posted_interrupt"
"""Forms of the rule: their calls are shown as those of ``kvm_vcpu_trigger_posted_interrupt``."""
_HELPERS = """
harvest merge highest_of handle_vector pending_virtual_interrupt preemption_timer_expired cancel_hv_timer
forget_exit kvm_arch_set_irq_inatomic kvm_apic_send_ipi
"""
_READS = """
kvm_get_running_vcpu kvm_request_pending find_highest_vector apic_find_highest_irr apic_find_highest_isr
apic_test_vector apic_set_vector apic_clear_vector apic_ppr apic_update_ppr ppr_virtualization
kvm_cpu_has_pending_timer
"""
OURS: Final = frozenset(f"{_FORMS} {_HELPERS} {_READS}".split())
"""Functions of those modules that are not shown."""

LABELS: Final = {
    "vmx_vcpu_run": "kvm_x86_run = vmx_vcpu_run()",
    "vmx_deliver_interrupt": "kvm_x86_deliver_interrupt = vmx_deliver_interrupt()",
    "vmx_deliver_posted_interrupt": "kvm_x86_deliver_posted_interrupt = vmx_deliver_posted_interrupt()",
    "vmx_handle_exit": "kvm_x86_handle_exit = vmx_handle_exit()",
    "apic_send_IPI": "apic->send_IPI_mask()",
    "handle_fastpath_preemption_timer": "EXIT_REASON_PREEMPTION_TIMER: handle_fastpath_preemption_timer()",
    "handle_fastpath_set_tscdeadline": "EXIT_REASON_MSR_WRITE: handle_fastpath_set_tscdeadline()",
    "common_interrupt": "[interrupt] common_interrupt()",
    "vm_entry": "[VM-entry]",
    "eoi_virtualization": "[non-root: EOI]",
    "external_interrupt": "[non-root: external interrupt acknowledged]",
    "posted_interrupt_processing": "[non-root: posted-interrupt processing]",
}
"""Labels of calls that are not simply ``name()``; actions of the processor are in brackets."""


def is_shown(name: str, module: str, *, users: bool) -> bool:
    """Return whether a trace shows calls of a function; ``users``: it is one of the user's."""
    return (users or module in KERNEL_MODULES) and name not in OURS


def label(name: str, arguments: Mapping[str, Any], rvi: int) -> str:
    """Return the label of a call."""
    if name == "vm_exit":
        return f"[VM-exit: {EXITS[arguments['reason']]}]"
    if name == "deliver_virtual_interrupt":
        return f"[non-root: virtual interrupt {vector_text(rvi)} delivered]"
    return LABELS.get(name, f"{name}()")
