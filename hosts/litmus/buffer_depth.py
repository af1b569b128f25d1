"""The depth of the store buffer that a thread can fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hosts.litmus.live_registers import memory_operand, successors
from hosts.litmus.mnemonics import ONLY_COMPARE
from hosts.litmus.syntax import Instruction

ROUNDS: Final = 4
"""Of a loop that stores and waits for nothing: so many rounds of its stores."""


def is_locked(instruction: Instruction) -> bool:
    """Return whether an instruction is one locked operation; an exchange with memory always is."""
    return instruction.locked or (instruction.name == "xchg" and memory_operand(instruction) is not None)


def buffer_depth(instructions: Sequence[Instruction]) -> int:
    """Return the most stores between two instructions that wait for the buffer, on any way through a thread.

    If a loop stores and waits for nothing there is no such number: then it is :data:`ROUNDS` times what one way holds,
    and the search says so if a store has to wait for room (bounded by ``buffer``).
    """
    stores = sum(map(_stores, instructions))
    limit = stores * ROUNDS
    most = [0] * (len(instructions) + 1)
    due = list(range(len(instructions)))
    while due:
        at = due.pop()
        instruction = instructions[at]
        after = 0 if _waits(instruction) else min(most[at] + _stores(instruction), limit)
        for to in successors(instructions, at):
            if after > most[to]:
                most[to] = after
                due += [to] if to < len(instructions) else []
    return max((most[at] + _stores(each) for at, each in enumerate(instructions)), default=0)


def _stores(instruction: Instruction) -> int:
    written = memory_operand(instruction) is instruction.target and instruction.target is not None
    return int(written and instruction.name not in ONLY_COMPARE and not is_locked(instruction))


def _waits(instruction: Instruction) -> bool:
    return instruction.name == "mfence" or is_locked(instruction)
