"""Live registers: control flow between a thread's instructions, and the registers that may still be read at each.

An instruction that only computes a dead value is no reader either, so that the rounds of a loop that counts to no
purpose are one state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hosts.litmus.condition_codes import FLAGS_READ
from hosts.litmus.mnemonics import (
    BIT_INSTRUCTIONS,
    FLUSHES,
    JUMPS,
    NO_EFFECT,
    NO_FLAGS,
    ONLY_COMPARE,
    SHIFTS,
    WITH_CARRY,
)
from hosts.litmus.registers import ACCUMULATOR, CF, FLAGS, ZF, Part
from hosts.litmus.semantics import NARROWEST_CLEARING, reads_target
from hosts.litmus.syntax import Direct, Immediate, Indirect, Instruction, Operand

Numbers = frozenset[int]
NONE: Final[Numbers] = frozenset()
FLAG_NUMBERS: Final = frozenset(FLAGS)


def memory_operand(instruction: Instruction) -> Direct | Indirect | None:
    """Return the operand in memory that an instruction reads or writes."""
    if instruction.name == "lea" or instruction.name in NO_EFFECT:
        return None
    for operand in (instruction.target, instruction.source):
        if isinstance(operand, (Direct, Indirect)):
            return operand
    return None


def successors(instructions: Sequence[Instruction], at: int) -> Iterator[int]:
    """Return the instructions that may come right after one; their number is the end."""
    instruction = instructions[at]
    if instruction.jump_target is not None:
        yield instruction.jump_target
    if instruction.name not in JUMPS or instruction.condition is not None:
        yield at + 1


def future_accesses(instructions: Sequence[Instruction], accessed: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return for each instruction, and for the end, the words that may be read and written from there on, as bit sets.

    ``accessed``: those of each instruction alone.
    """
    futures = [*accessed, (0, 0)]
    changed = True
    while changed:
        changed = False
        for at in reversed(range(len(accessed))):
            reads, writes = futures[at]
            for to in successors(instructions, at):
                reads, writes = reads | futures[to][0], writes | futures[to][1]
            changed |= futures[at] != (reads, writes)
            futures[at] = reads, writes
    return futures


def live_registers(instructions: Sequence[Instruction], observed: Numbers) -> list[Numbers]:
    """Return for each instruction, and for the end, the live registers."""
    return _backwards(instructions, observed, None)


def needed_registers(instructions: Sequence[Instruction], live: Sequence[Numbers]) -> list[Numbers]:
    """As :func:`living`, which has given ``live``, those that an instruction may read, as its result is live."""
    return _backwards(instructions, NONE, live)


def _backwards(instructions: Sequence[Instruction], last: Numbers, live: Sequence[Numbers] | None) -> list[Numbers]:
    found = [NONE] * len(instructions) + [last]
    useful = found if live is None else live
    changed = True
    while changed:
        changed = False
        for at in reversed(range(len(instructions))):
            after = list(successors(instructions, at))
            used = NONE.union(*(useful[each] for each in after))
            before = _before(instructions[at], NONE.union(*(found[each] for each in after)), used)
            changed |= before != found[at]
            found[at] = before
    return found


def _before(instruction: Instruction, after: Numbers, useful: Numbers) -> Numbers:
    noticed = memory_operand(instruction) is not None or instruction.name in JUMPS or instruction.name in FLUSHES
    if not noticed and not _written(instruction) & useful:
        return after
    return after - _overwritten(instruction) | _read(instruction)


def _written(instruction: Instruction) -> Numbers:
    """Return the registers and flags that may be another afterwards."""
    if instruction.name in NO_EFFECT or instruction.name in JUMPS:
        return NONE
    written = _flags(instruction)
    if isinstance(instruction.target, Part) and instruction.name not in ONLY_COMPARE:
        written |= {instruction.target.number}
    if instruction.name in ("xchg", "xadd") and isinstance(instruction.source, Part):
        written |= {instruction.source.number}
    return written | ({ACCUMULATOR} if instruction.name == "cmpxchg" else NONE)


def _flags(instruction: Instruction) -> Numbers:
    """Return the flags that are set, cleared or left undefined."""
    name = instruction.name
    if name in NO_FLAGS or instruction.condition is not None:
        return NONE
    if name in ("inc", "dec"):
        return FLAG_NUMBERS - {CF}
    return FLAG_NUMBERS - {ZF} if name in BIT_INSTRUCTIONS else FLAG_NUMBERS


def _overwritten(instruction: Instruction) -> Numbers:
    """Return what is another afterwards whatever it was before."""
    if instruction.name in SHIFTS and not _surely_shifts(instruction):
        return NONE
    if instruction.name in ("cmpxchg", *NO_EFFECT) or instruction.name.startswith("cmov"):
        return _flags(instruction)
    parts: list[Operand | None] = [instruction.target] if instruction.name not in ONLY_COMPARE else []
    parts += [instruction.source] if instruction.name in ("xchg", "xadd") else []
    whole = {each.number for each in parts if isinstance(each, Part) and each.bits >= NARROWEST_CLEARING}
    return _flags(instruction) | whole


def _surely_shifts(instruction: Instruction) -> bool:
    """Return whether a shift's count is not 0, in which case it leaves the flags as they are."""
    return isinstance(instruction.source, Immediate) and instruction.source.value % NARROWEST_CLEARING != 0


def _read(instruction: Instruction) -> Numbers:
    """Return what the instruction depends on."""
    looked = set(FLAGS_READ[instruction.condition.code]) if instruction.condition is not None else set()
    looked |= {CF} if instruction.name in WITH_CARRY else set()
    looked |= {ACCUMULATOR} if instruction.name == "cmpxchg" else set()
    for operand in (instruction.target, instruction.source):
        if isinstance(operand, Indirect):
            looked |= {each.number for each in operand.registers}
    if isinstance(instruction.source, Part):
        looked.add(instruction.source.number)
    target = instruction.target
    if isinstance(target, Part) and (reads_target(instruction) or target.bits < NARROWEST_CLEARING):
        looked.add(target.number)
    return frozenset(looked)
