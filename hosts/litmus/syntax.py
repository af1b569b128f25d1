"""A litmus test, read: what it starts from, what its threads do, what it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from hosts.litmus.registers import Arch, Part

# --- where values live -----------------------------------------------------------------------------------------------


class Type(NamedTuple):
    """What a location or a register is declared as."""

    bits: int
    signed: bool
    pointer: bool = False


INT: Final = Type(32, signed=True)
"""What is not declared."""


class Register(NamedTuple):
    """A thread's register, whole."""

    thread: int
    number: int


class Memory(NamedTuple):
    """A location in memory."""

    name: str


Place = Register | Memory


class Address(NamedTuple):
    """A value: the address of a location."""

    name: str


Value = int | Address

# --- what threads do -------------------------------------------------------------------------------------------------


class Immediate(NamedTuple):
    """A number in an instruction."""

    value: int


class Named(NamedTuple):
    """The memory operand ``(x)``."""

    name: str


class Through(NamedTuple):
    """The memory operand ``(%rax)``."""

    register: Part


Operand = Immediate | Part | Named | Through
Target = Part | Named | Through


@dataclass(frozen=True)
class Instruction:
    """One instruction of a thread, the same from either syntax."""

    name: str
    """Without a letter for the width: ``mov``, ``cmpxchg``."""
    line: int
    text: str
    target: Target | None = None
    """What it writes (for cmpxchg and xadd the memory)."""
    source: Operand | None = None
    bits: int = 0
    """The width of the operation."""
    locked: bool = False


# --- what is asked ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Equals:
    """A place holds a value, or what another place holds."""

    place: Place
    value: Value | Place


@dataclass(frozen=True)
class Not:
    """The opposite."""

    of: Proposition


@dataclass(frozen=True)
class Both:
    """Every one of some; of none: true."""

    of: tuple[Proposition, ...]


@dataclass(frozen=True)
class Either:
    """One of some; of none: false."""

    of: tuple[Proposition, ...]


@dataclass(frozen=True)
class Implies:
    """The second whenever the first."""

    one: Proposition
    other: Proposition


Proposition = Equals | Not | Both | Either | Implies
Quantifier = Literal["exists", "~exists", "forall"]


@dataclass(frozen=True)
class Question:
    """The end of a test."""

    quantifier: Quantifier
    proposition: Proposition
    shown: Sequence[Place] = ()
    """Places that are shown though nothing is asked of them."""
    filter: Proposition | None = None


@dataclass(frozen=True)
class Test:
    """A litmus test."""

    __test__ = False
    """Not one of pytest's."""

    arch: Arch
    name: str
    types: Mapping[Place, Type]
    initial: Mapping[Place, Value]
    threads: Sequence[Sequence[Instruction]]
    question: Question
    line: int = 1
    """Of the initial state."""

    def type_of(self, place: Place) -> Type:
        """Give the declared type, or int."""
        return self.types.get(place, INT)
