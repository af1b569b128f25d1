"""Mutations: each takes effect while it is selected, and never otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hosts.loader.program import LoaderError, load_program
from tests.unit.loader.synthetic import Load, Program, run, write


@dataclass(frozen=True)
class Edit:
    """An edit as emu.mutations has it."""

    function: str
    find: str
    becomes: str = ""
    occurrence: int = 1


@dataclass(frozen=True)
class Mutation:
    """As much of a mutation as the loader looks at."""

    number: int
    name: str
    edits: tuple[Edit, ...]


def mutation(number: int, find: str, becomes: str = "", occurrence: int = 1) -> Mutation:
    """Make a mutation of function ``f`` with one edit."""
    return Mutation(number, f"m{number}", (Edit("f", find, becomes, occurrence),))


PLAIN = """
def f(a, b):
    x = local_read(a)
    if x:
        local_write(a, 1)
        cpu_relax()
    local_write(b, 2)
    cpu_relax()
    return x
"""


def asked_under(program: Program, selected: int) -> list[tuple[Any, ...]]:
    """Return what the host is asked when a mutation is selected and every read gives 1."""
    return run(program.functions["f"], 10, 20, answers=[1] * 9, selected=selected)[1]


UNMUTATED = [("peek", 10), ("poke", 10, 1), ("cpu_relax",), ("poke", 20, 2), ("cpu_relax",)]

EDITS = {
    "dropped": (mutation(1, "local_write(b, 2)"), [*UNMUTATED[:3], ("cpu_relax",)]),
    "replaced": (
        mutation(1, "local_write(b,2)", "local_write(b, 3)"),
        [*UNMUTATED[:3], ("poke", 20, 3), ("cpu_relax",)],
    ),
    "swapped": (
        mutation(1, "local_write(b, 2)\ncpu_relax()  # as in the source", "cpu_relax()\nlocal_write(b, 2)"),
        [*UNMUTATED[:3], ("cpu_relax",), ("poke", 20, 2)],
    ),
    "the second occurrence": (mutation(1, "cpu_relax()", occurrence=2), UNMUTATED[:-1]),
    "a block": (
        mutation(1, "if x:\n    local_write(a, 1)\n    cpu_relax()\n"),
        [UNMUTATED[0], *UNMUTATED[3:]],
    ),
    "all of a block": (mutation(1, "local_write(a, 1)\ncpu_relax()"), [UNMUTATED[0], *UNMUTATED[3:]]),
    "torn, with a name of another module": (
        mutation(1, "local_write(b, 2)", "value = elsewhere(b)\nlocal_write(b, value)"),
        [*UNMUTATED[:3], ("peek", 20), ("poke", 20, 1), ("cpu_relax",)],
    ),
}


@pytest.mark.parametrize("case", EDITS)
def test_an_edit_takes_effect_when_its_mutation_is_selected(load: Load, case: str) -> None:
    """A mutation changes what it says while selected, and nothing otherwise."""
    wanted, expected = EDITS[case]
    program = load(one=PLAIN, other="def elsewhere(word): return local_read(word)\n", mutations=[wanted])
    assert asked_under(program, 1) == expected
    assert asked_under(program, 0) == asked_under(program, 2) == UNMUTATED


def test_mutations_of_the_same_overlapping_and_nested_statements_do_not_disturb_each_other(load: Load) -> None:
    """Any number of mutations may edit the same place; each selected one has its own effect only."""
    block = "if x:\n    local_write(a, 1)\n    cpu_relax()"
    mutations = [
        mutation(1, "local_write(b, 2)"),
        mutation(2, "local_write(b, 2)", "local_write(b, 4)"),
        mutation(3, "local_write(b, 2)\ncpu_relax()", "cpu_relax()"),
        mutation(4, f"{block}\nlocal_write(b, 2)", "local_write(b, 5)"),
        mutation(5, "local_write(a, 1)", "local_write(a, 6)"),
        mutation(6, block, "local_write(a, 7)"),
        Mutation(7, "m7", (Edit("f", "local_write(a, 1)"), Edit("f", "local_write(b, 2)", "local_write(b, 8)"))),
    ]
    program = load(PLAIN, mutations=mutations)
    alone = [load(PLAIN, mutations=[one]) for one in mutations]
    for number in range(8):
        expected = asked_under(alone[number - 1], number) if number else UNMUTATED
        assert asked_under(program, number) == expected, number
    assert program.source("f").count("mutated(7)") == 1  # not asked again where the answer is known
    assert len({str(asked_under(program, number)) for number in range(8)}) == 7  # 1 and 3 drop the same


def test_mutated_statements_have_points_and_the_line_of_what_they_replace(load: Load) -> None:
    """Both ways of a mutation are interruptible, and a site in either names the line of the source."""
    text = "def f(a):\n    return 1 + xchg(a, 0)\n"
    program = load(
        text, mutations=[mutation(1, "return 1 + xchg(a, 0)", "old = READ_ONCE(a)\nWRITE_ONCE(a, 0)\nreturn old")]
    )
    assert [(site.operation, site.line) for site in program.sites.values()] == [
        ("READ_ONCE", 3),
        ("WRITE_ONCE", 3),
        ("xchg", 3),
    ]


def test_the_protocols_own_mutations_are_found_beside_it(folder: Path) -> None:
    """Without a list of mutations those of the package's module ``mutations`` are put in."""
    beside = """
        from types import SimpleNamespace
        EDIT = SimpleNamespace(function="f", find="smp_mb()", becomes="", occurrence=1)
        MUTATIONS = (SimpleNamespace(number=4, name="no-barrier", edits=(EDIT,)),)
    """
    program = load_program(modules=write(folder, one="def f():\n    smp_mb()\n", mutations=beside))
    assert "if mutated(4):" in program.source("f")


BAD_MUTATIONS = {
    "not found": ([mutation(3, "smp_mb()")], "mutation 3 (m3) wants occurrence 1 in f, found 0:\nsmp_mb()"),
    "found less often": ([mutation(3, "cpu_relax()", occurrence=3)], "wants occurrence 3 in f, found 2"),
    "no such function": (
        [Mutation(3, "m3", (Edit("g", "x"),))],
        "mutation 3 (m3) edits g, which is no protocol function",
    ),
    "nothing to find": ([mutation(3, "")], "mutation 3 (m3) nothing to find"),
    "cannot be read": ([mutation(3, "if:")], "mutation 3 (m3) cannot be read: invalid syntax"),
    "becomes nonsense": ([mutation(3, "cpu_relax()", "x = = 1")], "mutation 3 (m3) cannot be read"),
    "number taken": ([mutation(3, "cpu_relax()"), mutation(3, "x")], "mutation 3 (m3) needs a number of its own"),
    "number 0 means none": ([mutation(0, "cpu_relax()")], "mutation 0 (m0) needs a number of its own, from 1 up"),
    "overlaps itself": (
        [Mutation(3, "m3", (Edit("f", "local_write(b, 2)\ncpu_relax()"), Edit("f", "cpu_relax()", occurrence=2)))],
        "mutation 3 (m3) has edits of f that overlap",
    ),
    "drops an assignment": ([mutation(3, "x = local_read(a)")], "leaves a function that cannot be run: x is neither"),
    "unknown name": ([mutation(3, "cpu_relax()", "cpu_rest()")], "cpu_rest is neither a local nor a name"),
    "outside of the language": ([mutation(3, "cpu_relax()", "print = [1]")], "mutation 3 (m3) leaves a function"),
    "a break that leaves no loop": ([mutation(3, "cpu_relax()", "break")], "'break' or 'continue' outside of a loop"),
}


@pytest.mark.parametrize("case", BAD_MUTATIONS)
def test_a_mutation_that_does_not_fit_is_an_error_that_names_it(load: Load, case: str) -> None:
    """A mutation that would do nothing, or something that cannot run, never goes unnoticed."""
    mutations, reason = BAD_MUTATIONS[case]
    with pytest.raises(LoaderError) as error:
        load(PLAIN, mutations=mutations)
    assert reason in str(error.value)
