"""Projection of a thread's states for the reduced search: what is only observed is split off."""

from __future__ import annotations

from typing import Final

from hosts.litmus.automaton import ThreadAutomaton, live_in
from hosts.litmus.buffer_depth import is_locked
from hosts.litmus.condition_codes import FLAG_NAMES, UNDEFINED
from hosts.litmus.flags import mask
from hosts.litmus.live_registers import future_accesses, memory_operand, needed_registers
from hosts.litmus.locations import Locations
from hosts.litmus.mnemonics import ONLY_COMPARE
from hosts.litmus.semantics import reads_target
from hosts.litmus.syntax import Direct, Instruction, Test

PROJECTED: Final = 1 << 64
"""In a register, or a location: its value has been observed, and is not read before it is written."""


class ProjectedThread(ThreadAutomaton):
    """One thread."""

    def __init__(self, test: Test, thread: int, locations: Locations) -> None:
        super().__init__(test, thread, locations)
        self._needed = needed_registers(self._instructions, self._live)
        self._futures = future_accesses(self._instructions, [self._accessed(each) for each in self._instructions])
        self._projected: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {}

    def future(self, local: int) -> tuple[int, int]:
        """Return the words that may be read, and those that may be written, from a local state on, as bit sets."""
        return self._futures[self._locals[local].at]

    def project(self, local: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Return a local state without the registers that only the final condition reads, and what these hold."""
        if local not in self._projected:
            state = self._locals[local]
            observed = live_in(self._live, state) - live_in(self._needed, state)
            observed -= {flag for flag in FLAG_NAMES if state.registers[flag] == UNDEFINED}  # seen to at the end
            left = tuple(PROJECTED if number in observed else value for number, value in enumerate(state.registers))
            held = ((each, state.registers[each]) for each in sorted(observed))
            kept = self._number(state._replace(registers=left))
            self._projected[local] = kept, tuple((each, value) for each, value in held if value != PROJECTED)
        return self._projected[local]

    def _accessed(self, instruction: Instruction) -> tuple[int, int]:
        """Return the words that an instruction may read, and those that it may write, as bit sets."""
        operand = memory_operand(instruction)
        if operand is None:
            return 0, 0
        words = mask(len(self._accesses.locations.all))
        if isinstance(operand, Direct):
            words = 1 << self._accesses.find(instruction, operand, ()).word
        writes = operand is instruction.target and instruction.name not in ONLY_COMPARE
        reads = operand is not instruction.target or reads_target(instruction) or is_locked(instruction)
        return words if reads else 0, words if writes else 0
