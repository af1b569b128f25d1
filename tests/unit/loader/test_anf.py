"""A-normal form: each result has a name, and nothing else changes."""

from __future__ import annotations

import ast
import itertools
import textwrap
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import pytest
from hypothesis import HealthCheck, given, settings

from hosts.loader.syntax.interrupt_points import called
from tests.unit.loader.generated import answers, functions, make_program
from tests.unit.loader.synthetic import Load, body, run, same

NORMAL_FORMS = {
    "an operation in an argument": ("local_write(a, local_read(b))", "t1 = local_read(b)\nlocal_write(a, t1)"),
    "two operations in one expression": (
        "return local_read(a) + local_read(b)",
        "t1 = local_read(a)\nt2 = local_read(b)\nreturn t1 + t2",
    ),
    "a call that is the whole right-hand side": ("x = local_read(a + BIT(b))\nreturn x",) * 2,
    "a pure call": ("return max(BIT(a), memory() + this_cpu_ptr())",) * 2,
    "a function of the protocol that calls only pure ones": ("return twice(a)",) * 2,
    "an operation that adds to a local": ("a += local_read(b)\nreturn a", "t1 = local_read(b)\na += t1\nreturn a"),
    "and": (
        "if local_read(a) and local_read(b): cpu_relax()",
        "t2 = local_read(a)\nt1 = bool(t2)\nif t1:\n    t3 = local_read(b)\n    t1 = bool(t3)\nif t1:\n    cpu_relax()",
    ),
    "and, late": (
        "if a and b and local_read(a): cpu_relax()",
        "t1 = bool(a and b)\nif t1:\n    t2 = local_read(a)\n    t1 = bool(t2)\nif t1:\n    cpu_relax()",
    ),
    "or, as a value": (
        "return local_read(a) or local_read(b)",
        "t2 = local_read(a)\nt1 = t2\nif not t1:\n    t3 = local_read(b)\n    t1 = t3\nreturn t1",
    ),
    "a short circuit whose rest is pure": (
        "if local_read(a) and b: cpu_relax()",
        "t1 = local_read(a)\nif t1 and b:\n    cpu_relax()",
    ),
    "a short circuit as a statement": ("a and cpu_relax()", "if a:\n    cpu_relax()"),
    "a conditional expression": (
        "x = local_read(a) if b else 3\nreturn x",
        "if b:\n    t2 = local_read(a)\n    t1 = t2\nelse:\n    t1 = 3\nx = t1\nreturn x",
    ),
    "a chained comparison": (
        "return a < local_read(a) < local_read(b)",
        "t1 = local_read(a)\nt2 = a < t1\nif t2:\n    t3 = local_read(b)\n    t2 = t1 < t3\nreturn t2",
    ),
    "while": (
        "while local_read(a) != 0: cpu_relax()",
        "while True:\n    t1 = local_read(a)\n    if not t1 != 0:\n        break\n    cpu_relax()",
    ),
    "elif": (
        "if local_read(a): cpu_relax()\nelif local_read(b): smp_wmb()",
        "t1 = local_read(a)\nif t1:\n    cpu_relax()\nelse:\n    t2 = local_read(b)\n    if t2:\n        smp_wmb()",
    ),
    "a loop's bound that the loop changes": (
        "for i in range(a): a = i",
        "t1 = a\nfor i in range(t1):\n    a = i",
    ),
    "match": (
        "match local_read(a):\n    case 1: cpu_relax()\n    case _: smp_wmb()",
        "t1 = local_read(a)\nmatch t1:\n    case 1:\n        cpu_relax()\n    case _:\n        smp_wmb()",
    ),
}


@pytest.mark.parametrize("case", NORMAL_FORMS)
def test_each_operation_gets_a_statement_of_its_own(load: Load, case: str) -> None:
    """What a host is asked is named and stands alone; what is pure stays where it was written."""
    before, after = NORMAL_FORMS[case]
    program = load("def twice(n): return BIT(n) + BIT(n)\n\ndef f(a, b):\n" + textwrap.indent(before, "    "))
    expected = after
    for number in range(1, 4):
        expected = expected.replace(f"t{number}", f"_pirace_{number}")
    assert same(body(program)) == same(expected)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=functions, given_answers=answers)
def test_results_and_the_order_of_calls_stay(folder: Path, text: str, given_answers: list[int]) -> None:
    """Whatever the expression: the same result, and the host is asked the same in the same order."""
    plain, program = make_program(folder, text)
    assert run(program.functions["f"], 2, 5, answers=given_answers) == run(plain, 2, 5, answers=given_answers)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=functions)
def test_nothing_waits_on_the_stack_while_a_call_runs(folder: Path, text: str) -> None:
    """No call of a host's operation is part of a larger expression, so locals are the whole state."""
    _, program = make_program(folder, text)
    pure = {"abs", "range", "bool", "BIT"}
    for tree in program.trees.values():
        whole = [node.value for node in ast.walk(tree) if isinstance(node, ast.stmt) and called(node)]  # type: ignore[attr-defined]
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.func.id not in pure]  # type: ignore[attr-defined]
        assert all(call in whole for call in calls)


def test_transformed_functions_compile_and_mean_the_same(load: Load) -> None:
    """Numba takes what the loader makes of every kind of short circuit, flags of one type included."""
    program = load(
        """
        def f(a, b):
            x = 0
            if local_read(a) and a < local_read(b) < local_read(3) or not (b and local_read(4)):
                x = local_read(5) or local_read(6)
            while local_read(x) > 0 and x < 9:
                x += local_read(1) if a else 2
            for i in range(x):
                if i == 3:
                    x = x - 1
            return (local_read(2) if local_read(x) else b) + x
        """
    )
    seen: list[int] = []

    def read(word: int) -> int:
        return word * 7 % 5 - 1

    def plain(word: int) -> int:
        seen.append(word)
        return read(word)

    def made_with(local_read: Any) -> Any:
        return FunctionType(program.functions["f"].__code__, {**program.namespace, "local_read": local_read})

    compiled = numba.njit(made_with(numba.njit(read)))
    for a, b in itertools.product(range(-2, 4), repeat=2):
        assert compiled(a, b) == made_with(plain)(a, b)
    assert seen
