"""The README's table of what is not in the machine: it names what is missing, and what it says of ``emu/`` is so."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hosts.loader.program import Program, load_program

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
WRITES = frozenset(
    {"WRITE_ONCE", "smp_store_release", "xchg", "cmpxchg", "local_write", "mark", "set_bit", "clear_bit"}
)


@pytest.fixture(scope="module")
def program() -> Program:
    """Return the protocol."""
    return load_program()


def written(program: Program) -> set[str]:
    """Return the words that functions of the protocol write, as they name them (mutations included)."""
    calls = [node for tree in program.trees.values() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = {call for call in calls if isinstance(call.func, ast.Name) and call.func.id in WRITES}
    return {ast.unparse(argument) for call in named for argument in call.args}


def callers(program: Program, name: str) -> set[str]:
    """Return the functions of the protocol that call one."""
    return {
        function
        for function, tree in program.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    }


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("apic.enabled", "an APIC that is disabled, APICv that is switched off"),
        ("apicv_active", "an APIC that is disabled, APICv that is switched off"),
    ],
)
def test_a_word_that_the_readme_calls_constant_is_never_written(program: Program, word: str, said: str) -> None:
    """Whoever teaches the machine to change it has to change the README's table."""
    assert said in README
    found = written(program)
    assert any(each.endswith(".vppr") for each in found)  # this test sees writes
    assert not [each for each in found if each.endswith(word)]


def test_a_pcpu_waits_in_two_places_only(program: Program) -> None:
    """One for vCPUs that stay where they are, one for tasks, where HLT is one with STI."""
    assert "an idle loop that halts, in the older scenarios" in README
    assert callers(program, "wait_for_interrupt") == {"do_idle", "safe_halt"}


def test_only_load_and_put_change_sn_nv_and_ndst(program: Program) -> None:
    """And nobody calls these where no vCPU leaves its pCPU."""
    assert "SN, NV and NDST that change, migration" in README
    assert callers(program, "pi_set_sn") == {"vmx_vcpu_pi_put", "pi_put_until_5_16"}
    assert callers(program, "vmx_vcpu_pi_put") == {"kvm_arch_vcpu_put"}
    assert callers(program, "vmx_vcpu_pi_load") == {"kvm_arch_vcpu_load"}
    assert callers(program, "pi_put_until_5_16") == {"kvm_arch_vcpu_put"}
    assert callers(program, "pi_load_until_5_16") == {"kvm_arch_vcpu_load"}


def test_a_task_is_not_preempted_within_a_delivery(program: Program) -> None:
    """The scheduler asks for it before it preempts."""
    assert "preempted between the first and the last effect of its own delivery" in README
    assert "inside_depth" in program.source("preemptible")
    assert callers(program, "preempt_schedule") == {"preempt_enable", "irqentry_exit_cond_resched"}


def test_every_kick_of_an_actor_comes_with_a_request(program: Program) -> None:
    """Who kicks is the rule under test (a mutation inlines one), or has made a request."""
    assert "a kick without a request" in README
    rules = {"kick_2016", "skip_running_2020", "orig_2013", "vmx_deliver_posted_interrupt"}
    others = callers(program, "kvm_vcpu_kick") - rules
    assert others
    assert others <= callers(program, "kvm_make_request")
