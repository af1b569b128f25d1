"""The abstract syntax of a litmus test: initial state, threads, final condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from hosts.litmus.condition_codes import Condition
from hosts.litmus.registers import Arch, Part

# --- where values live -----------------------------------------------------------------------------------------------


class Type(NamedTuple):
    """What a location or a register is declared as."""

    bits: int
    signed: bool
    pointer: bool = False


INT: Final = Type(32, signed=True)
"""The type of what is not declared."""


class Register(NamedTuple):
    """A thread's register, whole."""

    thread: int
    number: int


class Memory(NamedTuple):
    """A location in memory; one of an array is called ``a[1]``."""

    name: str
    whole: str = ""
    """The array as part of which it is asked for, if it is asked for whole."""


Place = Register | Memory


def element(array: str, index: int) -> str:
    """Name a location of an array."""
    return f"{array}[{index}]"


def plain(place: Place) -> Place:
    """Return a place as itself, not as part of an array that is asked for whole."""
    return Memory(place.name) if isinstance(place, Memory) else place


def split_element(name: str) -> tuple[str, int | None]:
    """Return the array and the index in a location's name, or the name alone."""
    array, _, index = name.removesuffix("]").partition("[")
    return array, int(index) if index else None


class Address(NamedTuple):
    """A value: the address of a location, or so many bytes behind it."""

    name: str
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.name}{self.offset:+}" if self.offset else self.name


Value = int | Address

# --- what threads do -------------------------------------------------------------------------------------------------


class Immediate(NamedTuple):
    """A number in an instruction."""

    value: int


class Direct(NamedTuple):
    """The memory operand ``(x)``, ``[x+4]`` or ``x+4(%rip)``."""

    name: str
    offset: int = 0


class Indirect(NamedTuple):
    """The memory operand ``(%rax)``, ``4(%rax)``, ``(%rax,%rbx,8)`` or ``x(,%rbx,8)``."""

    register: Part | None
    offset: int = 0
    scaled: Part | None = None
    scale: int = 1
    name: str = ""
    """A location whose address is added."""

    @property
    def registers(self) -> tuple[Part, ...]:
        """Return those that the address depends on."""
        return tuple(each for each in (self.register, self.scaled) if each is not None)


Operand = Immediate | Part | Direct | Indirect
Target = Part | Direct | Indirect


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
    source_bits: int = 0
    """The width of what it reads, where that is another (movzx, movsx)."""
    locked: bool = False
    condition: Condition | None = None
    """Of a conditional jump, setcc or cmovcc."""
    label: str = ""
    """Where a jump goes; without one it ends the thread."""
    jump_target: int | None = None
    """For a jump: which instruction of the thread comes next if it is taken."""

    @property
    def access_bits(self) -> int:
        """Return the width of its access to memory, 0 if it is the location's."""
        return self.source_bits or self.bits


# --- the final condition
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Equals:
    """A place holds a value, or what another place holds."""

    place: Place
    value: Value | Place


@dataclass(frozen=True)
class Not:
    """Negation."""

    of: Proposition


@dataclass(frozen=True)
class And:
    """Conjunction; of none: true."""

    of: tuple[Proposition, ...]
    array: str = ""
    """Whose elements are compared, if it is one comparison of a whole array."""


@dataclass(frozen=True)
class Or:
    """Disjunction; of none: false."""

    of: tuple[Proposition, ...]


@dataclass(frozen=True)
class Implies:
    """Implication."""

    one: Proposition
    other: Proposition


Proposition = Equals | Not | And | Or | Implies
Quantifier = Literal["exists", "~exists", "forall"]


@dataclass(frozen=True)
class FinalCondition:
    """The final condition of a test."""

    quantifier: Quantifier
    proposition: Proposition
    shown: Sequence[Place] = ()
    """Places that are shown though nothing is asked of them."""
    filter: Proposition | None = None
    line: int = 0


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
    final_condition: FinalCondition
    line: int = 1
    """Of the initial state."""
    arrays: Mapping[str, int] = field(default_factory=dict)
    """How many locations each array has."""
    lines: Mapping[Place, int] = field(default_factory=dict)
    """Where the initial state speaks of each place."""

    def type_of(self, place: Place) -> Type:
        """Return the declared type, or int."""
        return self.types.get(plain(place), INT)
