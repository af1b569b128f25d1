"""The emulated machine: how Linux KVM delivers posted interrupts on x86, as plain Python functions.

This package is the specification. It calls nothing but the primitives of :mod:`emu.waist`; every host in
:mod:`hosts` gives those primitives a meaning and runs the same functions.
"""

PROTOCOL = (
    "emu.vectors",
    "emu.machine",
    "emu.observe.ghost",
    "emu.observe.tracepoints",
    "emu.cpu",
    "emu.posted_intr",
    "emu.kvm_main",
    "emu.policies",
    "emu.lapic_regs",
    "emu.lapic_irr",
    "emu.observe.checkers",
    "emu.vmx_intr",
    "emu.lapic",
    "emu.workload.guest",
    "emu.nonroot",
    "emu.vmx",
    "emu.irq",
    "emu.halt",
    "emu.x86",
    "emu.workload.actors",
)
"""The modules that a host loads, in the order of their imports."""
