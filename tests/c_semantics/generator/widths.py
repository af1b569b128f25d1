"""C's integer types on x86-64, and what becomes of them in an expression (C11, 6.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Width:
    """An integer type, under one of its names."""

    name: str
    bits: int
    signed: bool

    def same(self, other: Width) -> bool:
        """Return whether it is the same type but for its name."""
        return (self.bits, self.signed) == (other.bits, other.signed)


BOOL: Final = Width("bool", 1, signed=False)
U8: Final = Width("u8", 8, signed=False)
S8: Final = Width("s8", 8, signed=True)
U16: Final = Width("u16", 16, signed=False)
S16: Final = Width("s16", 16, signed=True)
U32: Final = Width("u32", 32, signed=False)
INT: Final = Width("int", 32, signed=True)
U64: Final = Width("u64", 64, signed=False)
S64: Final = Width("s64", 64, signed=True)

DISTINCT: Final = (BOOL, U8, S8, U16, S16, INT, U32, S64, U64)
"""One name of each type."""

NAMED: Final = (
    *DISTINCT,
    Width("s32", 32, signed=True),
    Width("unsigned int", 32, signed=False),
    Width("unsigned", 32, signed=False),
    Width("long", 64, signed=True),
    Width("unsigned long", 64, signed=False),
    Width("unsigned long long", 64, signed=False),
    Width("long long", 64, signed=True),
    Width("unsigned char", 8, signed=False),
    Width("signed char", 8, signed=True),
    Width("short", 16, signed=True),
    Width("unsigned short", 16, signed=False),
)

WIDTHS: Final = {width.name: width for width in NAMED}


def promoted(width: Width) -> Width:
    """Return what a value of a type is before it is computed with."""
    return INT if width.bits < INT.bits else width


def common(one: Width, other: Width) -> Width:
    """Return the type in which two values are computed with."""
    one, other = promoted(one), promoted(other)
    if one.bits != other.bits:
        return one if one.bits > other.bits else other
    return other if one.signed else one


def in_width(value: int, width: Width) -> int:
    """Return what is left of a number in a type."""
    if width.bits == 1:
        return int(value != 0)
    value &= (1 << width.bits) - 1
    return value - (1 << width.bits) if width.signed and value >> (width.bits - 1) else value
