"""The flags after an instruction, and the sums that set them."""

from __future__ import annotations

from typing import Final

from hosts.litmus.condition_codes import UNDEFINED
from hosts.litmus.registers import CF, COUNT, FLAGS, OF, PF, SF, ZF

Registers = tuple[int, ...]

LOW_BYTE: Final = 0xFF


def mask(bits: int) -> int:
    """Return a number of that many set bits."""
    return (1 << bits) - 1


def flagged(registers: Registers, changed: dict[int, int]) -> Registers:
    """Return the registers with these flags."""
    flags = (changed.get(each, registers[each]) for each in FLAGS)
    return (*registers[: FLAGS.start], *flags, *registers[FLAGS.stop : COUNT])


def of_result(result: int, bits: int) -> dict[int, int]:
    """Return the flags that depend on a result alone."""
    even = (result & LOW_BYTE).bit_count() % 2 == 0
    return {ZF: int(result == 0), SF: result >> (bits - 1), PF: int(even)}


def added(one: int, other: int, carry: int, bits: int) -> tuple[int, dict[int, int]]:
    """Add; return the sum and all flags."""
    total = one + other + carry
    result = total & mask(bits)
    overflow = ~(one ^ other) & (one ^ result)
    return result, of_result(result, bits) | {CF: total >> bits, OF: overflow >> (bits - 1) & 1}


def subtracted(one: int, other: int, borrow: int, bits: int) -> tuple[int, dict[int, int]]:
    """Subtract; return the difference and all flags."""
    result = (one - other - borrow) & mask(bits)
    overflow = (one ^ other) & (one ^ result)
    return result, of_result(result, bits) | {CF: int(one < other + borrow), OF: overflow >> (bits - 1) & 1}


def combined(name: str, one: int, other: int, bits: int) -> tuple[int, dict[int, int]]:
    """Combine bit by bit; return the result and all flags."""
    result = {"and": one & other, "or": one | other, "xor": one ^ other}[name]
    return result, of_result(result, bits) | {CF: 0, OF: 0}


def shifted(name: str, value: int, count: int, bits: int) -> tuple[int, dict[int, int]]:
    """Shift; return the result and the flags that change. A count has 5 bits, 6 for a wide operand."""
    count &= 63 if bits == 64 else 31  # noqa: PLR2004
    if count == 0:
        return value, {}
    sign = value >> (bits - 1)
    signed = value - (sign << bits)
    if name == "shl":
        result, out = value << count & mask(bits), value << count >> bits & 1
        overflow = result >> (bits - 1) ^ out
    elif name == "shr":
        result, out, overflow = value >> count, value >> (count - 1) & 1, sign
    else:
        result, out, overflow = signed >> count & mask(bits), signed >> (count - 1) & 1, 0
    lost = name != "sar" and count >= bits
    changed = {CF: UNDEFINED if lost else out, OF: overflow if count == 1 else UNDEFINED}
    return result, of_result(result, bits) | changed


def bit_taken(bit: int) -> dict[int, int]:
    """Return the flags after a bit test: CF is the bit, ZF is unchanged, the others are undefined."""
    return {CF: bit, SF: UNDEFINED, OF: UNDEFINED, PF: UNDEFINED}
