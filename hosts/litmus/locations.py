"""Where locations live: their widths, their words, their addresses.

A location of n bits is kept in the upper n bits of its 64-bit word, so that a carry falls off and every locked
operation of the explorer is the machine's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hosts.litmus.errors import LitmusError
from hosts.litmus.question import comparisons, observed_places
from hosts.litmus.semantics import mask
from hosts.litmus.syntax import INT, Address, Immediate, Instruction, Memory, Named, Test, Value

WORD: Final = 64
APART: Final = 64
"""Bytes between two addresses: no two locations share a cache line."""
BASE: Final = 0x5EED_0000


@dataclass(frozen=True)
class Location:
    """One location."""

    name: str
    word: int
    """Its number among the model's words."""
    bits: int
    address: int

    def packed(self, value: int) -> int:
        """Give the signed word that means a value."""
        word = (value & mask(self.bits)) << (WORD - self.bits)
        return word - (1 << WORD) if word >> (WORD - 1) else word

    def unpacked(self, word: int) -> int:
        """Give the unsigned value that a word means."""
        return (word & mask(WORD)) >> (WORD - self.bits)

    def check_access(self, instruction: Instruction, bits: int, *, writes: bool) -> None:
        """Say so if an access is one that is not modelled: wider than the location, or a store into a part of it."""
        if bits > self.bits or (writes and bits < self.bits):
            does = "writes" if bits < self.bits else "takes"
            reason = f"{instruction.text} {does} {bits} bits of {self.name}, which has {self.bits}"
            raise LitmusError(instruction.line, reason)


class Locations:
    """All locations of a test."""

    def __init__(self, test: Test) -> None:
        self._test = test
        names = sorted(set(_names(test)))
        base = _base(test, len(names))
        self.all = [Location(name, word, _bits(test, name), base + word * APART) for word, name in enumerate(names)]
        self.named: Mapping[str, Location] = {each.name: each for each in self.all}
        self.at: Mapping[int, Location] = {each.address: each for each in self.all}

    def number(self, value: Value) -> int:
        """Give the number that a value is for the machine."""
        return self.named[value.name].address if isinstance(value, Address) else value

    def initial(self) -> list[int]:
        """Give the words at the start."""
        return [each.packed(self.number(self._test.initial.get(Memory(each.name), 0))) for each in self.all]


def _names(test: Test) -> Iterator[str]:
    places = {*test.types, *test.initial, *observed_places(test.question)}
    yield from (place.name for place in places if isinstance(place, Memory))
    question = test.question
    asked = [each for wanted in (question.proposition, question.filter) if wanted for each in comparisons(wanted)]
    values = [*test.initial.values(), *(each.value for each in asked)]
    yield from (value.name for value in values if isinstance(value, Address))
    for thread in test.threads:
        yield from (each.name for instruction in thread for each in _operands(instruction) if isinstance(each, Named))


def _operands(instruction: Instruction) -> Iterator[object]:
    yield from (instruction.target, instruction.source)


def _bits(test: Test, name: str) -> int:
    """Give a location's width: as declared, else that of the widest access by its name, else int's."""
    declared = test.types.get(Memory(name))
    if declared is not None:
        return declared.bits
    instructions = [each for thread in test.threads for each in thread if Named(name) in (each.target, each.source)]
    return max((each.bits for each in instructions if each.bits), default=INT.bits)


def _base(test: Test, count: int) -> int:
    """Find addresses that are no number of the test, so that a number is never taken for one."""
    numbers = {value for value in test.initial.values() if isinstance(value, int)}
    for thread in test.threads:
        numbers |= {each.value for one in thread for each in _operands(one) if isinstance(each, Immediate)}
    base = BASE
    while any(base <= number & mask(32) < base + count * APART for number in numbers):
        base += count * APART
    return base
