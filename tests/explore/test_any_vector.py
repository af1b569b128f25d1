"""Vectors that no scenario sends: whatever a rule sends from 0 to 255 travels, arrives and is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.machine import USER
from hosts.explorer.build import Builder
from hosts.explorer.counterexample.witness import check_of
from hosts.explorer.explanation.make import explained_witness
from hosts.explorer.model.options import Options
from hosts.explorer.refine import explore
from hosts.explorer.threads.harness import scope_of
from hosts.explorer.threads.machine_words import VECTORS
from hosts.loader.program import load_program
from hosts.loader.user_code import code_of
from tests.choice import slow_but

RULE = """
from emu.cpu import apic_send_IPI
from emu.kvm_main import kvm_vcpu_kick
from emu.vectors import POSTED_INTR_WAKEUP_VECTOR
from emu.waist import READ_ONCE

def sends_only(vcpu, vec):
    apic_send_IPI(READ_ONCE(vcpu.cpu), {vector})

def kicks_too(vcpu, vec):
    apic_send_IPI(READ_ONCE(vcpu.cpu), {vector})
    kvm_vcpu_kick(vcpu)
"""


def builder_of(folder: Path, function: str, vector: str) -> Builder:
    """Make what explores a rule."""
    file = folder / "rule.py"
    file.write_text(RULE.format(vector=vector))
    return Builder(load_program(code_of(f"{file}:{function}")), scope_of(None, "post:34 | guest=cpuid,hlt"), USER)


STRAY = [("POSTED_INTR_WAKEUP_VECTOR", 0xF1), ("0", 0), ("255", 255)]


@pytest.mark.parametrize(("vector", "number"), slow_but(STRAY[:1], STRAY, several=True))
def test_a_stray_vector_tells_nobody(tmp_path: Path, vector: str, number: int) -> None:
    """It is found out on the way, is taken and counted, and moves nothing: the interrupt is lost."""
    builder = builder_of(tmp_path, "sends_only", vector)
    result, search, model = explore(builder, Options())
    assert result.violation is not None
    assert check_of(result.violation.sighting)[0] in {"C1", "C2"}
    assert list(model.vectors) == sorted((*VECTORS, number))
    names = {"scenario": "default", "policy": "rule"}
    witness = explained_witness(builder, model, Options(), search.path(), result.violation, **names)
    assert number in {row.b for step in witness.steps for row in step.rows if row.kind == "SEND"}


def test_a_stray_vector_beside_what_tells_changes_no_verdict(tmp_path: Path) -> None:
    """A kick in any case: complete and clean, whatever else arrives."""
    builder = builder_of(tmp_path, "kicks_too", "0")
    result, _, model = explore(builder, Options())
    assert result.complete
    assert result.violation is None
    assert 0 in model.vectors
    assert model.vectors.index(0) in model.deferrable, "its handler only counts"
