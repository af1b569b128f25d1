"""A patch with a word, an act or a check of its own: its witness is shown on real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.expected import policy_by_name
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.labels import check_labels
from hosts.explorer.counterexample.validate import check_violation
from hosts.explorer.counterexample.witness import Witness, make_witness
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from hosts.loader.program import Program
from hosts.replay.program import replay_program
from hosts.replay.scheduler import replay
from tests.unit.loader.patches import patched

DOORBELL = (Path(__file__).parents[1] / "doorbell.py").read_text()
RINGS_LATE = DOORBELL.replace(
    "    xchg(Doorbell(vcpu).rung, 1)\n    kvm_vcpu_kick(vcpu)\n",
    "    kvm_vcpu_kick(vcpu)\n    xchg(Doorbell(vcpu).rung, 1)\n",
)
HINT_LATE = """
from emu.lapic_regs import apic_find_highest_irr
from emu.machine import Vcpu
from emu.own import PerVcpu, word
from emu.vmx_intr import vmx_deliver_posted_interrupt, vmx_sync_pir_to_irr
from emu.waist import WRITE_ONCE

class Hint(PerVcpu):
    posted = word()

def vmx_deliver_interrupt(vcpu: Vcpu, vector: int) -> None:
    vmx_deliver_posted_interrupt(vcpu, vector)
    WRITE_ONCE(Hint(vcpu).posted, 1)

def kvm_x86_sync_pir_to_irr(vcpu: Vcpu) -> int:
    if Hint(vcpu).posted == 0:
        return apic_find_highest_irr(vcpu)
    return vmx_sync_pir_to_irr(vcpu)
"""
"""A sync that looks at the descriptor only once a sender has left a hint, which it leaves behind the post."""
POLICY = "elide-self-2022"


def witness_of(program: Program, scenario: str, scope: str | None) -> Witness:
    """Explore a scope, or a scenario of the patch's own, and return the witness of its violation."""
    chosen = next((each for each in program.own.scenarios if each.name == scenario), None)
    builder = Builder(program, scope_of(chosen, scope, program.own.act_numbers), policy_by_name(POLICY).number)
    result, search, model = explore(builder, Options())
    assert result.violation is not None
    found = result.violation.sighting
    return make_witness(builder, model, Options(), search.path(), found, scenario=scenario, policy=POLICY)[0]


def shown(witness: Witness, program: Program) -> bool:
    """Return whether a witness is what its labels say, and shows its violation on processes."""
    check_labels(witness, program.own)
    check_violation(witness, program)
    return replay(witness, replay_program(witness, program)).shown


def test_a_flag_of_its_own_that_breaks_a_delivery_is_shown(tmp_path: Path) -> None:
    """The built-in checks find it: the sync misses a post whose hint has not come."""
    program = patched(tmp_path, HINT_LATE)
    witness = witness_of(program, "default", "post:0x34 | guest=cpuid,hlt")
    assert "vcpu0.Hint.posted" in witness.shared.values()
    assert shown(witness, program)


@pytest.mark.slow
def test_a_check_of_its_own_that_fires_is_shown(tmp_path: Path) -> None:
    """In its own scenario, by its own name, after an act of its own."""
    program = patched(tmp_path, RINGS_LATE)
    witness = witness_of(program, "doorbell", None)
    assert witness.check == "bell_is_answered"
    assert shown(witness, program)
