"""What of the machine a user's code may use and replace: what a kernel has. The loader refuses the rest.

Out of reach are the instruments, by which checkers judge (a rule that wrote their words would blind them, one that
read them would depend on being watched), and the workload, which drives the machine. Words are named ``Struct.field``.
"""

from __future__ import annotations

from typing import Final

from emu.observe import is_instrument

INSTRUMENT: Final = "an instrument's"
WORKLOAD: Final = "the workload's"
PROCESSOR: Final = "the processor's"
SCHEDULER: Final = "the scheduler's"
DEVICE: Final = "the device's"

WORDS: Final = {
    **dict.fromkeys(
        (
            *("Vcpu.untold", "Vcpu.delivered", "Vcpu.merged", "Vcpu.self_ipis", "Vcpu.mail", "Vcpu.acknowledged"),
            *("Vcpu.refused", "Vcpu.accepted_before", "Vcpu.timer_watch"),
            *("Pcpu.marks", "Pcpu.sightings", "Pcpu.told", "Pcpu.between_check_and_sleep", "Pcpu.counters"),
            *("Pcpu.windows", "Pcpu.records", "Pcpu.accepted", "Irq.processing", "Irq.inside_depth", "Vcpu.syncing"),
            *("Marks.inside", "Marks.turn_done"),
        ),
        INSTRUMENT,
    ),
    **dict.fromkeys(
        (
            *("Guest.turn", "Guest.turn_wanted", "Guest.actions_left", "Guest.silent", "Guest.ended"),
            *("Guest.patience", "Guest.interrupts_left", "Guest.turns_left", "Machine.config"),
        ),
        WORKLOAD,
    ),
    **dict.fromkeys(
        ("Machine.own_vcpus", "Machine.own_pcpus", "Machine.own_shared", "Machine.own_marks"),
        "room for words that a patch declares (emu.own)",
    ),
}
"""Fields that a rule neither reads nor writes, and whose they are."""

SOFTWARE: Final = "PiDesc.software"
FREE_SOFTWARE: Final = (1, 2)
"""The descriptor's words for software that are nobody's. The first counts the generations of ON for C7."""

READ_ONLY: Final = frozenset({"Vcpu.cpu", "Vcpu.id", "Pcpu.id", "Irq.running_vcpu", "Vmcs.exit_qualification"})
"""Words that the machine takes for the place of something: what lies there is not for a rule to move."""

BELOW: Final = {"Vcpu.mode": 3, "Wait.state": 3, "Vmcs.rvi": 256, "Vmcs.svi": 256}
"""Words that hold a number below this one."""

MODULES: Final = {
    "emu.rulechecks": INSTRUMENT,
    "emu.guest": WORKLOAD,
    "emu.nonroot": PROCESSOR,
    "emu.idle": SCHEDULER,
    "emu.iommu": DEVICE,
    "emu.iommu_post": DEVICE,
}
"""Modules none of whose functions a rule calls, besides those of the packages for instruments and workload."""

FORMERLY: Final[dict[str, tuple[str, ...]]] = {
    "emu.accounting": ("emu.observe.accounting",),
    "emu.actors": ("emu.workload.actors",),
    "emu.apic_regs": ("emu.lapic_regs", "emu.vmx_intr"),
    "emu.checkers": ("emu.observe.checkers", "emu.observe.repair"),
    "emu.delivery": ("emu.vmx_intr", "emu.lapic"),
    "emu.fastpath": ("emu.vmx",),
    "emu.guest": ("emu.workload.program",),
    "emu.cpu": ("emu.sched",),
    "emu.halt": ("emu.rcuwait", "emu.vcpu_load", "emu.lapic"),
    "emu.handlers": ("emu.irq", "emu.vmx"),
    "emu.instruments": ("emu.observe.ghost",),
    "emu.kvm_main": ("emu.rcuwait", "emu.sched", "emu.kvm_host"),
    "emu.lapic_timer": ("emu.lapic",),
    "emu.pir_sync": ("emu.lapic_irr", "emu.vmx_intr"),
    "emu.policies": ("emu.machine", "emu.observe.sightings"),
    "emu.sched": ("emu.rcuwait",),
    "emu.scenarios": ("emu.workload.scenarios",),
    "emu.setup": ("emu.workload.setup",),
    "emu.tracepoints": ("emu.observe.tracepoints",),
    "emu.x86": ("emu.vmx",),
}
"""Where to find what a rule imports from a module that no longer has it: rules written for earlier versions load."""

RENAMED: Final = {"vmx_trigger_2013": "orig_2013"}
"""What functions are called now that a rule may import from such a module by their former name."""

FUNCTIONS: Final = {
    "config": WORKLOAD,
    **dict.fromkeys(
        (
            *("task_of", "resched_curr", "scheduler_tick", "ttwu_queue", "select_task_rq", "pick_next_task"),
            *("newidle_balance", "detach_task", "prepare_task", "finish_task_switch", "context_switch", "__schedule"),
            *("leaves_the_queue", "schedule_task", "do_task_dead", "preempt_schedule", "irqentry_exit_cond_resched"),
            *("vcpu_load", "vcpu_put", "kvm_sched_out", "kvm_sched_in", "kvm_arch_vcpu_load", "kvm_arch_vcpu_put"),
        ),
        SCHEDULER,
    ),
}
"""Functions of other modules that it does not call either."""


def owner(function: str, module: str) -> str:
    """Return whose a protocol function is that a rule does not call; an empty string for one that it may call."""
    if is_instrument(module):
        return INSTRUMENT
    if module.startswith("emu.workload."):
        return WORKLOAD
    return FUNCTIONS.get(function) or MODULES.get(module, "")


OF_ACTS: Final = frozenset({"post", "request", "signal"})
"""Functions of the workload that an act of the user's calls (see emu.own)."""

LOOKS: Final = frozenset(
    {"peek", "local_read", "memory", "this_cpu_ptr", "apic_pending", "ipis_in_flight", "BIT", "fls64", "hweight64"}
)
"""Primitives that a check of the user's comes to call: those that nobody notices."""

PRIMITIVES: Final = frozenset(
    {
        *("READ_ONCE", "WRITE_ONCE", "smp_load_acquire", "smp_store_release", "xchg", "cmpxchg"),
        *("test_and_set_bit", "test_and_clear_bit", "set_bit", "clear_bit", "atomic_inc", "take_half"),
        *("smp_mb", "smp_wmb", "smp_rmb", "cpu_relax", "apic_pending"),
        *("BIT", "fls64", "hweight64", "choose", "one_in"),
    }
)
"""Primitives of the waist that it calls: those of a kernel, and the dice. A rule runs on any pCPU, so that no word is
private to it."""

# --- replacements ------------------------------------------------------------------------------------------------

_TOOL: Final = "this tool's"
_SELECTED: Final = "a historic rule (replace kvm_vcpu_trigger_posted_interrupt)"

_KEPT: Final = {
    "emu.machine": _TOOL,
    "emu.vectors": _TOOL,
    "emu.cpu": "the pCPU's",
    "emu.own_words": _TOOL,
}
"""Further modules none of whose functions is replaced."""
_KEPT_FUNCTIONS: Final = {
    "common_interrupt": PROCESSOR,
    "sysvec_kvm_posted_intr_wakeup_ipi": PROCESSOR,
    "sysvec_apic_timer_interrupt": SCHEDULER,
    "preempt_enable": "the pCPU's",
    "preemptible": "the pCPU's",
    "need_resched": SCHEDULER,
    "handle_vector": PROCESSOR,
    "do_idle": "the pCPU's",
    "hrtimer_interrupt": "the pCPU's",
    "posted_timer_expired": _TOOL,
    "user_kvm_vcpu_trigger_posted_interrupt": _SELECTED,
    **dict.fromkeys(("orig_2013", "kick_2016", "skip_running_2020", "always_2021", "elide_self_2022"), _SELECTED),
}


def not_replaceable(function: str, module: str) -> str:
    """Return whose a protocol function is that no user's code replaces; an empty string for one that it may."""
    return _KEPT_FUNCTIONS.get(function) or _KEPT.get(module) or owner(function, module)


def keeps_former(module: str) -> bool:
    """Return whether functions of a module call the protocol's functions as they are, whoever replaces these.

    What the processor, the IOMMU and the instruments share with KVM stays theirs: a patch of KVM does not change them.
    """
    return owner("", module) in (INSTRUMENT, PROCESSOR) or module in ("emu.guest", "emu.iommu_post")


OWN_PRIMITIVES: Final = frozenset({"local_read", "local_write"})
"""Primitives that a replacement calls besides those of a rule: it may be about words that
only the vCPU's own thread uses."""

SHARED_WORDS: Final = frozenset(
    {
        *("PiDesc.pir", "PiDesc.control", "PiDesc.software"),
        *("Vcpu.mode", "Vcpu.cpu", "Vcpu.requests", "Wait.task", "Wait.state"),
    }
)
"""Words that others use: they are accessed by READ_ONCE and the like, each an access of its own."""

FOR_INSTRUMENTS: Final = frozenset({"peek", "mark", "trace"})
"""Primitives that only an instrument calls."""
