"""What the host's own part of compiled code costs where nothing happens, read off the machine code."""

from __future__ import annotations

import re

import pytest

from emu.memory import Word
from emu.waist import READ_ONCE, WRITE_ONCE, interrupt_point, mutated, smp_mb
from hosts.compiler.attributes import cold
from hosts.compiler.unit import Unit
from hosts.compiler.variants import unmutated
from hosts.loader.program import load_program
from hosts.native.codegen import symbols
from hosts.native.codegen.intrinsics import load_constant, local_address
from hosts.native.memory.addresses import DOORBELL_AT, LOCAL_AT, MEMORY_AT, PAGE_BYTES
from hosts.native.memory.layout import SHARED_BYTES
from hosts.native.memory.private_words import LOCAL_BYTES, Local
from hosts.native.program import root
from tests.compiled import instructions

pytestmark = pytest.mark.timeout(60)

ADDRESS = r"-?\d+|0x[0-9a-f]+"


@cold
def something_is_due(number: int) -> int:
    """Stand for what is hardly ever called, and would overwrite many registers."""
    WRITE_ONCE(Word(number), number)
    return 0


def calls_in_passing(at: Word, other: Word, value: int) -> int:
    """Keep three numbers over a call that is hardly ever made."""
    if READ_ONCE(at) != 0:
        something_is_due(7)
    WRITE_ONCE(other, value)
    return READ_ONCE(at)


def gives_a_result_on(number: int) -> int:
    """Do something with what another function gives."""
    return 3 * something_is_due(number)


def reads_between_points(at: Word, other: Word) -> int:
    """Take an interrupt before each of two reads."""
    interrupt_point(1)
    first = READ_ONCE(at)
    interrupt_point(2)
    return first + READ_ONCE(other)


def asks_twice_where_it_is(at: Word) -> int:
    """Use an address that stays the same, before and behind what LLVM moves nothing across."""
    WRITE_ONCE(Word(load_constant(Local(local_address()).own_at)), 1)
    smp_mb()
    WRITE_ONCE(Word(load_constant(Local(local_address()).own_at)), 2)
    return 0


def has_a_seeded_bug(at: Word) -> int:
    """Do one thing, or another if a mutation is selected."""
    if mutated(3) != 0:
        WRITE_ONCE(at, 1)
    else:
        WRITE_ONCE(at, 2)
    return READ_ONCE(at)


@unmutated
def has_none(at: Word) -> int:
    """Do it where no mutation is selected."""
    return has_a_seeded_bug(at)


@pytest.fixture(scope="module")
def assembly() -> str:
    """Compile for the addresses that the machine has in a pCPU process."""
    functions = (
        *(calls_in_passing, gives_a_result_on, reads_between_points, asks_twice_where_it_is),
        *(has_a_seeded_bug, has_none),
    )
    unit = Unit({function.__name__: function for function in functions}, {interrupt_point: root.interrupt_point})
    unit.compile()
    named = symbols.symbols()
    return unit.assembly({name: named[name] for name in root.FIXED})


def test_a_word_of_the_machine_lies_where_an_instruction_can_say() -> None:
    """An address above 2 GB would take a register and an instruction of its own."""
    assert MEMORY_AT + SHARED_BYTES <= LOCAL_AT
    assert LOCAL_AT + LOCAL_BYTES <= DOORBELL_AT
    assert DOORBELL_AT + PAGE_BYTES < 1 << 31


def test_a_call_that_is_hardly_ever_made_costs_no_register(assembly: str) -> None:
    """What lives over it stays where it is: nothing is saved on the way past it."""
    code = instructions(assembly, "calls_in_passing")
    kept = r"%r(bx|bp|1[2-5])"
    assert not [line for line in code[: code.index("retq")] if re.search(kept, line) or "rsp" in line], code


def test_a_result_is_given_in_a_register(assembly: str) -> None:
    """No place for it is made on the stack, and nobody looks whether something was raised."""
    code = instructions(assembly, "gives_a_result_on")
    assert not [line for line in code if re.search(r"\(%|^cmp|^test|^j", line)], code


def test_what_is_laid_out_of_the_way_or_put_into_its_callers_exists() -> None:
    """A function that is called something else by now would go unnoticed."""
    assert {*root.COLD_FUNCTIONS, *root.INLINED_FUNCTIONS, *root.SINGLE_VERSION} <= load_program().functions.keys()


def test_an_interrupt_point_is_one_load_and_one_compare(assembly: str) -> None:
    """Each loads the doorbell anew; what it is expected to show changes only on the slow side, so it may be kept."""
    code = [line for line in instructions(assembly, "reads_between_points") if not line.startswith("push")]
    expected = rf"({LOCAL_AT + Local(0).expect}|%r\w+)"
    point = [rf"movq {DOORBELL_AT}, %r\w+", rf"cmpq {expected}, %r\w+", r"jne \S+"]
    wanted = [*point, r"movq \(%rdi\), %r\w+", *point, r"addq \(%rsi\), %r\w+"]
    assert [line for line, pattern in zip(code, wanted, strict=False) if not re.fullmatch(pattern, line)] == [], code


def test_where_a_thing_is_is_asked_once(assembly: str) -> None:
    """What was written before compiled code began is not read again behind a barrier."""
    code = instructions(assembly, "asks_twice_where_it_is")
    at = LOCAL_AT + Local(0).own_at
    assert [line for line in code if re.search(rf"\b{at}\b", line)] == [f"movq {at}, %rax"], code


def test_a_seeded_bug_that_is_not_selected_is_passed_straight(assembly: str) -> None:
    """One comparison with the selector at its address, and a branch that is not taken."""
    code = instructions(assembly, "has_a_seeded_bug")
    assert re.fullmatch(rf"cmpq \$3, ({ADDRESS})", code[0]), code
    assert code[1].startswith("je "), code
    assert "$2" in code[2], code


def test_what_runs_without_a_seeded_bug_does_not_ask_for_one(assembly: str) -> None:
    """The same function as before, for a caller that knows: no comparison and no branch."""
    assert instructions(assembly, "has_none") == ["movq $2, (%rdi)", "movq (%rdi), %rax", "retq"]
