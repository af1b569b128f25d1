"""Locations in memory: their widths, their words, their addresses.

A location of n bits is kept in the upper n bits of its 64-bit word, so that a carry falls off and every locked
operation of the explorer is the machine's own. The locations of an array lie side by side, all others apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hosts.litmus.errors import LitmusError
from hosts.litmus.final_condition import comparisons, observed_places
from hosts.litmus.flags import mask
from hosts.litmus.registers import width
from hosts.litmus.syntax import INT, Address, Direct, Immediate, Indirect, Instruction, Memory, Test, Value, element
from hosts.litmus.tokens import check_fits, fits

WORD: Final = 64
APART: Final = 64
"""Bytes of a cache line, of which no two locations share one, unless they belong to an array."""
NEAR: Final = 16
"""Bytes before a location in which an address is shown relative to it; no array ends there."""
BASE: Final = 0x5EED_0000
BYTE: Final = 8


@dataclass(frozen=True)
class Location:
    """One location."""

    name: str
    word: int
    """Its number among the model's words."""
    bits: int
    address: int

    def packed(self, value: int) -> int:
        """Return the signed word that means a value."""
        word = (value & mask(self.bits)) << (WORD - self.bits)
        return word - (1 << WORD) if word >> (WORD - 1) else word

    def unpacked(self, word: int) -> int:
        """Return the unsigned value that a word means."""
        return (word & mask(WORD)) >> (WORD - self.bits)

    def check_access(self, instruction: Instruction, bits: int, *, writes: bool) -> None:
        """Raise LitmusError if an access is not modelled: wider than the location, or a store into a part of it."""
        if bits > self.bits or (writes and bits < self.bits):
            does = "writes" if bits < self.bits else "takes"
            reason = f"{instruction.text} {does} {bits} bits of {self.name}, which has {self.bits}"
            raise LitmusError(instruction.line, reason)


class Locations:
    """All locations of a test."""

    def __init__(self, test: Test) -> None:
        self._test = test
        names = sorted(set(_names(test)))
        sizes = {name: _bytes(test, name) for name in names}
        at = _base(test, sum(sizes.values()))
        self._starts: dict[str, int] = {}
        self.all: list[Location] = []
        for name in names:
            self._starts[name] = at
            self.all += self._of(name, at, len(self.all))
            at += sizes[name]
        self.named: Mapping[str, Location] = {each.name: each for each in self.all}
        """Each by its name, those of arrays as ``a[1]``."""
        self.at: Mapping[int, Location] = {each.address: each for each in self.all}

    def _of(self, name: str, start: int, word: int) -> Iterator[Location]:
        """Return the locations that a name stands for; ``word`` is the number of the first."""
        count = self._test.arrays.get(name)
        for index in range(count or 1):
            called = name if count is None else element(name, index)
            bits = _bits(self._test, name, called)
            yield Location(called, word + index, bits, start + index * bits // BYTE)

    def start(self, name: str) -> int:
        """Return the address that a name stands for."""
        return self._starts[name]

    def address_of(self, number: int) -> Address | None:
        """Return the address that a number is, from the location that it is in or near; None if it is none."""
        if not self.all or not self.all[0].address - NEAR <= number <= self.all[-1].address + APART:
            return None
        name = next((name for name, start in self._starts.items() if start - NEAR <= number < start), None)
        before = [name for name, start in self._starts.items() if start <= number]
        if name is None and before:
            name = before[-1]
        return Address(name, number - self.start(name)) if name is not None else None

    def number(self, value: Value) -> int:
        """Return the number that a value is for the machine."""
        return self.start(value.name) + value.offset if isinstance(value, Address) else value

    def initial(self) -> list[int]:
        """Return the words at the start."""
        words = []
        for each in self.all:
            value = self._test.initial.get(Memory(each.name), 0)
            if isinstance(value, int):
                check_fits(self._test.lines.get(Memory(each.name), self._test.line), value, each.bits)
            words.append(each.packed(self.number(value)))
        return words


def _names(test: Test) -> Iterator[str]:
    """Return the names of locations, an array's once."""
    elements = {element(name, index) for name, count in test.arrays.items() for index in range(count)}
    places = {*test.types, *test.initial, *observed_places(test.final_condition)}
    yield from test.arrays
    yield from (place.name for place in places if isinstance(place, Memory) and place.name not in elements)
    propositions = (test.final_condition.proposition, test.final_condition.filter)
    asked = [each for proposition in propositions if proposition for each in comparisons(proposition)]
    values = [*test.initial.values(), *(each.value for each in asked)]
    yield from (value.name for value in values if isinstance(value, Address))
    for thread in test.threads:
        operands = [each for instruction in thread for each in _operands(instruction)]
        yield from (each.name for each in operands if isinstance(each, (Direct, Indirect)) and each.name)


def _operands(instruction: Instruction) -> Iterator[object]:
    yield from (instruction.target, instruction.source)


def _bits(test: Test, name: str, called: str) -> int:
    """Return a location's width: as declared, else that of the widest access by its name, else int's.

    Int's, too, if what it holds at the start needs that.
    """
    declared = test.types.get(Memory(called))
    if declared is not None:
        return declared.bits
    named = Direct(name)
    instructions = [each for thread in test.threads for each in thread if named in (each.target, each.source)]
    accessed = [each.access_bits for each in instructions if each.access_bits and each.name != "lea"]
    widest = max(accessed, default=INT.bits)
    value = test.initial.get(Memory(called), 0)
    return widest if not isinstance(value, int) or fits(value, widest) else max(widest, INT.bits)


def _bytes(test: Test, name: str) -> int:
    """Return how far the next location lies away: whole cache lines, more than it needs."""
    size = test.arrays.get(name, 1) * width(test.arch) // BYTE + 2 * NEAR
    return -(-size // APART) * APART


def _base(test: Test, size: int) -> int:
    """Find addresses that are no number of the test, so that a number is never taken for one."""
    numbers = {value for value in test.initial.values() if isinstance(value, int)}
    for thread in test.threads:
        numbers |= {each.value for one in thread for each in _operands(one) if isinstance(each, Immediate)}
    base = BASE
    while any(base - APART <= number & mask(32) < base + size + APART for number in numbers):
        base += size + APART
    return base
