"""What a task knows of its pCPU it never uses on another one: the whole program is searched for it."""

from __future__ import annotations

import ast
import textwrap

import pytest

from hosts.loader.program import load_program
from tests.unit.stale_pcpu import State, stale_uses

TASK = State(enabled=False, disabled=1)
"""A task begins behind a switch: interrupts are off, and preemption is disabled."""
PREEMPTIBLE = State(enabled=True, disabled=0)

POINT = "interrupt_point(1)"
BODIES = {
    # what is found, by what a preemptible task does
    f"p = this_pcpu()\n{POINT}\nlocal_read(p.id)": {"f: p"},
    f"me = smp_processor_id()\n{POINT}\nsend_IPI(me, 1)": {"f: me"},
    f"w = this_pcpu().irq.enabled\n{POINT}\nlocal_write(w, 1)": {"f: w"},
    f"q = machine().pcpus[smp_processor_id()].rq\n{POINT}\nREAD_ONCE(q.queued)": {"f: q"},
    f"p = this_pcpu()\nr = p.rq\n{POINT}\nREAD_ONCE(r.queued)": {"f: r"},
    f"p = mine()\n{POINT}\nlocal_read(p.id)": {"f: p"},
    "p = this_pcpu()\ngoes()\nlocal_read(p.id)": {"f: p"},
    "p = this_pcpu()\nlocal_irq_disable()\nswitch_to(a, b)\nlocal_read(p.id)": {"f: p"},
    "for i in range(3):\n    n = this_pcpu()\n    goes()\nlocal_read(n.id)": {"f: n"},
    "p = this_pcpu()\nwhile READ_ONCE(p.id) != 0:\n    goes()": {"f: p"},
    "takes(this_pcpu())": {"takes: p"},
    f"preempt_disable()\nme = smp_processor_id()\npreempt_enable()\n{POINT}\nsend_IPI(me, 1)": {"f: me"},
    "preempt_disable()\nme = smp_processor_id()\npreempt_enable()\nsend_IPI(me, 1)": {"f: me"},
    f"if READ_ONCE(a) != 0:\n    preempt_disable()\nme = smp_processor_id()\n{POINT}\nsend_IPI(me, 1)": {"f: me"},
    # and what is sound
    f"{POINT}\np = this_pcpu()\nlocal_read(p.id)": set(),
    f"c = local_read(this_pcpu().rq.curr)\n{POINT}\nlocal_write(a, c)": set(),
    f"p = this_pcpu()\n{POINT}\np = this_pcpu()\nlocal_read(p.id)": set(),
    f"preempt_disable()\np = this_pcpu()\n{POINT}\nlocal_read(p.id)\npreempt_enable()": set(),
    f"local_irq_disable()\nme = smp_processor_id()\n{POINT}\nsend_IPI(me, 1)\nlocal_irq_enable()": set(),
    f"x = local_irq_save()\nme = smp_processor_id()\n{POINT}\nsend_IPI(me, 1)\nlocal_irq_restore(x)": set(),
    f"begin_effects()\nme = smp_processor_id()\n{POINT}\nsend_IPI(me, 1)\nend_effects()": set(),
    f"same = a == smp_processor_id()\n{POINT}\nif same:\n    goes()": set(),
}
OTHERS = f"""
def mine():
    return this_pcpu()

def goes():
    {POINT}

def takes(p):
    goes()
    local_read(p.id)

def preempt_schedule():
    switch_to(1, 2)

def local_irq_disable():
    local_write(this_pcpu().irq.enabled, 0)

def local_irq_enable():
    local_write(this_pcpu().irq.enabled, 1)
"""


@pytest.mark.parametrize("body", BODIES)
def test_the_search_finds_what_outlives_a_migration_and_nothing_else(body: str) -> None:
    """A comparison with this pCPU's number says what was so; it names none."""
    source = OTHERS + "\ndef f(a, b):\n" + textwrap.indent(body, "    ")
    trees = {each.name: each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef)}
    assert stale_uses(trees, {"f": PREEMPTIBLE}).found == BODIES[body]


def test_no_function_of_the_machine_uses_the_pcpu_that_its_task_has_left() -> None:
    """From the beginning of a task, and from the interrupt that preempts it, through all that either calls."""
    program = load_program()
    search = stale_uses(program.trees, {"common_interrupt": PREEMPTIBLE, "ret_from_fork": TASK})
    assert {"handle_vector", "preempt_schedule", "context_switch", "vmx_vcpu_pi_load", "guest_step"} <= search.visited
    assert not search.found
