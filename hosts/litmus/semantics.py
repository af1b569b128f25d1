"""The semantics of instructions: what is computed from the values read, for registers and memory alike.

A value is an unsigned number of the operation's width; registers hold unsigned 64-bit numbers, flags 0 or 1, or
:data:`hosts.litmus.condition_codes.UNDEFINED`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hosts.litmus.condition_codes import FLAG_NAMES, UNDEFINED, UndefinedFlagError, fulfilled
from hosts.litmus.errors import LitmusError
from hosts.litmus.flags import Registers, added, bit_taken, combined, flagged, mask, shifted, subtracted
from hosts.litmus.mnemonics import BIT_INSTRUCTIONS, EXTENSIONS, ONLY_COMPARE, SETS, SHIFTS, TARGET_NOT_READ, WITH_CARRY
from hosts.litmus.registers import ACCUMULATOR, CF, Part
from hosts.litmus.syntax import Immediate, Instruction

NARROWEST_CLEARING: Final = 32
"""Writes of this width clear the upper half of a register; narrower ones keep what they do not write."""
MOVES: Final = EXTENSIONS | {"mov", "lea", "not"}


class Computed(NamedTuple):
    """What an instruction leaves behind."""

    written: int | None
    """What goes to the target; None if nothing does."""
    registers: Registers


def read(registers: Registers, part: Part) -> int:
    """Return what a register, or a part of one, holds."""
    return registers[part.number] >> part.shift & mask(part.bits)


def write(registers: Registers, part: Part, value: int) -> Registers:
    """Return the registers with a value written to one or to a part of it."""
    kept = 0 if part.bits >= NARROWEST_CLEARING else registers[part.number] & ~(mask(part.bits) << part.shift)
    changed = list(registers)
    changed[part.number] = kept | (value & mask(part.bits)) << part.shift
    return tuple(changed)


def compute(instruction: Instruction, bits: int, registers: Registers, target: int, source: int) -> Computed:
    """Compute, given what target and source hold (0 where the instruction does not look, or has none)."""
    name = instruction.name
    if name in MOVES or instruction.condition is not None:
        return Computed(_moved(instruction, bits, registers, target, source), registers)
    if name in ("xchg", "xadd"):
        return _exchanged(instruction, bits, registers, target, source)
    if name == "cmpxchg":
        return _compared(bits, registers, target, source)
    if name in BIT_INSTRUCTIONS:
        return _bit(name, bits, registers, target, source)
    return _calculated(instruction, bits, registers, target, source)


def _moved(instruction: Instruction, bits: int, registers: Registers, target: int, source: int) -> int:
    """Return what an instruction writes that sets no flags."""
    name = instruction.name
    if instruction.condition is not None:
        holds = condition_holds(instruction, registers)
        return int(holds) if name in SETS else source if holds else target
    if name == "movs":
        sign = source >> (instruction.source_bits - 1)
        return (source - (sign << instruction.source_bits)) & mask(bits)
    return ~target & mask(bits) if name == "not" else source


def condition_holds(instruction: Instruction, registers: Registers) -> bool:
    """Return whether an instruction's condition holds."""
    if instruction.condition is None:
        return True
    try:
        return fulfilled(instruction.condition, registers)
    except UndefinedFlagError as error:
        raise _undefined(instruction, str(error)) from None


def _carry(instruction: Instruction, registers: Registers) -> int:
    if instruction.name not in WITH_CARRY:
        return 0
    if registers[CF] == UNDEFINED:
        raise _undefined(instruction, FLAG_NAMES[CF])
    return registers[CF]


def _undefined(instruction: Instruction, flag: str) -> LitmusError:
    return LitmusError(instruction.line, f"{instruction.text} looks at {flag}, which is undefined here")


def _calculated(instruction: Instruction, bits: int, registers: Registers, target: int, source: int) -> Computed:
    name = instruction.name
    written, changed = _arithmetic(name, bits, target, source, _carry(instruction, registers))
    if name in ("inc", "dec"):
        del changed[CF]
    return Computed(None if name in ONLY_COMPARE else written, flagged(registers, changed))


def _exchanged(instruction: Instruction, bits: int, registers: Registers, target: int, source: int) -> Computed:
    if not isinstance(instruction.source, Part):
        raise TypeError(instruction.source)
    written = source
    if instruction.name == "xadd":
        written, changed = added(target, source, 0, bits)
        registers = flagged(registers, changed)
    return Computed(written, write(registers, instruction.source, target))


def _compared(bits: int, registers: Registers, target: int, source: int) -> Computed:
    """Compare with rax of the same width; what was found goes there if it differs."""
    accumulator = Part(ACCUMULATOR, bits)
    expected = read(registers, accumulator)
    registers = flagged(registers, subtracted(expected, target, 0, bits)[1])
    if expected == target:
        return Computed(source, registers)
    return Computed(None, write(registers, accumulator, target))


def _bit(name: str, bits: int, registers: Registers, target: int, source: int) -> Computed:
    bit = 1 << source % bits
    flags = flagged(registers, bit_taken(int(target & bit != 0)))
    written = {"bt": None, "bts": target | bit, "btr": target & ~bit, "btc": target ^ bit}[name]
    return Computed(written, flags)


def _arithmetic(name: str, bits: int, target: int, source: int, carry: int) -> tuple[int, dict[int, int]]:
    if name in SHIFTS:
        return shifted(name, target, source, bits)
    if name in ("add", "adc", "inc"):
        return added(target, 1 if name == "inc" else source, carry, bits)
    if name in ("sub", "sbb", "cmp", "dec"):
        return subtracted(target, 1 if name == "dec" else source, carry, bits)
    if name == "neg":
        return subtracted(0, target, 0, bits)
    return combined("and" if name == "test" else name, target, source, bits)


def reads_target(instruction: Instruction) -> bool:
    """Return whether what the target held matters."""
    return instruction.name not in TARGET_NOT_READ


def immediate(source: Immediate, bits: int) -> int:
    """Return the number in an instruction, in its width."""
    return source.value & mask(bits)
