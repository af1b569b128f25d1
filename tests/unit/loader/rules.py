"""Rules of a line or two, loaded from a file that imports what they name."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from hosts.loader.program import Program, load_program
from hosts.loader.user_code import code_of

NAMES = {
    "emu.cpu": "apic_send_IPI, kvm_get_running_vcpu, local_irq_enable",
    "emu.kvm_main": "EXITING_GUEST_MODE, IN_GUEST_MODE, kvm_make_request, kvm_vcpu_kick, kvm_vcpu_wake_up",
    "emu.machine": "Lapic, PiDesc, Vcpu, config, machine, smp_processor_id, this_pcpu",
    "emu.memory": "Word, Words",
    "emu.policies": "elide_self_2022",
    "emu.posted_intr": "pi_test_and_set_pir, pi_test_on",
    "emu.waist": "BIT, READ_ONCE, WRITE_ONCE, cmpxchg, set_bit, smp_mb, xchg",
}
IMPORTS = "".join(f"from {module} import {names}\n" for module, names in NAMES.items())
FIRST = IMPORTS.count("\n") + 1


def loaded(folder: Path, text: str) -> Program:
    """Load a file whose rule is ``rule``; the imports stand above it."""
    path = folder / "mine.py"
    path.write_text(IMPORTS + textwrap.dedent(text))
    return load_program(code_of(f"{path}:rule"))


def helpers(bodies: Sequence[str]) -> str:
    """Return a file's text in which the rule calls a function with each of these bodies: one program for many cases."""
    functions = [f"def case{i}(vcpu, vec):\n{textwrap.indent(body, '    ')}\n" for i, body in enumerate(bodies)]
    calls = "".join(f"    case{i}(vcpu, vec)\n" for i in range(len(bodies)))
    return "\n".join([*functions, f"def rule(vcpu, vec):\n{calls}"])
