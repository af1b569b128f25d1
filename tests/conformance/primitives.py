# ruff: noqa: D103 - a function is named after what it calls

"""The primitives of the waist as every host is tested with them.

``FUNCTIONS`` calls each through one function of three numbers, ``function(at, a, b)``; ``numbers`` are the operands:
random words, all bit positions, the vectors at both ends of each PIR word. ``DRAINS`` and ``DOES_NOT`` say which
operations have to be done only after the stores before them have reached memory, and which must not wait for that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

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
    take_half,
    test_and_clear_bit,
    test_and_set_bit,
    trace,
    xchg,
)
from hosts.word64 import signed

# Not tests, whatever pytest thinks of kernel names.
test_and_set_bit.__test__ = test_and_clear_bit.__test__ = False

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


def call_take_half(at: Word, a: int, b: int) -> int:
    return take_half(at, 0)


def call_take_high_half(at: Word, a: int, b: int) -> int:
    return take_half(at, 1)


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


def numbers(seed: int) -> Iterable[tuple[int, int, int]]:
    """Return what the word holds and two operands: each edge in each place, every bit, every vector, random words."""
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


DRAINS = {
    "smp_mb": "smp_mb()",
    "xchg": "xchg(scratch, 1)",
    "cmpxchg that succeeds": "cmpxchg(scratch, READ_ONCE(scratch), 1)",
    "cmpxchg that fails": "cmpxchg(scratch, 77, 1)",
    "test_and_set_bit of a set bit": "test_and_set_bit(0, scratch)",
    "test_and_set_bit": "test_and_set_bit(63, scratch)",
    "test_and_clear_bit": "test_and_clear_bit(63, scratch)",
    "set_bit": "set_bit(1, scratch)",
    "clear_bit": "clear_bit(1, scratch)",
    "atomic_inc": "atomic_inc(scratch)",
    "take_half": "take_half(scratch, 1)",
}
SWITCHES = {"switch_to": "switch_to(scratch, scratch + 8)"}
"""Of the hosts that have tasks. The other task switches back at once."""
DOES_NOT = {
    "nothing": "pass",
    "smp_wmb": "smp_wmb()",
    "smp_rmb": "smp_rmb()",
    "READ_ONCE": "READ_ONCE(scratch)",
    "WRITE_ONCE": "WRITE_ONCE(scratch, 1)",
    "smp_store_release": "smp_store_release(scratch, 1)",
    "smp_load_acquire": "smp_load_acquire(scratch)",
    "local_write": "local_write(scratch, 1)",
    "mark": "mark(scratch, 1)",
    "peek": "peek(scratch)",
    "trace": "trace(1, scratch & 0xFF)",
}
