"""A rule that reads or writes what the protocol calls private: its witnesses, too, are taken on real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.explorer.counterexample.witness import Witness
from hosts.explorer.counterexample.witness_file import load, save
from hosts.explorer.model.options import Options
from hosts.replay.program import replay_program
from hosts.replay.scheduler import Replayed, replay
from tests.replay.witnesses import NONE, Case, program

pytestmark = pytest.mark.timeout(120)

RULES = {
    "reads the PPR": "READ_ONCE(vcpu.apic.vppr) == 0",
    "writes what the guest counts": "xchg(vcpu.guest.in_service, 0) == 0",
}
SCOPE = "post:34 post:35 | post:34 | guest=cpuid,self | handlers=slow"


@pytest.fixture(scope="module", params=RULES)
def rule(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a rule that kicks, unless a handler is running; return what ``--policy`` takes."""
    file = tmp_path_factory.mktemp("rule") / "rule.py"
    file.write_text(
        "from emu.kvm_main import kvm_vcpu_kick\nfrom emu.waist import READ_ONCE, xchg\n\n\n"
        f"def trigger(vcpu, vec):\n    if {RULES[request.param]}:\n        kvm_vcpu_kick(vcpu)\n"
    )
    return f"{file}:trigger"


def again(witness: Witness) -> Replayed:
    """Take a witness."""
    return replay(witness, replay_program(witness, program(witness.policy)))


def operations(witness: Witness, text: str) -> int:
    """Count the operations of a witness that are of such a text."""
    return sum(row.text.startswith(text) for step in witness.steps for row in step.rows)


def test_what_the_rule_breaks_is_shown(tmp_path: Path, rule: str) -> None:
    """From the file, as a user would; the guest's private stores are steps of it."""
    made = Case("remote-post", rule, None, "post:34 post:35 | guest=cpuid", Options(buffer=2)).shortest()
    save(made, tmp_path / "witness.json")
    witness = load(tmp_path / "witness.json")
    assert witness == made
    assert operations(witness, "local_write(") > 0
    done = again(witness)
    assert done.shown, done.why


def test_any_way_is_taken_step_by_step(rule: str) -> None:
    """A guest that writes round and round, its stores late, more of them than any buffer is asked to hold."""
    witness = Case("remote-post", rule, None, SCOPE, Options(buffer=2)).walk(1, 150)
    assert operations(witness, "local_write(") > 0
    assert witness.delayed_stores > 0
    assert bool(witness.alone) == (operations(witness, "local_read(") == 0)
    done = again(witness)
    assert done.steps == len(witness.steps), done.why
    assert witness.check != NONE or not done.violations
