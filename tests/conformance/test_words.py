# ruff: noqa: D103 - a function is named after what it calls

"""Every primitive on words means the same on the plain host and in compiled code, and is the instruction it should be.

Each primitive is called through one function of three numbers, ``function(at, a, b)``, with random words, all bit
positions, and the vectors at both ends of each PIR word; the result and the memory afterwards must agree.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable

import pytest

from emu import waist
from emu.machine import Machine
from emu.memory import Word
from emu.waist import (
    BIT,
    READ_ONCE,
    WRITE_ONCE,
    atomic_inc,
    clear_bit,
    cmpxchg,
    fls64,
    hweight64,
    local_read,
    local_write,
    mark,
    memory,
    mutated,
    peek,
    set_bit,
    smp_load_acquire,
    smp_mb,
    smp_rmb,
    smp_store_release,
    smp_wmb,
    test_and_clear_bit,
    test_and_set_bit,
    trace,
    xchg,
)
from hosts.native import ring
from hosts.native.layout import Local, Ring
from hosts.sequential import BASE, SequentialHost, signed
from tests.compiled import Compiled, instructions, unit_of

# Thirty functions of a line or two take 3 s to compile, and there are three such programs.
pytestmark = pytest.mark.timeout(90)

# Not tests, whatever pytest thinks of kernel names.
test_and_set_bit.__test__ = test_and_clear_bit.__test__ = False

LOCAL_WORDS = (Local.nbytes + Ring.nbytes) // 8
VECTORS = (31, 32, 63, 64, 127, 128, 191, 192, 255)


def call_read_once(at: Word, a: int, b: int) -> int:
    return READ_ONCE(at)


def call_write_once(at: Word, a: int, b: int) -> int:
    WRITE_ONCE(at, a)
    return 0


def call_load_acquire(at: Word, a: int, b: int) -> int:
    return smp_load_acquire(at)


def call_store_release(at: Word, a: int, b: int) -> int:
    smp_store_release(at, a)
    return 0


def call_xchg(at: Word, a: int, b: int) -> int:
    return xchg(at, a)


def call_cmpxchg(at: Word, a: int, b: int) -> int:
    return cmpxchg(at, a, b)


def call_cmpxchg_that_succeeds(at: Word, a: int, b: int) -> int:
    return cmpxchg(at, READ_ONCE(at), b)


def call_test_and_set_bit(at: Word, a: int, b: int) -> int:
    return test_and_set_bit(a & 63, at)


def call_test_and_clear_bit(at: Word, a: int, b: int) -> int:
    return test_and_clear_bit(a & 63, at)


def call_test_and_set_bit_63(at: Word, a: int, b: int) -> int:
    return test_and_set_bit(63, at)


def call_set_bit(at: Word, a: int, b: int) -> int:
    set_bit(a & 63, at)
    return 0


def call_clear_bit(at: Word, a: int, b: int) -> int:
    clear_bit(a & 63, at)
    return 0


def call_atomic_inc(at: Word, a: int, b: int) -> int:
    atomic_inc(at)
    return 0


def call_fences(at: Word, a: int, b: int) -> int:
    WRITE_ONCE(at, a)
    smp_mb()
    smp_wmb()
    smp_rmb()
    return READ_ONCE(at)


def call_local_read(at: Word, a: int, b: int) -> int:
    return local_read(at)


def call_local_write(at: Word, a: int, b: int) -> int:
    local_write(at, a)
    return local_read(at)


def call_peek(at: Word, a: int, b: int) -> int:
    return peek(at)


def call_mark(at: Word, a: int, b: int) -> int:
    mark(at, a)
    return peek(at)


def call_trace(at: Word, a: int, b: int) -> int:
    WRITE_ONCE(at, a)
    trace(a & 0xFF, b & 0xFF)
    return READ_ONCE(at)


def call_memory(at: Word, a: int, b: int) -> int:
    return at - memory()


def call_bit(at: Word, a: int, b: int) -> int:
    return BIT(a & 63)


def call_fls64(at: Word, a: int, b: int) -> int:
    return fls64(a)


def call_hweight64(at: Word, a: int, b: int) -> int:
    return hweight64(a)


def call_mutated(at: Word, a: int, b: int) -> int:
    return mutated(a & 1)


def call_pir_bit_of_a_vector(at: Word, a: int, b: int) -> int:
    """What the protocol does with a vector: word and bit from one number, and back."""
    vector = a & 255
    was = test_and_set_bit(vector & 63, Word(at + (vector >> 6) * 8))
    bits = READ_ONCE(Word(at + (vector >> 6) * 8))
    return ((vector >> 6) * 64 + fls64(bits) - 1) * 2 + was


def call_word_arithmetic(at: Word, a: int, b: int) -> int:
    """The operators that agree on signed words: ``& | ^ ~ >>``, comparison, and arithmetic on small numbers."""
    shifted = (a >> (b & 63)) ^ ~(a & b) ^ (a | b)
    small = (a & 0xFFFF) * 3 - (b & 0xFF) // 7 + (a & 0xFFF) % 5
    order = (1 if a < b else 0) + (2 if a == b else 0) + (4 if a & BIT(63) != 0 else 0) + (8 if a >= 0 else 0)
    return shifted ^ (small * 16 + order)


FUNCTIONS: dict[str, Callable[[Word, int, int], int]] = {
    name: value for name, value in dict(globals()).items() if name.startswith("call_")
}


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """Compile all of them over a machine; its events go elsewhere."""
    made = Compiled(FUNCTIONS, Machine.nbytes // 8, {waist.trace: ring.trace}, LOCAL_WORDS)
    made.local[Local(0).ring_at // 8] = made.local.ctypes.data + Local.nbytes
    return made


def numbers(seed: int) -> Iterable[tuple[int, int, int]]:
    """Give what the word holds and two operands: each edge in each place, every bit, every vector, random words."""
    draw = random.Random(seed)
    any_word = [0, 1, -1, (1 << 63) - 1, -(1 << 63), *(signed(1 << nr) for nr in range(64)), *VECTORS]
    any_word += [~word for word in any_word] + [signed(draw.getrandbits(64)) for _ in range(100)]
    for word in any_word:
        yield word, draw.choice(any_word), draw.choice(any_word)
        yield draw.choice(any_word), word, draw.choice(any_word)
        yield draw.choice(any_word), draw.choice(any_word), word
        yield word, word, ~word
        for operand in (*range(64), *VECTORS):
            yield word, operand, draw.choice(any_word)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_is_plain(compiled: Compiled, name: str) -> None:
    """Result and memory agree, and no other word changes."""
    function = getattr(compiled, name)
    host = SequentialHost()
    at = host.machine.vcpus[1].pi_desc.pir[0]
    index = (at - BASE) // 8
    around = slice(index - 8, index + 16)
    with host:
        for word, a, b in numbers(len(name)):
            # Four words, as of a PIR, each another one; all else is zero.
            for i in range(4):
                host.words[index + i] = compiled.words[index + i] = signed(word * (2 * i + 1))
            plain = FUNCTIONS[name](at, a, b)
            native = function(compiled.base + index * 8, a, b)
            assert native == plain, (word, a, b)
            assert compiled.words[around].tolist() == host.words[around], (word, a, b)
    assert compiled.words.tolist() == host.words


def test_one_mutation_is_selected(compiled: Compiled) -> None:
    """``mutated`` compares with the word in the machine's configuration."""
    selected = Machine(0).config.mutation // 8
    for number in (0, 1, 2):
        compiled.words[selected] = number
        assert [compiled.call_mutated(0, 0, 0), compiled.call_mutated(0, 1, 0)] == [number == 0, number == 1]
    compiled.words[selected] = 0


# --- machine code ------------------------------------------------------------------------------------------------


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
    "call_atomic_inc": r"lock (incq|addq \$1|subq \$-1|addq)",
}


@pytest.fixture(scope="module")
def assembly() -> str:
    """Compile the shapes and the locked operations into assembler text."""
    functions = {function.__name__: function for function in ORDERED} | {name: FUNCTIONS[name] for name in LOCKED}
    return unit_of(functions).assembly()


def accesses(assembly: str, name: str) -> list[str]:
    """Give how a function of two addresses touches memory: ``r`` or ``w`` and which one, ``fence``, ``lock``."""
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
