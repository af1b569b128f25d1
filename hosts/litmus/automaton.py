"""A thread of a litmus test as an automaton; a local state is a location in the code and the registers.

Instructions that touch no memory are done on the way from one access to the next. Dead registers are set to 0, so
that states that differ in nothing else are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from hosts.explorer.model import system
from hosts.explorer.model.operations import SCHEDULED, Op, Operation
from hosts.explorer.model.without_handlers import WithoutHandlers
from hosts.litmus import semantics
from hosts.litmus.access import Accesses, access_bits
from hosts.litmus.buffer_depth import buffer_depth, is_locked
from hosts.litmus.condition_codes import FLAG_NAMES, UNDEFINED
from hosts.litmus.errors import LitmusError
from hosts.litmus.final_condition import observed_places
from hosts.litmus.flags import Registers, mask
from hosts.litmus.live_registers import live_registers, memory_operand
from hosts.litmus.locations import Location, Locations
from hosts.litmus.mnemonics import BIT_INSTRUCTIONS, FLUSHES, JUMPS, NO_EFFECT
from hosts.litmus.registers import ACCUMULATOR, COUNT, Part, width
from hosts.litmus.semantics import condition_holds, reads_target
from hosts.litmus.syntax import Direct, Immediate, Indirect, Instruction, Register, Test

ATOMIC: Final = {
    "xchg": Op.XCHG,
    "cmpxchg": Op.CMPXCHG,
    "add": Op.ADD,
    "inc": Op.ADD,
    "xadd": Op.ADD,
    "sub": Op.ADD,
    "dec": Op.ADD,
    "or": Op.OR,
    "bts": Op.OR,
    "and": Op.AND,
    "btr": Op.AND,
}
"""Locked instructions that the explorer knows. The others are tried with a compare-and-exchange until it succeeds."""
ROUNDS: Final = 10_000
"""Times that a thread may go back without an access to memory before it is given up."""


class Local(NamedTuple):
    """A local state."""

    at: int
    """The instruction that comes next."""
    half: bool
    """Its first access is done, the second is to come."""
    held: int
    """What the second one needs: the value to be stored, or the value found."""
    registers: Registers
    endless: bool = False
    """It loops for ever without an access to memory."""


class ThreadAutomaton(WithoutHandlers):
    """One thread."""

    def __init__(self, test: Test, thread: int, locations: Locations) -> None:
        self._thread = thread
        self._line = test.final_condition.line
        self._instructions = test.threads[thread]
        self._accesses = Accesses(locations, width(test.arch))
        observed = frozenset(
            each.number
            for each in observed_places(test.final_condition)
            if isinstance(each, Register) and each.thread == thread
        )
        self._live = live_registers(self._instructions, observed)
        self.stores = buffer_depth(self._instructions)
        """How many stores can wait in the buffer at once."""
        self._numbers: dict[Local, int] = {}
        self._locals: list[Local] = []
        values = [locations.number(test.initial.get(Register(thread, number), 0)) for number in range(COUNT)]
        self._number(self._settled(0, tuple(value & mask(width(test.arch)) for value in values)))

    # --- the explorer's protocol ----------------------------------------------------------------------------------

    def operation(self, local: int) -> Operation:
        """Return the next access."""
        state = self._locals[local]
        if state.at == len(self._instructions):
            return Operation(Op.END)
        if state.endless:
            return Operation(Op.YIELD, flags=SCHEDULED, where=state.at)
        instruction = self._instructions[state.at]
        if instruction.name == "mfence":
            return Operation(Op.FENCE, flags=SCHEDULED, where=state.at)
        location = self._accesses.location(instruction, state.registers)
        kind, a, b = self._access(instruction, location, state)
        return Operation(kind, location.word, a, b, SCHEDULED, state.at)

    def step(self, local: int, answer: int) -> system.Transition:
        """Return the transition of an answer."""
        state = self._locals[local]
        instruction = self._instructions[state.at]
        if state.endless:
            return system.Transition(local)
        if self.operation(local).kind in (Op.STORE, Op.FENCE):
            return system.Transition(self._number(self._settled(state.at + 1, state.registers)))
        return system.Transition(self._number(self._answered(state, instruction, answer)))

    def place(self, where: int) -> system.SourceLocation:
        """Return the source location of an instruction."""
        instruction = self._instructions[where]
        return system.SourceLocation(f"P{self._thread}", "", instruction.line, instruction.text)

    def __len__(self) -> int:
        return len(self._locals)

    # --- the final condition ---------------------------------------------------------------------------------

    def registers(self, local: int) -> Registers:
        """Return what the registers hold; those that nobody observes are 0."""
        return self._locals[local].registers

    # --- states --------------------------------------------------------------------------------------------------

    def _number(self, state: Local) -> int:
        state = state._replace(registers=self._kept(state.registers, live_in(self._live, state)))
        if state not in self._numbers:
            if state.at == len(self._instructions):
                self._check_flags(state.registers)
            self._numbers[state] = len(self._locals)
            self._locals.append(state)
        return self._numbers[state]

    def _settled(self, at: int, registers: Registers) -> Local:
        """Execute up to the next visible instruction."""
        rounds: set[tuple[int, Registers]] = set()
        while at < len(self._instructions):
            instruction = self._instructions[at]
            if instruction.name == "mfence" or memory_operand(instruction) is not None:
                break
            before = at
            if instruction.name in JUMPS:
                at = self._next(instruction, at, registers)
            else:
                registers = self._done(instruction, registers)
                at += 1
            if at <= before:
                registers = self._kept(registers, self._live[at])
                if (at, registers) in rounds:
                    return Local(at, half=False, held=0, registers=(0,) * COUNT, endless=True)
                rounds.add((at, registers))
                _check_rounds(instruction, len(rounds))
        return Local(at, half=False, held=0, registers=registers)

    def _next(self, instruction: Instruction, at: int, registers: Registers) -> int:
        """Return where a jump leads."""
        taken = instruction.jump_target if instruction.jump_target is not None else len(self._instructions)
        return taken if condition_holds(instruction, registers) else at + 1

    def _check_flags(self, registers: Registers) -> None:
        """Raise LitmusError if the condition names a flag that the manual leaves undefined."""
        for flag, name in FLAG_NAMES.items():
            if registers[flag] == UNDEFINED:
                raise LitmusError(self._line, f"{self._thread}:{name} is asked for and undefined at the end")

    def _kept(self, registers: Registers, live: frozenset[int]) -> Registers:
        """Set the dead registers to 0."""
        return tuple(value if number in live else 0 for number, value in enumerate(registers))

    def _done(self, instruction: Instruction, registers: Registers) -> Registers:
        """Execute an instruction between registers."""
        if instruction.name in NO_EFFECT:
            if instruction.name in FLUSHES and isinstance(instruction.target, (Direct, Indirect)):
                self._accesses.find(instruction, instruction.target, registers)
            return registers
        if not isinstance(instruction.target, Part):
            raise TypeError(instruction.target)
        target = semantics.read(registers, instruction.target)
        written, registers = self._computed(instruction, instruction.bits, registers, target)
        return registers if written is None else semantics.write(registers, instruction.target, written)

    def _computed(
        self, instruction: Instruction, bits: int, registers: Registers, target: int, loaded: int = 0
    ) -> semantics.Computed:
        return semantics.compute(
            instruction, bits, registers, target, self._source(instruction, bits, registers, loaded)
        )

    def _source(self, instruction: Instruction, bits: int, registers: Registers, loaded: int = 0) -> int:
        match instruction.source:
            case Part():
                return semantics.read(registers, instruction.source)
            case Immediate():
                return semantics.immediate(instruction.source, bits)
            case Direct() | Indirect() if instruction.name == "lea":
                return self._accesses.address(instruction.source, registers) & mask(bits)
        return loaded

    # --- memory --------------------------------------------------------------------------------------------------

    def _access(self, instruction: Instruction, location: Location, state: Local) -> tuple[Op, int, int]:
        """Return the operation that an access is."""
        bits = access_bits(instruction, location)
        if is_locked(instruction):
            return self._atomic(instruction, location, state, bits)
        if state.half:
            return Op.STORE, location.packed(state.held), 0
        if instruction.target == memory_operand(instruction) and not reads_target(instruction):
            written = self._computed(instruction, bits, state.registers, 0).written
            return Op.STORE, location.packed(written or 0), 0
        return Op.LOAD, 0, 0

    def _atomic(self, instruction: Instruction, location: Location, state: Local, bits: int) -> tuple[Op, int, int]:
        name = instruction.name
        kind = ATOMIC.get(name)
        source = self._source(instruction, bits, state.registers)
        if name in BIT_INSTRUCTIONS:
            source = 1 << source % bits
        if kind is None:
            if not state.half:
                return Op.LOAD, 0, 0
            written = self._computed(instruction, bits, state.registers, state.held).written
            return Op.CMPXCHG, location.packed(state.held), location.packed(written or 0)
        if kind == Op.CMPXCHG:
            expected = semantics.read(state.registers, Part(ACCUMULATOR, bits))
            return kind, location.packed(expected), location.packed(source)
        operand = {"inc": 1, "dec": -1, "sub": -source, "btr": ~source}.get(name, source)
        return kind, location.packed(operand), 0

    def _answered(self, state: Local, instruction: Instruction, answer: int) -> Local:
        """Return the local state after a load or a locked operation."""
        location = self._accesses.location(instruction, state.registers)
        bits = access_bits(instruction, location)
        found = location.unpacked(answer) & mask(bits)
        if isinstance(instruction.target, Part) and instruction.source == memory_operand(instruction):
            target = semantics.read(state.registers, instruction.target)
            written, registers = self._computed(instruction, instruction.target.bits, state.registers, target, found)
            if written is not None:
                registers = semantics.write(registers, instruction.target, written)
            return self._settled(state.at + 1, registers)
        tried = is_locked(instruction) and instruction.name not in ATOMIC
        if tried and not (state.half and found == state.held):
            return state._replace(half=True, held=found)
        written, registers = self._computed(instruction, bits, state.registers, found)
        if written is None or is_locked(instruction):
            return self._settled(state.at + 1, registers)
        return Local(state.at, half=True, held=written, registers=registers)


def live_in(live_registers: Sequence[frozenset[int]], state: Local) -> frozenset[int]:
    """Return the live registers of a local state."""
    return live_registers[state.at] | live_registers[state.at + 1] if state.half else live_registers[state.at]


def _check_rounds(instruction: Instruction, rounds: int) -> None:
    if rounds > ROUNDS:
        reason = f"{instruction.text} goes back more than {ROUNDS:,} times without an access to memory"
        raise LitmusError(instruction.line, f"{reason}: not followed any further")
