"""Every primitive on words is the instruction it should be, where it was written."""

from __future__ import annotations

import re

import pytest

from emu.memory import Word
from emu.waist import (
    READ_ONCE,
    WRITE_ONCE,
    local_read,
    local_write,
    mark,
    peek,
    smp_load_acquire,
    smp_mb,
    smp_rmb,
    smp_store_release,
    smp_wmb,
)
from tests.compiled import instructions, unit_of
from tests.conformance.primitives import FUNCTIONS

pytestmark = pytest.mark.timeout(90)  # a program of thirty functions takes 3 s to compile


def reads_then_writes(x: Word, y: Word) -> int:
    """Seven accesses whose order and number another pCPU could tell."""
    a = READ_ONCE(x)
    b = READ_ONCE(y)
    WRITE_ONCE(y, 1)
    WRITE_ONCE(x, 2)
    WRITE_ONCE(x, 3)
    c = READ_ONCE(y)
    d = READ_ONCE(x)
    return a + 2 * b + 4 * c + 8 * d


def reads_and_drops(x: Word, y: Word) -> int:
    """Reads whose values nobody uses are still reads."""
    READ_ONCE(x)
    READ_ONCE(x)
    peek(y)
    mark(y, 1)
    mark(y, 1)
    return 0


def acquires_and_releases(x: Word, y: Word) -> int:
    """x86 needs no more than ``mov`` for these."""
    a = smp_load_acquire(x)
    smp_store_release(y, a)
    return smp_load_acquire(y)


def keeps_in_register(x: Word, y: Word) -> int:
    """Private words are LLVM's to keep in registers: one read, one write."""
    local_write(x, local_read(x) + 1)
    local_write(x, local_read(x) + 1)
    return local_read(x)


def private_around_shared(x: Word, y: Word) -> int:
    """A private write comes before the store that publishes it, and a private read after the load that asks."""
    local_write(x, 5)
    smp_store_release(y, 1)
    if smp_load_acquire(y) == 0:
        return local_read(x)
    return 0


def full_barrier(x: Word, y: Word) -> int:
    """Store, barrier, load: the shape that loses an interrupt without it."""
    WRITE_ONCE(x, 1)
    smp_mb()
    return READ_ONCE(y)


def half_barriers(x: Word, y: Word) -> int:
    """No instruction, but an order."""
    WRITE_ONCE(x, 1)
    smp_wmb()
    WRITE_ONCE(y, 1)
    a = READ_ONCE(y)
    smp_rmb()
    return a + READ_ONCE(x)


ORDERED = (
    reads_then_writes,
    reads_and_drops,
    acquires_and_releases,
    keeps_in_register,
    private_around_shared,
    full_barrier,
    half_barriers,
)

LOCKED: dict[str, str] = {
    "call_xchg": r"xchgq",
    "call_cmpxchg": r"lock cmpxchgq",
    "call_test_and_set_bit": r"lock btsq",
    "call_test_and_clear_bit": r"lock btrq",
    "call_test_and_set_bit_63": r"lock btsq \$63",
    "call_set_bit": r"lock (orq|btsq)",
    "call_clear_bit": r"lock (andq|btrq)",
    "call_take_half": r"xchgl",
    "call_take_high_half": r"xchgl",
    "call_atomic_inc": r"lock (incq|addq \$1|subq \$-1|addq)",
}


@pytest.fixture(scope="module")
def assembly() -> str:
    """Compile the shapes and the locked operations into assembler text."""
    functions = {function.__name__: function for function in ORDERED} | {name: FUNCTIONS[name] for name in LOCKED}
    return unit_of(functions).assembly()


def accesses(assembly: str, name: str) -> list[str]:
    """Return how a function of two addresses touches memory: ``r`` or ``w`` and which one, ``fence``, ``lock``."""
    found: list[str] = []
    for text in instructions(assembly, name):
        memory_operand = re.search(r"\((%r[ds]i)\)", text)
        if text.startswith("lock or") and "(%rsp)" in text:
            found.append("fence")
        elif text.startswith(("lock", "xchg")):
            found.append("lock")
        elif memory_operand:
            where = {"%rdi": "x", "%rsi": "y"}[memory_operand.group(1)]
            is_write = text.endswith(memory_operand.group(0))
            assert re.match(r"(mov|add|or|test|cmp)\w* ", text), text
            if is_write and not text.startswith(("mov", "cmp", "test")):
                found.append(f"r{where}")
            found.append(("w" if is_write and not text.startswith(("cmp", "test")) else "r") + where)
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reads_then_writes", ["rx", "ry", "wy", "wx", "wx", "ry", "rx"]),
        ("reads_and_drops", ["rx", "rx", "ry", "wy", "wy"]),
        ("acquires_and_releases", ["rx", "wy", "ry"]),
        ("keeps_in_register", ["rx", "wx"]),
        ("private_around_shared", ["wx", "wy", "ry", "rx"]),
        ("full_barrier", ["wx", "fence", "ry"]),
        ("half_barriers", ["wx", "wy", "ry", "rx"]),
    ],
)
def test_accesses_stay_in_program_order(assembly: str, name: str, expected: list[str]) -> None:
    """Each READ_ONCE and WRITE_ONCE is one ``mov``, in its place; only the full barrier is an instruction."""
    assert accesses(assembly, name) == expected
    assert not re.search(r"fence", " ".join(instructions(assembly, name)))


@pytest.mark.parametrize("name", LOCKED)
def test_a_read_modify_write_is_one_locked_instruction(assembly: str, name: str) -> None:
    """Never a loop around ``cmpxchg``, which has other races than the kernel's instruction."""
    code = instructions(assembly, name)
    touching = [text for text in code if re.search(r"\(%r(?!sp)", text)]
    assert len(touching) == 1, code
    assert re.match(LOCKED[name], touching[0]), touching
    assert not [text for text in code if text.startswith("j")], code
