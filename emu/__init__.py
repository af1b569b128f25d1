"""The emulated machine: how Linux KVM delivers posted interrupts on x86, as plain Python functions.

This package is the specification. It calls nothing but the primitives of :mod:`emu.waist`; every host in
:mod:`hosts` gives those primitives a meaning and runs the same functions.
"""

PROTOCOL = (
    "emu.vectors",
    "emu.kvm_host",
    "emu.machine",
    "emu.observe.ghost",
    "emu.observe.tracepoints",
    "emu.posted_intr",
    "emu.lapic_regs",
    "emu.observe.checkers",
    "emu.observe.probes",
    "emu.cpu",
    "emu.sched",
    "emu.kvm_main",
    "emu.policies",
    "emu.lapic_irr",
    "emu.vmx_intr",
    "emu.lapic",
    "emu.irq",
    "emu.guest",
    "emu.observe.repair",
    "emu.workload.program",
    "emu.nonroot",
    "emu.workload.liveness",
    "emu.halt",
    "emu.vmx",
    "emu.x86",
    "emu.workload.actors",
)
"""The modules that a host loads, in the order of their imports."""
