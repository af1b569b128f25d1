"""Interrupt points: right before each shared operation, and nowhere else."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from hosts.loader.primitives import SHARED
from hosts.loader.syntax.names import PRIMITIVES
from tests.unit.loader.generated import answers, functions, make_program
from tests.unit.loader.synthetic import Load, body, run, same


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=functions, given_answers=answers)
def test_points_come_right_before_exactly_the_shared_operations(
    folder: Path, text: str, given_answers: list[int]
) -> None:
    """As executed, each shared operation follows its point, and nothing else follows a point."""
    _, program = make_program(folder, text)
    _, asked = run(program.functions["f"], 2, 5, answers=given_answers, points=True)
    shared = {"load", "store", "xchg", "cmpxchg"}
    for before, after in itertools.pairwise([("start",), *asked]):
        assert (before[0] == "interrupt_point") == (after[0] in shared)
        if before[0] == "interrupt_point":
            assert program.sites[before[1]].operation.lower().endswith(("once", "xchg"))


def test_every_shared_operation_has_a_numbered_point(load: Load) -> None:
    """Points are numbered from 1 in the order of the source, and each knows its file, line, function and operation."""
    lines = [f"    {name}({', '.join('1' * count)})" for name, count in _arities().items()]
    program = load("def f():\n" + "\n".join(lines) + "\n    local_read(1)\n    local_write(1, 2)\n    peek(1)\n")
    assert [site.operation for site in program.sites.values()] == list(_arities())
    assert list(program.sites) == list(range(1, len(SHARED) + 1))
    assert [site.line for site in program.sites.values()] == list(range(3, 3 + len(lines)))
    assert {site.function for site in program.sites.values()} == {"f"}
    assert str(program.sites[1]).endswith("one.py:3: f: READ_ONCE")


def _arities() -> dict[str, int]:
    ordered = sorted(SHARED)
    return {name: PRIMITIVES[name].__code__.co_argcount for name in ordered}


def test_disabling_interrupts_is_preceded_by_a_point(load: Load) -> None:
    """The last moment of an open window is a point, also if no shared operation follows."""
    program = load("def local_irq_disable():\n    local_write(1, 0)\n\ndef f():\n    local_irq_disable()\n")
    assert same(body(program)) == "interrupt_point(1)\nlocal_irq_disable()"


def test_instruments_have_no_points(load: Load) -> None:
    """Functions of the package for instruments are never interrupted by what they look at."""
    text = "def NAME():\n    return READ_ONCE(1)\n"
    modules = {name: text.replace("NAME", f"f_{name[-3:]}") for name in ("observe.checkers", "observe.ghost", "vmx")}
    assert [site.function for site in load(**modules).sites.values()] == ["f_vmx"]
