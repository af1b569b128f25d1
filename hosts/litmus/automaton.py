"""A thread of a litmus test as an automaton: where it stands and what its registers hold.

Instructions that touch no memory are done on the way from one access to the next. What a later instruction or the
condition cannot see is forgotten, so that states that differ in nothing else are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, NoReturn

from hosts.explorer import model
from hosts.explorer.ops import SCHEDULED, Kind, Operation
from hosts.litmus import semantics
from hosts.litmus.assembly import BITS, CONDITIONS
from hosts.litmus.errors import LitmusError
from hosts.litmus.locations import Location, Locations
from hosts.litmus.question import observed_places
from hosts.litmus.registers import ACCUMULATOR, CF, COUNT, SF, ZF, Part, width
from hosts.litmus.semantics import NARROWEST_CLEARING, Registers, looks_at_target
from hosts.litmus.syntax import Immediate, Instruction, Named, Register, Test, Through

NOTHING: Final = frozenset({"nop", "endbr64", "sfence", "lfence"})
"""Under x86-TSO a store fence and a load fence order nothing that is not ordered already."""
ATOMIC: Final = {
    "xchg": Kind.XCHG,
    "cmpxchg": Kind.CMPXCHG,
    "add": Kind.ADD,
    "inc": Kind.ADD,
    "xadd": Kind.ADD,
    "sub": Kind.ADD,
    "dec": Kind.ADD,
    "or": Kind.OR,
    "bts": Kind.OR,
    "and": Kind.AND,
    "btr": Kind.AND,
}
"""Locked instructions that the explorer knows. The others are tried with a compare-and-exchange until it succeeds."""


GONE: Final = 1 << 64
"""In a register, or a location: what it holds has been observed, and nobody will look at it before it is written."""


class Local(NamedTuple):
    """A local state."""

    at: int
    """The instruction that comes next."""
    half: bool
    """Its first access is done, the second is to come."""
    held: int
    """What the second one needs: the value to be stored, or the value found."""
    registers: Registers


class Program:
    """One thread."""

    def __init__(self, test: Test, thread: int, locations: Locations) -> None:
        self._thread = thread
        self._instructions = test.threads[thread]
        self._locations = locations
        observed = frozenset(
            each.number
            for each in observed_places(test.question)
            if isinstance(each, Register) and each.thread == thread
        )
        self._live = _living(self._instructions, observed)
        self._needed = _living(self._instructions, frozenset())
        self._futures = self._looked_ahead()
        self._parted: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {}
        self._numbers: dict[Local, int] = {}
        self._locals: list[Local] = []
        values = [locations.number(test.initial.get(Register(thread, number), 0)) for number in range(COUNT)]
        self._number(self._settled(0, tuple(value & semantics.mask(width(test.arch)) for value in values)))

    # --- what the explorer asks ----------------------------------------------------------------------------------

    def operation(self, local: int) -> Operation:
        """Give the next access."""
        state = self._locals[local]
        if state.at == len(self._instructions):
            return Operation(Kind.END)
        instruction = self._instructions[state.at]
        if instruction.name == "mfence":
            return Operation(Kind.FENCE, flags=SCHEDULED, where=state.at)
        location = self._location(instruction, state.registers)
        kind, a, b = self._access(instruction, location, state)
        return Operation(kind, location.word, a, b, SCHEDULED, state.at)

    def step(self, local: int, answer: int) -> model.Edge:
        """Give where an answer leads."""
        state = self._locals[local]
        instruction = self._instructions[state.at]
        if self.operation(local).kind in (Kind.STORE, Kind.FENCE):
            return model.Edge(self._number(self._settled(state.at + 1, state.registers)))
        return model.Edge(self._number(self._answered(state, instruction, answer)))

    def place(self, where: int) -> model.Place:
        """Tell which instruction it was."""
        instruction = self._instructions[where]
        return model.Place(f"P{self._thread}", "", instruction.line, instruction.text)

    def may_wait(self, local: int) -> bool:  # noqa: ARG002 - the protocol's signature
        """Not ask for any interrupt to wait."""
        return False

    def give_way(self, local: int) -> NoReturn:
        """Never be asked: each instruction of these programs is an operation, and none of them goes back."""
        raise model.NotTerminating(self.place(self.operation(local).where))

    @property
    def handled(self) -> int:
        """Know nothing of handlers."""
        return 0

    def __len__(self) -> int:
        return len(self._locals)

    # --- what the reduction asks ---------------------------------------------------------------------------------

    def future(self, local: int) -> tuple[int, int]:
        """Give the words that may be read, and those that may be written, from a local state on, as bit sets."""
        return self._futures[self._locals[local].at]

    def parted(self, local: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Give a local state without registers that only the condition will look at, and what these hold."""
        if local not in self._parted:
            state = self._locals[local]
            settled = _alive(self._live, state) - _alive(self._needed, state)
            left = tuple(GONE if number in settled else value for number, value in enumerate(state.registers))
            held = tuple((each, state.registers[each]) for each in sorted(settled) if state.registers[each] != GONE)
            self._parted[local] = self._number(state._replace(registers=left)), held
        return self._parted[local]

    def _looked_ahead(self) -> list[tuple[int, int]]:
        """Give for each instruction, and for the end, the words that may be read and written from there on."""
        futures = [(0, 0)]
        for instruction in reversed(self._instructions):
            (reads, writes), words = futures[-1], self._words(instruction)
            operand = _memory(instruction)
            if operand is not instruction.target or looks_at_target(instruction) or _locked(instruction):
                reads |= words
            if operand is instruction.target and instruction.name not in ("cmp", "test", "bt"):
                writes |= words
            futures.append((reads, writes))
        return futures[::-1]

    def _words(self, instruction: Instruction) -> int:
        """Give the words that an instruction may touch, as a bit set."""
        operand = _memory(instruction)
        if operand is None:
            return 0
        if isinstance(operand, Named):
            return 1 << self._locations.named[operand.name].word
        return semantics.mask(len(self._locations.all))

    # --- what the condition asks ---------------------------------------------------------------------------------

    def registers(self, local: int) -> Registers:
        """Give what the registers hold; those that nobody observes are 0."""
        return self._locals[local].registers

    @property
    def stores(self) -> int:
        """Count the stores that can wait in the buffer at once."""
        return sum(isinstance(each.target, (Named, Through)) and not _locked(each) for each in self._instructions)

    # --- states --------------------------------------------------------------------------------------------------

    def _number(self, state: Local) -> int:
        live = _alive(self._live, state)
        kept = tuple(value if number in live else 0 for number, value in enumerate(state.registers))
        state = state._replace(registers=kept)
        if state not in self._numbers:
            self._numbers[state] = len(self._locals)
            self._locals.append(state)
        return self._numbers[state]

    def _settled(self, at: int, registers: Registers) -> Local:
        """Go on to the next instruction that others can notice."""
        while at < len(self._instructions):
            instruction = self._instructions[at]
            if instruction.name == "mfence" or _memory(instruction) is not None:
                break
            if instruction.name not in NOTHING:
                registers = self._done(instruction, registers)
            at += 1
        return Local(at, half=False, held=0, registers=registers)

    def _done(self, instruction: Instruction, registers: Registers) -> Registers:
        """Do an instruction between registers."""
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
        return loaded

    # --- memory --------------------------------------------------------------------------------------------------

    def _location(self, instruction: Instruction, registers: Registers) -> Location:
        """Find the location that an instruction touches, and see that it may touch it so."""
        operand = _memory(instruction)
        if isinstance(operand, Named):
            location = self._locations.named[operand.name]
        elif isinstance(operand, Through):
            address = semantics.read(registers, operand.register)
            if address not in self._locations.at:
                raise LitmusError(instruction.line, f"{instruction.text}: {address:#x} is the address of no location")
            location = self._locations.at[address]
        else:
            raise TypeError(instruction)
        bits = _bits(instruction, location)
        writes = operand is instruction.target and instruction.name not in ("cmp", "test", "bt")
        location.check_access(instruction, bits, writes=writes)
        if instruction.name in BITS and isinstance(instruction.source, Part):
            _check_bit(instruction, location, semantics.read(registers, instruction.source))
        return location

    def _access(self, instruction: Instruction, location: Location, state: Local) -> tuple[Kind, int, int]:
        """Give the operation that an access is."""
        bits = _bits(instruction, location)
        if _locked(instruction):
            return self._atomic(instruction, location, state, bits)
        if state.half:
            return Kind.STORE, location.packed(state.held), 0
        if instruction.target == _memory(instruction) and not looks_at_target(instruction):
            written = self._computed(instruction, bits, state.registers, 0).written
            return Kind.STORE, location.packed(written or 0), 0
        return Kind.LOAD, 0, 0

    def _atomic(self, instruction: Instruction, location: Location, state: Local, bits: int) -> tuple[Kind, int, int]:
        name = instruction.name
        kind = ATOMIC.get(name)
        source = self._source(instruction, bits, state.registers)
        if name in BITS:
            source = 1 << source % bits
        if kind is None:
            if not state.half:
                return Kind.LOAD, 0, 0
            written = self._computed(instruction, bits, state.registers, state.held).written
            return Kind.CMPXCHG, location.packed(state.held), location.packed(written or 0)
        if kind == Kind.CMPXCHG:
            expected = semantics.read(state.registers, Part(ACCUMULATOR, bits))
            return kind, location.packed(expected), location.packed(source)
        operand = {"inc": 1, "dec": -1, "sub": -source, "btr": ~source}.get(name, source)
        return kind, location.packed(operand), 0

    def _answered(self, state: Local, instruction: Instruction, answer: int) -> Local:
        """Go on from a load or a locked operation."""
        location = self._location(instruction, state.registers)
        bits = _bits(instruction, location)
        found = location.unpacked(answer) & semantics.mask(bits)
        if isinstance(instruction.target, Part) and instruction.source == _memory(instruction):
            target = semantics.read(state.registers, instruction.target)
            written, registers = self._computed(instruction, bits, state.registers, target, found)
            if written is not None:
                registers = semantics.write(registers, instruction.target, written)
            return self._settled(state.at + 1, registers)
        tried = _locked(instruction) and instruction.name not in ATOMIC
        if tried and not (state.half and found == state.held):
            return state._replace(half=True, held=found)
        written, registers = self._computed(instruction, bits, state.registers, found)
        if written is None or _locked(instruction):
            return self._settled(state.at + 1, registers)
        return Local(state.at, half=True, held=written, registers=registers)


def _memory(instruction: Instruction) -> Named | Through | None:
    for operand in (instruction.target, instruction.source):
        if isinstance(operand, (Named, Through)):
            return operand
    return None


def _bits(instruction: Instruction, location: Location) -> int:
    """Give the width of an access; without a word about it, the location's."""
    return instruction.bits or location.bits


def _check_bit(instruction: Instruction, location: Location, bit: int) -> None:
    """A bit number in a register reaches beyond the location; one in the instruction never does."""
    if bit >= location.bits:
        raise LitmusError(instruction.line, f"{instruction.text}: bit {bit} lies outside {location.name}")


def _locked(instruction: Instruction) -> bool:
    """Tell whether an instruction is one locked operation; an exchange with memory always is."""
    return instruction.locked or (instruction.name == "xchg" and _memory(instruction) is not None)


def _alive(living: Sequence[frozenset[int]], state: Local) -> frozenset[int]:
    """Give the registers that somebody may still look at in a local state."""
    return living[state.at] | living[state.at + 1] if state.half else living[state.at]


def _living(instructions: Sequence[Instruction], observed: frozenset[int]) -> list[frozenset[int]]:
    """Give for each instruction, and for the end, the registers that somebody may still look at."""
    living = [observed]
    for instruction in reversed(instructions):
        living.append(living[-1] - _overwritten(instruction) | _looked_at(instruction))
    return living[::-1]


def _overwritten(instruction: Instruction) -> frozenset[int]:
    target = instruction.target
    whole = isinstance(target, Part) and target.bits >= NARROWEST_CLEARING and instruction.name == "mov"
    return frozenset({target.number}) if whole and isinstance(target, Part) else frozenset()


def _looked_at(instruction: Instruction) -> frozenset[int]:
    looked = {each.number for each in (instruction.target, instruction.source) if isinstance(each, Part)}
    looked |= {each.register.number for each in (instruction.target, instruction.source) if isinstance(each, Through)}
    if isinstance(instruction.target, Part) and _overwritten(instruction):
        looked -= {instruction.target.number} - _sources(instruction)
    if instruction.name == "cmpxchg":
        looked.add(ACCUMULATOR)
    if instruction.name in CONDITIONS:
        looked |= {ZF, SF, CF}
    return frozenset(looked)


def _sources(instruction: Instruction) -> frozenset[int]:
    source = instruction.source
    if isinstance(source, Through):
        return frozenset({source.register.number})
    return frozenset({source.number}) if isinstance(source, Part) else frozenset()
