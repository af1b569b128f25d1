"""What of the machine a user's rule may use: what a kernel has. The loader refuses the rest, with its line.

Out of reach are the instruments, by which checkers judge (a rule that wrote their words would blind them, one that
read them would depend on being watched), and the workload, which drives the machine. Words are named ``Struct.field``.
"""

from __future__ import annotations

from typing import Final

INSTRUMENT: Final = "an instrument's"
WORKLOAD: Final = "the workload's"
PROCESSOR: Final = "the processor's"

WORDS: Final = {
    **dict.fromkeys(
        (
            *("Vcpu.untold", "Vcpu.delivered", "Vcpu.merged", "Vcpu.self_ipis", "Vcpu.mail", "Vcpu.acknowledged"),
            *("Vcpu.refused", "Vcpu.accepted_before"),
            *("Pcpu.marks", "Pcpu.sightings", "Pcpu.told", "Pcpu.between_check_and_sleep", "Pcpu.counters"),
            *("Pcpu.windows", "Pcpu.records", "Pcpu.accepted", "Irq.processing", "Irq.inside_depth"),
            *("Marks.inside", "Marks.turn_done"),
        ),
        INSTRUMENT,
    ),
    **dict.fromkeys(
        (
            *("Guest.turn", "Guest.turn_wanted", "Guest.actions_left", "Guest.silent", "Guest.ended"),
            *("Guest.patience", "Guest.interrupts_left", "Machine.config"),
        ),
        WORKLOAD,
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
    **dict.fromkeys(("emu.instruments", "emu.checkers", "emu.tracepoints", "emu.rulechecks"), INSTRUMENT),
    **dict.fromkeys(("emu.guest", "emu.actors"), WORKLOAD),
    "emu.nonroot": PROCESSOR,
}
"""Modules none of whose functions a rule calls."""

FUNCTIONS: Final = {
    **dict.fromkeys(
        (
            *("put_mail", "note_accepted", "begin_trigger", "note_self_post", "end_trigger", "judge_self_post"),
            *("note_merged", "note_generation", "any_pir"),
        ),
        INSTRUMENT,
    ),
    "config": WORKLOAD,
}
"""Functions of other modules that it does not call either."""

PRIMITIVES: Final = frozenset(
    {
        *("READ_ONCE", "WRITE_ONCE", "smp_load_acquire", "smp_store_release", "xchg", "cmpxchg"),
        *("test_and_set_bit", "test_and_clear_bit", "set_bit", "clear_bit", "atomic_inc"),
        *("smp_mb", "smp_wmb", "smp_rmb", "cpu_relax", "apic_pending"),
        *("BIT", "fls64", "hweight64", "choose", "one_in"),
    }
)
"""Primitives of the waist that it calls: those of a kernel, and the dice. A rule runs on any pCPU, so that no word is
private to it."""
