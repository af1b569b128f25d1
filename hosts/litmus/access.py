"""Accesses to memory: the location of an instruction, and whether the access is modelled."""

from __future__ import annotations

from hosts.litmus.errors import LitmusError
from hosts.litmus.flags import Registers, mask
from hosts.litmus.live_registers import memory_operand
from hosts.litmus.locations import Location, Locations
from hosts.litmus.mnemonics import BIT_INSTRUCTIONS, ONLY_COMPARE, SHIFTS
from hosts.litmus.registers import Part
from hosts.litmus.semantics import read
from hosts.litmus.syntax import Direct, Immediate, Indirect, Instruction
from hosts.litmus.tokens import check_fits


class Accesses:
    """Finds the locations that a thread's instructions touch."""

    def __init__(self, locations: Locations, bits: int) -> None:
        """``bits``: the width of an address."""
        self.locations = locations
        self._mask = mask(bits)

    def address(self, operand: Direct | Indirect, registers: Registers) -> int:
        """Compute an address, which is cut to the width of a register."""
        address = operand.offset + (self.locations.start(operand.name) if operand.name else 0)
        if isinstance(operand, Indirect):
            address += read(registers, operand.register) if operand.register is not None else 0
            address += read(registers, operand.scaled) * operand.scale if operand.scaled is not None else 0
        return address & self._mask

    def find(self, instruction: Instruction, operand: Direct | Indirect, registers: Registers) -> Location:
        """Find the location at an address."""
        address = self.address(operand, registers)
        if address not in self.locations.at:
            found = self.locations.address_of(address)
            told = f"{found} is the start of no location" if found else f"{address:#x} is the address of no location"
            raise LitmusError(instruction.line, f"{instruction.text}: {told}")
        return self.locations.at[address]

    def location(self, instruction: Instruction, registers: Registers) -> Location:
        """Find the location that an instruction reads or writes, and see that it may."""
        operand = memory_operand(instruction)
        if operand is None:
            raise TypeError(instruction)
        location = self.find(instruction, operand, registers)
        writes = operand is instruction.target and instruction.name not in ONLY_COMPARE
        location.check_access(instruction, access_bits(instruction, location), writes=writes)
        if instruction.name in BIT_INSTRUCTIONS and isinstance(instruction.source, Part):
            _check_bit(instruction, location, read(registers, instruction.source))
        elif isinstance(instruction.source, Immediate) and instruction.name not in BIT_INSTRUCTIONS | SHIFTS:
            check_fits(instruction.line, instruction.source.value, access_bits(instruction, location))
        return location


def access_bits(instruction: Instruction, location: Location) -> int:
    """Return the width of an access; without a word about it, the location's."""
    return instruction.access_bits or location.bits


def _check_bit(instruction: Instruction, location: Location, bit: int) -> None:
    """A bit number in a register reaches beyond the location; one in the instruction never does."""
    if bit >= location.bits:
        raise LitmusError(instruction.line, f"{instruction.text}: bit {bit} lies outside {location.name}")
