"""What an instruction computes from the values it finds, for registers and memory alike.

A value is an unsigned number of the operation's width; registers hold unsigned 64-bit numbers, flags 0 or 1.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hosts.litmus.assembly import BITS, CONDITIONS
from hosts.litmus.registers import ACCUMULATOR, CF, COUNT, SF, ZF, Part
from hosts.litmus.syntax import Immediate, Instruction

Registers = tuple[int, ...]

NARROWEST_CLEARING: Final = 32
"""Writes of this width clear the upper half of a register; narrower ones keep what they do not write."""
UNREAD: Final = frozenset({"mov", *CONDITIONS})
"""Instructions that do not look at what they overwrite."""


class Computed(NamedTuple):
    """What an instruction leaves behind."""

    written: int | None
    """What goes to the target; None if nothing does."""
    registers: Registers


def mask(bits: int) -> int:
    """Give a number of that many set bits."""
    return (1 << bits) - 1


def read(registers: Registers, part: Part) -> int:
    """Give what a register, or a part of one, holds."""
    return registers[part.number] >> part.shift & mask(part.bits)


def write(registers: Registers, part: Part, value: int) -> Registers:
    """Put a value into a register or a part of one."""
    kept = 0 if part.bits >= NARROWEST_CLEARING else registers[part.number] & ~(mask(part.bits) << part.shift)
    changed = list(registers)
    changed[part.number] = kept | (value & mask(part.bits)) << part.shift
    return tuple(changed)


def compute(instruction: Instruction, bits: int, registers: Registers, target: int, source: int) -> Computed:
    """Compute, given what target and source hold (0 where the instruction does not look, or has none)."""
    name = instruction.name
    if name == "mov":
        return Computed(source, registers)
    if name in CONDITIONS:
        flag, wanted = CONDITIONS[name][-2:], int(not CONDITIONS[name].startswith("not"))
        return Computed(int(registers[{"zf": ZF, "cf": CF, "sf": SF}[flag]] == wanted), registers)
    if name in ("xchg", "xadd"):
        return _exchanged(instruction, bits, registers, target, source)
    if name == "cmpxchg":
        return _compared(bits, registers, target, source)
    if name in BITS:
        return _bit(name, bits, registers, target, source)
    return _arithmetic(name, bits, registers, target, source)


def _exchanged(instruction: Instruction, bits: int, registers: Registers, target: int, source: int) -> Computed:
    if not isinstance(instruction.source, Part):
        raise TypeError(instruction.source)
    written: int | None = source
    if instruction.name == "xadd":
        written, registers = _arithmetic("add", bits, registers, target, source)
    return Computed(written, write(registers, instruction.source, target))


def _compared(bits: int, registers: Registers, target: int, source: int) -> Computed:
    """Compare with rax of the same width; what was found goes there if it differs."""
    accumulator = Part(ACCUMULATOR, bits)
    expected = read(registers, accumulator)
    _, registers = _arithmetic("cmp", bits, registers, expected, target)
    if expected == target:
        return Computed(source, registers)
    return Computed(None, write(registers, accumulator, target))


def _bit(name: str, bits: int, registers: Registers, target: int, source: int) -> Computed:
    """Only CF tells anything after these; the manual leaves SF undefined and ZF alone."""
    bit = 1 << source % bits
    flags = _flagged(registers, cf=int(target & bit != 0))
    written = {"bt": None, "bts": target | bit, "btr": target & ~bit, "btc": target ^ bit}[name]
    return Computed(written, flags)


def _arithmetic(name: str, bits: int, registers: Registers, target: int, source: int) -> Computed:
    if name in ("inc", "dec"):
        source = 1
    if name == "not":
        return Computed(~target & mask(bits), registers)
    if name == "neg":
        target, source = 0, target
    result = {
        "add": target + source,
        "inc": target + source,
        "sub": target - source,
        "dec": target - source,
        "neg": target - source,
        "cmp": target - source,
        "and": target & source,
        "test": target & source,
        "or": target | source,
        "xor": target ^ source,
    }[name]
    written = result & mask(bits)
    carry = registers[CF] if name in ("inc", "dec") else int(result != written)
    flags = _flagged(registers, zf=int(written == 0), sf=written >> (bits - 1), cf=carry)
    return Computed(None if name in ("cmp", "test") else written, flags)


def _flagged(registers: Registers, *, cf: int, zf: int | None = None, sf: int | None = None) -> Registers:
    flags = (registers[ZF] if zf is None else zf, registers[SF] if sf is None else sf, cf)
    return (*registers[:ZF], *flags, *registers[CF + 1 : COUNT])


def looks_at_target(instruction: Instruction) -> bool:
    """Tell whether what the target held matters."""
    return instruction.name not in UNREAD


def immediate(source: Immediate, bits: int) -> int:
    """Give the number in an instruction, in its width."""
    return source.value & mask(bits)
