"""Where instruments attach: which of them go to which operation, call and function of the machine.

The functions of the machine call their probes and trace points themselves, each in a line of its own. If a user's code
stands in the place of some of them, that does not do: the user's functions call none, and a probe in the caller of a
replaced function says what the former one did. Then the loader takes these lines out of the whole machine and puts
instruments in by this table, in the same way into the machine's functions and the user's
(:mod:`hosts.loader.attach`): by operation, wherever a watched word is changed; by call; and by function, where an
instrument needs to know that something begins and ends.

What is called is text: names of parameters are those of the machine's function (of the one called, in a row about a
call), ``result`` is what it gives, and ``outer`` what was kept when it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MODULES: Final = frozenset(
    {
        *("emu.posted_intr", "emu.cpu", "emu.sched", "emu.kvm_main", "emu.policies", "emu.lapic_irr", "emu.vmx_intr"),
        *("emu.lapic", "emu.irq", "emu.halt", "emu.vmx", "emu.x86", "emu.signal"),
        *("emu.vmx_pi", "emu.pi_block", "emu.vcpu_load", "emu.rcuwait", "emu.pi_wakeup", "emu.iommu"),
    }
)
"""The modules of the machine that this is about. The processor, the guest, and the APIC's registers, which it shares
with KVM, keep the probes that they have."""

KEPT: Final = frozenset(
    {
        "probe_asleep",
        *("probe_posted_deadline", "probe_posted_timer", "probe_own_expiry"),
        *("probe_sched_out", "probe_pi_load", "probe_pi_loaded", "probe_pi_put"),
        *("probe_wakeup_begin", "probe_wakeup_end"),
        *("probe_device_post_begin", "probe_device_post_end"),
    }
)
"""What stays where it is, in functions that nobody replaces: the idle loop, which goes by what the first says, the
host's timer, the scheduler, the entry of a handler, a device. They call what a user may replace."""

EFFECTS: Final = frozenset({"probe_effects_begin", "probe_effects_end"})
"""What stays in functions that nobody replaces, and is called by function in those that somebody may."""

TRIGGERS: Final = frozenset({"kvm_vcpu_trigger_posted_interrupt", "user_kvm_vcpu_trigger_posted_interrupt"})
"""Functions around which the machine's own probes stand: to replace these alone attaches nothing."""

LEAVES: Final = frozenset({"pi_test_and_set_pir", "pi_test_and_set_on", "pi_clear_on"})
"""Functions that change watched words and have their probes in their callers."""


@dataclass(frozen=True)
class Watched:
    """What is called at an operation on a word.

    ``before`` is given the word, and what of the bits set in it stays set; ``after`` the word, what it held, what it
    holds, and what ``before`` gave, if it gives something. At a load ``after`` is given the word and its value.
    """

    kinds: frozenset[str]
    """Of LOAD, STORE, XCHG, CMPXCHG, OR and AND of one bit, TAKE_HALF, and ADD."""
    before: str = ""
    after: str = ""
    gives: bool = False
    not_after: frozenset[str] = frozenset()
    """Kinds behind which nothing is called."""

    def after_one(self, kind: str) -> str:
        """Return what is called after an operation of a kind."""
        return "" if kind in self.not_after else self.after


_LOCKED: Final = frozenset({"XCHG", "CMPXCHG", "OR", "AND", "TAKE_HALF"})
_CHANGES: Final = _LOCKED | {"STORE", "ADD"}
_CLEARS: Final = frozenset({"AND", "TAKE_HALF"})

WORDS: Final = {
    "PiDesc.pir": Watched(_CHANGES, after="observed_pir"),
    "PiDesc.control": Watched(_CHANGES, "observed_before_control", "observed_control", gives=True, not_after=_CLEARS),
    "Vcpu.mode": Watched(frozenset({"CMPXCHG"}), after="observed_mode"),
    "Vcpu.requests": Watched(_CLEARS | {"XCHG"}, after="observed_requests"),
    "Wait.state": Watched(frozenset({"XCHG", "CMPXCHG"}), "observed_before_state", "observed_state"),
}
"""By operation: the watched words."""

READ: Final = {"Wait.task": Watched(frozenset({"LOAD"}), after="observed_task_read")}
WRITTEN: Final = {"Wait.task": Watched(frozenset({"STORE"}), before="observed_before_task")}
"""A word that is watched in one way when it is read and in another when it is written."""

ANY_STORED: Final = Watched(frozenset({"STORE", "ADD"}), "observed_before_any", "observed_any_stored", gives=True)
ANY_CHANGED: Final = Watched(_LOCKED, "observed_before_any", "observed_any_changed", gives=True)
"""Operations on a word of which only its address tells which it is."""


@dataclass(frozen=True)
class Called:
    """What is called before and after a call of some function."""

    before: str = ""
    after: str = ""
    within: frozenset[str] = frozenset()
    """The functions in which that is so; empty: in all of the machine."""


_POSTERS: Final = frozenset({"kvm_arch_set_irq_inatomic", "kvm_apic_send_ipi", "kvm_apic_inject_pending_timer_irqs"})
_REFUSED: Final = Called(after="observed_accepted(result)", within=_POSTERS)

CALLS: Final = {
    "send_IPI": Called(before="observed_ipi(cpu, vector)"),
    "apic_ack": Called(after="probe_interrupt_acked()"),
    "__vmx_vcpu_run": Called("trace_kvm_entry(vcpu)", "trace_kvm_exit(vcpu)"),
    "deadline_passed": Called(after="observed_deadline(deadline, result)"),
    "kvm_apic_inject_pending_timer_irqs": Called(before="probe_timer_injected(vcpu)"),
    "kvm_sched_out": Called(before="trace_sched_switch(vcpu, 0)"),
    "kvm_sched_in": Called(after="trace_sched_switch(vcpu, 1)"),
    "handle_vector": Called(
        "probe_stay_ended(vector)", within=frozenset({"vmx_handle_exit_irqoff", "kvm_x86_handle_exit_irqoff"})
    ),
    "kvm_vcpu_has_events": Called(after="observed_events_checked(result)", within=frozenset({"kvm_vcpu_check_block"})),
    "kvm_vcpu_check_block": Called(after="probe_polled(result)", within=frozenset({"kvm_vcpu_halt"})),
    "kvm_vcpu_wake_up": Called(after="observed_kick(result)", within=frozenset({"kvm_vcpu_kick"})),
    "kvm_apic_set_irq": _REFUSED,
    "__apic_accept_irq": _REFUSED,
    "kvm_apic_local_deliver": _REFUSED,
}
"""By call."""


@dataclass(frozen=True)
class Around:
    """What is called when a function begins, and when it ends, whichever way."""

    begin: str = ""
    end: str = ""


_POST: Final = "outer = observed_post_begin(vcpu, vector)"
_TIMER_POST: Final = "outer = observed_post_begin(vcpu, vector_of(SLOT_TIMER))"

FUNCTIONS: Final = {
    "kvm_arch_set_irq_inatomic": Around(_POST, "observed_post_end(vcpu, vector, result, outer)"),
    "kvm_apic_send_ipi": Around(_POST, "observed_post_end(vcpu, vector, 1, outer)"),
    "kvm_apic_inject_pending_timer_irqs": Around(
        _TIMER_POST, "observed_post_end(vcpu, vector_of(SLOT_TIMER), 1, outer)"
    ),
    "vmx_deliver_posted_interrupt": Around(end="observed_delivered(vcpu, vector, result)"),
    "apic_timer_expired": Around("probe_effects_begin()", "probe_effects_end()"),
    "vmx_sync_pir_to_irr": Around("observed_sync_begin(vcpu)", "observed_sync_end(vcpu)"),
    "kvm_vcpu_check_block": Around(end="observed_events_checked(result)"),
    "kvm_vcpu_block": Around(end="probe_block_decided()"),
    "kvm_vcpu_halt": Around(end="trace_kvm_vcpu_wakeup(vcpu)"),
    "kvm_make_request": Around("trace_kvm_make_request(req, vcpu)"),
    "handle_vector": Around("trace_irq_vector_entry(vector)"),
    "kvm_handle_signal_exit": Around("probe_signal_taken()"),
    "kvm_set_lapic_tscdeadline_msr": Around("probe_timer_armed(vcpu)"),
    "handle_fastpath_hlt": Around(end="probe_hlt_fastpath(vcpu)"),
    "sysvec_kvm_posted_intr_ipi": Around("probe_notified_in_root()"),
    "spurious_interrupt": Around("probe_stray_interrupt()"),
    "vfio_msihandler": Around("probe_device_irq()"),
}
"""By function, whoever's it is."""

CHAIN: Final = {
    "kvm_apic_set_irq": Called(_POST, "observed_post_end(vcpu, vector, result, outer)"),
    "__apic_accept_irq": Called(_POST, "observed_post_end(vcpu, vector, result, outer)"),
    "kvm_apic_local_deliver": Called(_TIMER_POST, "observed_post_end(vcpu, vector_of(SLOT_TIMER), result, outer)"),
    "vmx_deliver_interrupt": Called(_POST, "observed_post_end(vcpu, vector, 1, outer)"),
    "vmx_deliver_posted_interrupt": Called(_POST, "observed_post_end(vcpu, vector, result + 1, outer)"),
}
"""The functions that a post goes through. A function that calls one of them, and is none of them and no helper of
theirs, posts: the call is the post."""

POSTERS: Final = _POSTERS
"""Functions that are a post from end to end."""

INSTEAD: Final = {
    **dict.fromkeys(("probe_post_begin", "probe_post_end"), "by function, posters"),
    **dict.fromkeys(("probe_before_on", "probe_trigger_begin", "probe_trigger_end"), "by operation, control; posters"),
    "probe_accepted": "by operation, PIR; control",
    "probe_pir_was_set": "by operation, PIR",
    "probe_before_on_cleared": "by operation, control",
    "probe_sync": "by function, vmx_sync_pir_to_irr",
    "probe_pir_read": "by operation, PIR and control; vmx_sync_pir_to_irr",
    "probe_merge": "by operation, PIR",
    "probe_ipi_sent": "by call, send_IPI",
    "trace_ipi_send_cpu": "by call, send_IPI",
    **dict.fromkeys(("probe_waking", "probe_woken", "trace_sched_waking"), "by operation, wait.state"),
    "probe_waiter_found": "by operation, wait.task",
    "probe_kick": "by call, kvm_vcpu_wake_up in kvm_vcpu_kick",
    "probe_kick_found": "by operation, mode",
    "probe_request_taken": "by operation, requests",
    **dict.fromkeys(EFFECTS, "by function, apic_timer_expired"),
    "probe_events_checked": "by call and by function, kvm_vcpu_check_block",
    "probe_block_decided": "by operation, wait.state and wait.task; kvm_vcpu_block",
    "probe_interrupt_acked": "by call, apic_ack",
    "probe_notified_in_root": "by function, sysvec_kvm_posted_intr_ipi",
    "probe_device_irq": "by function, vfio_msihandler",
    "probe_stray_interrupt": "by function, spurious_interrupt",
    "probe_signal_taken": "by function, kvm_handle_signal_exit",
    "probe_polled": "by call, kvm_vcpu_check_block in kvm_vcpu_halt",
    "probe_timer_armed": "by function, kvm_set_lapic_tscdeadline_msr",
    "probe_deadline": "by call, deadline_passed",
    "probe_timer_injected": "by call, kvm_apic_inject_pending_timer_irqs",
    "probe_hlt_fastpath": "by function, handle_fastpath_hlt",
    "probe_stay_ended": "by call, handle_vector",
    "trace_kvm_entry": "by call, __vmx_vcpu_run",
    "trace_kvm_exit": "by call, __vmx_vcpu_run",
    "trace_kvm_apicv_accept_irq": "by function, vmx_deliver_posted_interrupt",
    "trace_kvm_make_request": "by function, kvm_make_request",
    "trace_kvm_vcpu_wakeup": "by function, kvm_vcpu_halt",
    "trace_irq_vector_entry": "by function, handle_vector",
    "trace_sched_switch": "by call, kvm_sched_out and kvm_sched_in",
}
"""For each probe and trace point of the machine what takes its place. One that is not here is a fault."""
