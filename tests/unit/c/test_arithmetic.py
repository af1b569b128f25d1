"""The arithmetic of C on words: right to the last bit, and no step of it leaves a word, where hosts would differ."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from emu import c_arithmetic as c

EDGES = [0, 1, 2, 3, 7, 31, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 0x0123_4567_89AB_CDEF]
WORDS = sorted({sign * edge + near for edge in EDGES for sign in (1, -1) for near in (-1, 0, 1)} | {-(1 << 63)})
WORDS = [word for word in WORDS if -(1 << 63) <= word < 1 << 63]
BITS = [0, 1, 5, 31, 32, 33, 62, 63]


def signed(number: int) -> int:
    """Return the word of these bits."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def unsigned(word: int) -> int:
    """Return a word's bits as a number."""
    return word % (1 << 64)


def toward_zero(a: int, b: int) -> int:
    """Divide as C does."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


class Word(int):
    """A number that may not leave a word."""


def _checked(name: str) -> Callable[..., Any]:
    plain = getattr(int, name)

    def compute(one: int, *other: int) -> Any:
        result = plain(one, *other)
        assert -(1 << 63) <= result < 1 << 63, f"{one}.{name}{other} leaves a word"
        return Word(result)

    return compute


for _name in ("add", "sub", "mul", "floordiv", "mod", "and", "or", "xor", "lshift", "rshift"):
    setattr(Word, f"__{_name}__", _checked(f"__{_name}__"))
    setattr(Word, f"__r{_name}__", _checked(f"__r{_name}__"))
for _name in ("neg", "invert"):
    setattr(Word, f"__{_name}__", _checked(f"__{_name}__"))

BINARY: dict[str, tuple[Callable[[int, int], int], Callable[[int, int], int]]] = {
    "add64": (c.add64, lambda a, b: signed(a + b)),
    "sub64": (c.sub64, lambda a, b: signed(a - b)),
    "mul64": (c.mul64, lambda a, b: signed(a * b)),
    "mul32": (c.mul32, lambda a, b: a * b % (1 << 32)),
    "from_halves": (c.from_halves, lambda a, b: signed((a << 32) | b % (1 << 32))),
    "below_unsigned": (c.below_unsigned, lambda a, b: int(unsigned(a) < unsigned(b))),
}
DIVISIONS: dict[str, tuple[Callable[[int, int], int], Callable[[int, int], int]]] = {
    "quotient": (c.quotient, lambda a, b: signed(toward_zero(a, b))),
    "remainder": (c.remainder, lambda a, b: a - toward_zero(a, b) * b),
    "quotient_unsigned": (c.quotient_unsigned, lambda a, b: signed(unsigned(a) // unsigned(b))),
    "remainder_unsigned": (c.remainder_unsigned, lambda a, b: signed(unsigned(a) % unsigned(b))),
}
SHIFTS: dict[str, tuple[Callable[[int, int], int], Callable[[int, int], int]]] = {
    "shift_left": (c.shift_left, lambda a, b: signed(a << b)),
    "shift_right": (c.shift_right, operator.rshift),
    "shift_right_unsigned": (c.shift_right_unsigned, lambda a, b: signed(unsigned(a) >> b)),
}


@pytest.mark.parametrize("name", [*BINARY, *DIVISIONS, *SHIFTS])
def test_an_operation_is_right_and_stays_in_a_word(name: str) -> None:
    """On the edges of words and of their halves."""
    made, exact = {**BINARY, **DIVISIONS, **SHIFTS}[name]
    for a, b in product(WORDS, BITS if name in SHIFTS else WORDS):
        if name not in DIVISIONS or b != 0:
            assert made(Word(a), Word(b)) == exact(a, b), (a, b)


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_a_number_is_wrapped_into_its_type(bits: int) -> None:
    """The low bits, the highest of them the sign."""
    half = 1 << (bits - 1)
    for word in WORDS:
        assert getattr(c, f"wrap_s{bits}")(Word(word)) == (word + half) % (2 * half) - half


def test_bits_are_put_into_a_word() -> None:
    """The others stay."""
    for word, value, (shift, mask) in product(WORDS, WORDS, [(0, 0xFF), (32, 0xFFFF_FFFF), (56, 0xFF), (63, 1)]):
        expected = signed(word & ~(mask << shift) | (value & mask) << shift)
        assert c.with_bits(Word(word), Word(shift), Word(mask), Word(value)) == expected
