"""A division by what may be 0 is checked, as in any rule of a user's."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hosts.loader.program import load_program
from hosts.loader.user_code import CodeSpec, read_code

RULE = """
void kvm_vcpu_trigger_posted_interrupt(struct kvm_vcpu *vcpu, int pi_vec)
{
	if (1000 %s (pi_vec - 0x80))
		kvm_vcpu_wake_up(vcpu);
}
"""


@pytest.mark.parametrize("operator", ["/", "%"])
def test_a_divisor_that_may_be_zero_is_checked(tmp_path: Path, operator: str) -> None:
    """The run ends with the line of the C file instead of a trap of the processor."""
    path = tmp_path / "rule.c"
    path.write_text(RULE.replace("%s", operator))
    program = load_program(read_code(CodeSpec(rule=f"{path}:kvm_vcpu_trigger_posted_interrupt")))
    (entry,) = (tree for name, tree in program.trees.items() if name == "user_kvm_vcpu_trigger_posted_interrupt")
    called = [node for node in ast.walk(entry) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert "checked_divisor" in [node.func.id for node in called if isinstance(node.func, ast.Name)]
