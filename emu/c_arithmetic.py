"""Arithmetic of C on signed 64-bit words, where Python's differs: wrap-around, shifts, division.

Only programs with functions translated from C have these. A number of type ``unsigned long`` is the word of the same
bits, so negative from 2**63 on; every other one is itself. All intermediate results stay inside of a word, because
plain Python does not wrap and compiled code does.
"""

from __future__ import annotations

from emu.waist import BIT


def wrap_s8(value: int) -> int:
    """Return the low 8 bits as a signed number."""
    return ((value & 0xFF) ^ 0x80) - 0x80


def wrap_s16(value: int) -> int:
    """Return the low 16 bits as a signed number."""
    return ((value & 0xFFFF) ^ 0x8000) - 0x8000


def wrap_s32(value: int) -> int:
    """Return the low 32 bits as a signed number."""
    return ((value & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000


def from_halves(high: int, low: int) -> int:
    """Return the word with these halves, of which only the low 32 bits count."""
    return (((high & 0xFFFF_FFFF) ^ 0x8000_0000) - 0x8000_0000) << 32 | (low & 0xFFFF_FFFF)


def add64(value: int, word: int) -> int:
    """Add modulo 2**64."""
    low = (value & 0xFFFF_FFFF) + (word & 0xFFFF_FFFF)
    return from_halves((value >> 32) + (word >> 32) + (low >> 32), low)


def sub64(value: int, word: int) -> int:
    """Subtract modulo 2**64."""
    low = (value & 0xFFFF_FFFF) - (word & 0xFFFF_FFFF)
    return from_halves((value >> 32) - (word >> 32) + (low >> 32), low)


def mul32(value: int, word: int) -> int:
    """Multiply the low 32 bits modulo 2**32."""
    whole = word & 0xFFFF_FFFF
    return ((value & 0xFFFF) * whole + ((((value >> 16) & 0xFFFF) * (whole & 0xFFFF) & 0xFFFF) << 16)) & 0xFFFF_FFFF


def mul64(value: int, word: int) -> int:
    """Multiply modulo 2**64."""
    whole = word & 0xFFFF_FFFF
    first = (value & 0xFFFF) * whole
    second = ((value >> 16) & 0xFFFF) * whole
    low = first + ((second & 0xFFFF) << 16)
    high = (second >> 16) + (low >> 32) + mul32(value >> 32, word) + mul32(value, word >> 32)
    return from_halves(high, low)


def shift_left(value: int, bits: int) -> int:
    """Shift left by 0..63 modulo 2**64."""
    return mul64(value, BIT(bits))


def shift_right(value: int, bits: int) -> int:
    """Shift right by 0..63, the sign kept."""
    return value >> bits


def shift_right_unsigned(value: int, bits: int) -> int:
    """Shift right by 0..63, zeros coming in."""
    if bits == 0:
        return value
    return (value >> bits) & (BIT(64 - bits) - 1 if bits != 1 else 0x7FFF_FFFF_FFFF_FFFF)


def below_unsigned(value: int, word: int) -> int:
    """Return 1 if the one is less than the other, both without sign."""
    return 1 if value ^ BIT(63) < word ^ BIT(63) else 0


def quotient(value: int, divisor: int) -> int:
    """Divide signed numbers, rounding toward 0."""
    if divisor == -1:
        return sub64(0, value)
    if divisor == 1:
        return value
    upper = value if value < 0 else -value
    lower = divisor if divisor < 0 else -divisor
    result = upper // lower
    return result if (value < 0) == (divisor < 0) else -result


def remainder(value: int, divisor: int) -> int:
    """Return what is left of a signed division; it has the sign of what is divided."""
    return value - quotient(value, divisor) * divisor if divisor != -1 else 0


def quotient_unsigned(value: int, divisor: int) -> int:
    """Divide numbers of 64 bits without sign."""
    if divisor < 0:
        return 1 - below_unsigned(value, divisor)
    if value >= 0:
        return value // divisor
    if divisor == 1:
        return value
    result = shift_right_unsigned(value, 1) // divisor * 2
    left = sub64(value, mul64(result, divisor))
    return result + 1 - below_unsigned(left, divisor)


def remainder_unsigned(value: int, divisor: int) -> int:
    """Return what is left of such a division."""
    return sub64(value, mul64(quotient_unsigned(value, divisor), divisor))


def with_bits(word: int, shift: int, mask: int, value: int) -> int:
    """Return a word with other bits in one place: those of ``mask``, from ``shift`` on."""
    return (word & ~shift_left(mask, shift)) | shift_left(value & mask, shift)
