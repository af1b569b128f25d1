"""Which functions are taken from a kernel, in which form they come there, and which are not, with the reason.

A function of ``emu/`` that can be taken is listed with its forms: the kernel's function, by version under another name,
with other parameters or with another result. ``adapters/wrappers.c`` gives a form this machine's parameters.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from hosts.loader.kernel.signatures import Signature


@dataclass(frozen=True)
class Form:
    """One form of a function in a kernel."""

    function: str
    """The kernel's function."""
    wrapper: str = ""
    """What has this machine's parameters; the function itself if empty."""
    count: int | None = None
    """How many parameters it has; any number if None."""
    gives: bool | None = None
    """Whether it has a result; either if None."""
    mentions: str = ""
    """A name that its body has."""
    together: str = ""
    """Another function without which it is not taken."""
    because: str = ""
    """Why."""
    unless: str = ""
    """A function that a kernel with this form does not have."""

    @property
    def whole(self) -> str:
        """Return the kernel's function whose lines the program has."""
        return self.wrapper.removeprefix("wrap_") if self.wrapper.removeprefix("wrap_") in INSIDE else self.function

    def fits(self, signature: Signature, there: Container[str]) -> bool:
        """Return whether a kernel's function, beside those that are there, has this form."""
        return (
            self.unless not in there
            and self.count in (None, len(signature.parameters))
            and self.gives in (None, signature.gives)
            and self.mentions.encode() in signature.body
        )


_UNHALT: Final = "KVM_REQ_UNHALT, which the one makes and the other takes, is not in this machine's own functions"

_PRE_BLOCK: Final = "pi_pre_block"
"""What put a vCPU on the wake-up list until v5.16."""

TAKEN: Final[Mapping[str, tuple[Form, ...]]] = {
    "kvm_vcpu_trigger_posted_interrupt": (
        Form("kvm_vcpu_trigger_posted_interrupt", gives=False),
        Form(
            "kvm_vcpu_trigger_posted_interrupt",
            "wrap_trigger_v5",
            gives=True,
            together="vmx_deliver_posted_interrupt",
            because="its result says whether anybody was notified, and who does not look at it leaves the rest undone",
        ),
    ),
    "vmx_deliver_posted_interrupt": (
        Form("vmx_deliver_posted_interrupt"),
        Form("__vmx_deliver_posted_interrupt", "wrap_vmx_deliver_posted_interrupt_v6", count=3),
    ),
    "vmx_deliver_interrupt": (Form("vmx_deliver_interrupt", "wrap_vmx_deliver_interrupt", count=4),),
    "vmx_sync_pir_to_irr": (Form("vmx_sync_pir_to_irr"),),
    "kvm_apic_update_irr": (
        Form("kvm_apic_update_irr", "wrap_kvm_apic_update_irr", count=3),
        Form("__kvm_apic_update_irr", "wrap___kvm_apic_update_irr", count=3),
    ),
    "kvm_vcpu_kick": (
        Form("kvm_vcpu_kick", "wrap___kvm_vcpu_kick", mentions="__kvm_vcpu_kick(vcpu, false)"),
        Form("kvm_vcpu_kick"),
        Form("__kvm_vcpu_kick", "wrap___kvm_vcpu_kick", count=2),
    ),
    "kvm_vcpu_wake_up": (Form("kvm_vcpu_wake_up", gives=True),),
    "kvm_vcpu_exiting_guest_mode": (Form("kvm_vcpu_exiting_guest_mode"),),
    "kvm_vcpu_exit_request": (Form("kvm_vcpu_exit_request"),),
    "kvm_vcpu_check_block": (
        Form(
            "kvm_vcpu_check_block",
            "wrap_kvm_vcpu_check_block",
            mentions="KVM_REQ_UNHALT",
            together="vcpu_block",
            because=_UNHALT,
        ),
        Form("kvm_vcpu_check_block", "wrap_kvm_vcpu_check_block"),
    ),
    "kvm_vcpu_block": (Form("kvm_vcpu_block"),),
    "kvm_vcpu_halt": (Form("kvm_vcpu_halt", gives=False),),
    "vcpu_block": (
        Form(
            "vcpu_block",
            "wrap_vcpu_block_v5",
            count=2,
            mentions="KVM_REQ_UNHALT",
            together="kvm_vcpu_check_block",
            because=_UNHALT,
        ),
        Form("vcpu_block", "wrap_vcpu_block_v5", count=2),
        Form("vcpu_block", count=1),
    ),
    "vcpu_run": (Form("vcpu_run"),),
    "vcpu_enter_guest": (Form("vcpu_enter_guest"),),
    "__apic_accept_irq": (Form("__apic_accept_irq", "wrap___apic_accept_irq", count=6),),
    "kvm_apic_local_deliver": (Form("kvm_apic_local_deliver", "wrap_kvm_apic_local_deliver", count=2),),
    "kvm_apic_has_interrupt": (Form("kvm_apic_has_interrupt"),),
    "kvm_apic_inject_pending_timer_irqs": (
        Form("kvm_apic_inject_pending_timer_irqs", "wrap_kvm_apic_inject_pending_timer_irqs"),
    ),
    "apic_timer_expired": (Form("apic_timer_expired", "wrap_apic_timer_expired", count=2),),
    "kvm_lapic_expired_hv_timer": (Form("kvm_lapic_expired_hv_timer"),),
    "kvm_cpu_has_pending_timer": (Form("kvm_cpu_has_pending_timer"),),
    "kvm_inject_pending_timer_irqs": (Form("kvm_inject_pending_timer_irqs"),),
    "handle_fastpath_preemption_timer": (
        Form("handle_fastpath_preemption_timer", count=1),
        Form("handle_fastpath_preemption_timer", "wrap_handle_fastpath_preemption_timer_v6", count=2),
    ),
    "pi_test_and_set_pir": (Form("pi_test_and_set_pir"),),
    "pi_test_and_set_on": (Form("pi_test_and_set_on"),),
    "pi_test_on": (Form("pi_test_on"),),
    "pi_clear_on": (Form("pi_clear_on"),),
    "pi_set_on": (Form("pi_set_on"),),
    "pi_set_sn": (Form("pi_set_sn"),),
    "pi_test_and_clear_sn": (Form("pi_test_and_clear_sn"),),
    "pi_is_pir_empty": (Form("pi_is_pir_empty"),),
    "vmx_vcpu_pi_load": (Form("vmx_vcpu_pi_load", count=2, unless=_PRE_BLOCK),),
    "vmx_vcpu_pi_put": (Form("vmx_vcpu_pi_put", unless=_PRE_BLOCK),),
    "vmx_needs_pi_wakeup": (Form("vmx_needs_pi_wakeup"),),
    "pi_enable_wakeup_handler": (Form("pi_enable_wakeup_handler"),),
    "pi_wakeup_handler": (Form("pi_wakeup_handler", unless=_PRE_BLOCK),),
    "kvm_make_request": (Form("kvm_make_request"),),
    "kvm_check_request": (Form("kvm_check_request"),),
    "kvm_request_pending": (Form("kvm_request_pending"),),
}
"""By the name in ``emu/``; of several forms the first that fits."""

INSIDE: Final[Mapping[str, str]] = {
    "__vmx_deliver_posted_interrupt": "vmx_deliver_posted_interrupt",
    "__kvm_apic_update_irr": "kvm_apic_update_irr",
    "pi_harvest_pir": "kvm_apic_update_irr",
    "__kvm_vcpu_kick": "kvm_vcpu_kick",
    "__kvm_vcpu_wake_up": "kvm_vcpu_wake_up",
}
"""Functions of the kernel without one of their own in ``emu/``: who wants them takes what they are a part of."""

_TIMER: Final = "the timer of this machine is a deadline in one word: no hrtimers, no periodic mode"
_PROCESSOR: Final = "it enters and leaves the guest, which this machine's processor does its own way"
_ROUTING: Final = "it takes a struct that a guest or a device has filled in: vectors are all there is in this machine"
_SHARED: Final = "the processor of this machine works with it, too"
_HOOK: Final = "the scheduler's hooks have other parameters here"

NOT_TAKEN: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            *("cancel_hv_timer", "start_hv_timer", "kvm_lapic_switch_to_sw_timer", "kvm_lapic_switch_to_hv_timer"),
            *("kvm_set_lapic_tscdeadline_msr", "apic_timer_fn", "handle_fastpath_set_tscdeadline"),
        ),
        _TIMER,
    ),
    **dict.fromkeys(
        (
            *("vmx_vcpu_run", "vmx_vcpu_enter_exit", "vmx_exit_handlers_fastpath", "vmx_handle_exit_irqoff"),
            *("vmx_handle_exit", "kvm_emulate_halt", "kvm_arch_vcpu_ioctl_run", "vmx_set_rvi"),
            *("handle_fastpath_hlt", "vmx_interrupt_blocked", "skip_emulated_instruction"),
        ),
        _PROCESSOR,
    ),
    **dict.fromkeys(("kvm_apic_set_irq", "kvm_apic_send_ipi", "kvm_arch_set_irq_inatomic"), _ROUTING),
    **dict.fromkeys(
        (
            *("find_highest_vector", "apic_find_highest_irr", "apic_find_highest_isr", "apic_update_ppr"),
            *("apic_test_vector", "kvm_get_running_vcpu"),
        ),
        _SHARED,
    ),
    **dict.fromkeys(("kvm_sched_in", "kvm_sched_out"), _HOOK),
    **dict.fromkeys(("prepare_to_rcuwait", "finish_rcuwait"), "the wait record holds whether, not which, task waits"),
    **dict.fromkeys(
        ("kvm_before_interrupt", "kvm_after_interrupt"), "for perf events of the guest: nothing happens here"
    ),
    "kvm_vcpu_has_events": "all but one of its questions are about what is not in this machine",
}
"""Functions of ``emu/`` that a kernel has, too, and that stay this machine's own."""

_BEFORE_BLOCKING: Final = (
    "until v5.16 a vCPU is put on the wake-up list before it blocks (pi_pre_block), in this machine when it is put off "
    "its pCPU"
)

OTHERWISE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("vmx_vcpu_pi_load", "vmx_vcpu_pi_put", "pi_wakeup_handler"), _BEFORE_BLOCKING),
    "kvm_vcpu_halt": "until v5.16 this is the name of what kvm_emulate_halt() does",
}
"""What to say of a function that has none of its forms."""
