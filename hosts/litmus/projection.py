"""A thread of a litmus test as the reduced search wants it: what it may still do, and what is only still asked for."""

from __future__ import annotations

from typing import Final

from hosts.litmus.automaton import Program, alive
from hosts.litmus.buffer_depth import is_locked
from hosts.litmus.condition_codes import FLAG_NAMES, UNDEFINED
from hosts.litmus.flags import mask
from hosts.litmus.live_registers import ahead, memory_operand, needed
from hosts.litmus.locations import Locations
from hosts.litmus.mnemonics import ONLY_COMPARE
from hosts.litmus.semantics import looks_at_target
from hosts.litmus.syntax import Instruction, Named, Test

GONE: Final = 1 << 64
"""In a register, or a location: what it holds has been observed, and nobody will look at it before it is written."""


class PartedProgram(Program):
    """One thread."""

    def __init__(self, test: Test, thread: int, locations: Locations) -> None:
        super().__init__(test, thread, locations)
        self._needed = needed(self._instructions, self._live)
        self._futures = ahead(self._instructions, [self._accessed(each) for each in self._instructions])
        self._parted: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {}

    def future(self, local: int) -> tuple[int, int]:
        """Give the words that may be read, and those that may be written, from a local state on, as bit sets."""
        return self._futures[self._locals[local].at]

    def parted(self, local: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Give a local state without registers that only the condition will look at, and what these hold."""
        if local not in self._parted:
            state = self._locals[local]
            settled = alive(self._live, state) - alive(self._needed, state)
            settled -= {flag for flag in FLAG_NAMES if state.registers[flag] == UNDEFINED}  # seen to at the end
            left = tuple(GONE if number in settled else value for number, value in enumerate(state.registers))
            held = tuple((each, state.registers[each]) for each in sorted(settled) if state.registers[each] != GONE)
            self._parted[local] = self._number(state._replace(registers=left)), held
        return self._parted[local]

    def _accessed(self, instruction: Instruction) -> tuple[int, int]:
        """Give the words that an instruction may read, and those that it may write, as bit sets."""
        operand = memory_operand(instruction)
        if operand is None:
            return 0, 0
        words = mask(len(self._accesses.locations.all))
        if isinstance(operand, Named):
            words = 1 << self._accesses.find(instruction, operand, ()).word
        writes = operand is instruction.target and instruction.name not in ONLY_COMPARE
        reads = operand is not instruction.target or looks_at_target(instruction) or is_locked(instruction)
        return words if reads else 0, words if writes else 0
