"""The emulated machine: how Linux KVM delivers posted interrupts on x86, as plain Python functions.

This package is the specification. It calls nothing but the primitives of :mod:`emu.waist`; every host in
:mod:`hosts` gives those primitives a meaning and runs the same functions.
"""

PROTOCOL = (
    "emu.vectors",
    "emu.machine",
    "emu.instruments",
    "emu.tracepoints",
    "emu.cpu",
    "emu.posted_intr",
    "emu.kvm_main",
    "emu.policies",
    "emu.apic_regs",
    "emu.pir_sync",
    "emu.checkers",
    "emu.delivery",
    "emu.lapic_timer",
    "emu.guest",
    "emu.nonroot",
    "emu.fastpath",
    "emu.handlers",
    "emu.halt",
    "emu.x86",
    "emu.actors",
)
"""The modules that a host loads, in the order of their imports."""
