"""Calls that do not matter here, and questions that have one answer on this machine, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hosts.loader.c.rules import CallRule, Constant, Dropped

_DROPPED: Final[Mapping[str, str]] = {
    "an assertion: what it asks is true here, or the checks of this machine find it": (
        "WARN WARN_ONCE WARN_ON WARN_ON_ONCE BUG_ON BUILD_BUG_ON ASSERT KVM_MMU_WARN_ON lockdep_assert_irqs_disabled "
        "lockdep_assert_held lockdep_assert_irqs_enabled might_sleep fpregs_assert_state_consistent"
    ),
    "a message": "printk pr_err pr_warn pr_info pr_debug pr_err_ratelimited pr_warn_ratelimited apic_debug",
    "a statistic": (
        "KVM_STATS_LOG_HIST_UPDATE update_halt_poll_stats vtime_account_guest_exit guest_timing_enter_irqoff "
        "guest_timing_exit_irqoff profile_hit account_guest_enter account_guest_exit"
    ),
    "halt polling adapts itself: this machine does not poll": "shrink_halt_poll_ns grow_halt_poll_ns",
    "SRCU protects memory slots; the barrier that the code relies on stands beside it": (
        "srcu_read_unlock kvm_vcpu_srcu_read_lock kvm_vcpu_srcu_read_unlock"
    ),
    "locked operations are full barriers on x86, so this is for the compiler only": (
        "smp_mb__after_atomic smp_mb__before_atomic"
    ),
    "AMD's, or another architecture's: VMX does nothing here": (
        "kvm_arch_vcpu_blocking kvm_arch_vcpu_unblocking kvm_arch_vcpu_block_finish"
    ),
    "state of the guest that this machine does not have": (
        "kvm_x86_ops.prepare_guest_switch kvm_x86_ops.prepare_switch_to_guest update_cr8_intercept "
        "kvm_lapic_sync_to_vapic kvm_lapic_sync_from_vapic kvm_x86_ops.cancel_injection "
        "switch_fpu_return fpu_sync_guest_vmexit_xfd_state set_debugreg hw_breakpoint_restore wrmsrl wrmsrq "
        "kvm_x86_ops.sync_dirty_debug_regs kvm_update_dr0123 kvm_update_dr7"
    ),
    "memory of the guest: this machine has none": (
        "kvm_vcpu_flush_tlb_all kvm_vcpu_flush_tlb_current kvm_vcpu_flush_tlb_guest "
        "kvm_service_local_tlb_flush_requests kvm_mmu_unload kvm_mmu_sync_roots kvm_mmu_load_pgd"
    ),
    "for the host's tick, which goes on in this machine": "xfer_to_guest_mode_prepare",
    "timekeeping: this machine has no clock but its deadlines": "kvm_wait_lapic_expire __kvm_wait_lapic_expire",
    "the guest's memory is not in this machine, nor anything to prefetch": "prefetch kvm_load_guest_xsave_state",
    "nothing asks for an immediate exit in this machine": "kvm_x86_ops.request_immediate_exit",
    "lockdep": "spin_acquire spin_release",
    "AMD's AVIC": "kvm_x86_ops.vcpu_blocking kvm_x86_ops.vcpu_unblocking",
}

_NO_EVENTS: Final = "no INIT, SIPI, NMI, SMI or exception in this machine"
_IN_KERNEL: Final = "the guest's APIC is KVM's, and on"

_ANSWERED: Final[Mapping[str, tuple[int, str]]] = {
    "is_guest_mode": (0, "no nested guest runs in this machine"),
    "nested_exit_on_intr": (0, "no nested guest runs in this machine"),
    "vmx_deliver_nested_posted_interrupt": (-1, "no nested guest runs in this machine"),
    "kvm_guest_apic_has_interrupt": (0, "no nested guest runs in this machine"),
    "kvm_check_nested_events": (0, "no nested guest runs in this machine"),
    "is_td_vcpu": (0, "no TDX in this machine"),
    "is_td": (0, "no TDX in this machine"),
    "lapic_in_kernel": (1, _IN_KERNEL),
    "irqchip_in_kernel": (1, _IN_KERNEL),
    "kvm_lapic_enabled": (1, _IN_KERNEL),
    "kvm_apic_present": (1, _IN_KERNEL),
    "apic_enabled": (1, _IN_KERNEL),
    "kvm_apic_hw_enabled": (1, _IN_KERNEL),
    "kvm_apic_sw_enabled": (1, _IN_KERNEL),
    "kvm_get_apic_mode": (2, _IN_KERNEL),
    "x2apic_enabled": (1, "APIC ids are those of the x2APIC here: the number of the pCPU"),
    "irq_remapping_cap": (1, "the IOMMU posts interrupts"),
    "kvm_arch_has_irq_bypass": (1, "the IOMMU posts interrupts"),
    "vmx_can_use_ipiv": (0, "no IPI virtualization in this machine"),
    "kvm_vcpu_apicv_active": (1, "APICv is never off in this machine"),
    "kvm_vcpu_apicv_activated": (1, "APICv is never off in this machine"),
    "kvm_apicv_activated": (1, "APICv is never off in this machine"),
    "apicv_enabled": (1, "APICv is never off in this machine"),
    "KVM_BUG_ON": (0, "KVM's own assertion: it holds here"),
    "kvm_can_post_timer_interrupt": (0, "no housekeeping pCPUs in this machine: timers expire where the vCPU runs"),
    "kvm_hlt_in_guest": (0, "HLT exits in this machine"),
    "kvm_mwait_in_guest": (0, "the guest does not use MWAIT"),
    "kvm_apic_accept_events": (0, _NO_EVENTS),
    "kvm_apic_has_events": (0, _NO_EVENTS),
    "kvm_apic_has_pending_init_or_sipi": (0, _NO_EVENTS),
    "kvm_is_exception_pending": (0, _NO_EVENTS),
    "kvm_check_and_inject_events": (0, f"{_NO_EVENTS}; virtual interrupts are the processor's with APICv"),
    "inject_pending_event": (0, f"{_NO_EVENTS}; virtual interrupts are the processor's with APICv"),
    "kvm_inject_smi": (-25, _NO_EVENTS),
    "kvm_cpu_has_extint": (0, "no PIC in this machine"),
    "dm_request_for_irq_injection": (0, "user space injects no interrupts here"),
    "kvm_cpu_accept_dm_intr": (0, "user space injects no interrupts here"),
    "kvm_vcpu_ready_for_interrupt_injection": (0, "user space injects no interrupts here"),
    "kvm_mmu_reload": (0, "this machine has no memory of the guest"),
    "kvm_dirty_ring_soft_full": (0, "this machine has no memory to log"),
    "kvm_dirty_ring_check_request": (0, "this machine has no memory to log"),
    "srcu_read_lock": (0, "SRCU protects memory slots; the barrier that the code relies on stands beside it"),
    "cpu_online": (1, "every pCPU of this machine is online"),
    "hw_breakpoint_active": (0, "no debug registers in this machine"),
    "test_thread_flag": (0, "the guest's FPU is not in this machine"),
    "kvm_hv_has_stimer_pending": (0, "no Hyper-V in this machine"),
    "kvm_hv_vcpu_has_stimer_pending": (0, "no Hyper-V in this machine"),
    "kvm_xen_has_interrupt": (0, "no Xen in this machine"),
    "kvm_xen_has_pending_events": (0, "no Xen in this machine"),
    "kvm_xen_timer_enabled": (0, "no Xen in this machine"),
    "kvm_xen_has_pending_timer": (0, "no Xen in this machine"),
    "guest_cpuid_is_intel_compatible": (1, "the guest's processor is Intel's"),
    "kvm_arch_no_poll": (1, "this machine does not poll before it blocks"),
    "kvm_vcpu_can_poll": (0, "this machine does not poll before it blocks"),
    "kvm_vcpu_max_halt_poll_ns": (0, "this machine does not poll before it blocks"),
    "single_task_running": (0, "this machine does not poll before it blocks"),
    "ktime_get": (0, "timekeeping: this machine has no clock but its deadlines"),
    "ktime_to_ns": (0, "timekeeping: this machine has no clock but its deadlines"),
    "ktime_sub": (0, "timekeeping: this machine has no clock but its deadlines"),
    "ktime_add_ns": (0, "timekeeping: this machine has no clock but its deadlines"),
    "ktime_before": (0, "timekeeping: this machine has no clock but its deadlines"),
    "kvm_read_l1_tsc": (0, "timekeeping: this machine has no clock but its deadlines"),
    "rdtsc": (0, "timekeeping: this machine has no clock but its deadlines"),
    "get_debugctlmsr": (0, "no debug registers in this machine"),
    "preemptible": (0, "asked by assertions only"),
}

CALLS: Final[Mapping[str, CallRule]] = {
    **{name: Dropped(reason) for reason, names in _DROPPED.items() for name in names.split()},
    **{name: Constant(value, reason) for name, (value, reason) in _ANSWERED.items()},
}
"""By name."""

PREFIXES: Final[Mapping[str, CallRule]] = {"trace_": Dropped("a trace point"), "lockdep_": Dropped("lockdep")}
"""By how a name begins."""
