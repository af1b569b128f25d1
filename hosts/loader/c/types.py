"""The types of C that values have here: integers of a width and sign, pointers, arrays and structs by their tags."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from hosts.loader.c.rules import Environment

WORD_BITS: Final = 64
INT_BITS: Final = 32


_WORDS: Final = {8: "char", 16: "short", INT_BITS: "int", WORD_BITS: "long"}


@dataclass(frozen=True)
class Integer:
    """An integer. At run time all are signed 64-bit words: one of 64 bits without sign is negative from 2**63 on."""

    bits: int
    signed: bool
    is_bool: bool = False
    name: str = field(default="", compare=False)

    @property
    def least(self) -> int:
        """Return the least number at run time."""
        return -(1 << (self.bits - 1)) if self.signed or self.bits == WORD_BITS else 0

    @property
    def most(self) -> int:
        """Return the greatest number at run time."""
        if self.is_bool:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.signed or self.bits == WORD_BITS else (1 << self.bits) - 1

    @property
    def spelled(self) -> str:
        """Return it in words that every C has."""
        if self.is_bool:
            return "bool"
        return ("signed " if self.signed else "unsigned ") + _WORDS[self.bits]

    @property
    def bytes(self) -> int:
        """Return the size."""
        return self.bits // 8

    def wrapped(self, number: int) -> int:
        """Return a number as this type holds it at run time."""
        if self.is_bool:
            return int(number != 0)
        number &= (1 << self.bits) - 1
        return number - (1 << self.bits) if number > self.most else number

    def __str__(self) -> str:
        """Return it in C."""
        return self.name or ("bool" if self.is_bool else f"{'s' if self.signed else 'u'}{self.bits}")


@dataclass(frozen=True)
class Void:
    """No value; also what is not known of a pointer's target."""

    def __str__(self) -> str:
        """Return it in C."""
        return "void"


@dataclass(frozen=True)
class Struct:
    """A struct or union."""

    tag: str

    def __str__(self) -> str:
        """Return it in C."""
        return f"struct {self.tag}"


@dataclass(frozen=True)
class Pointer:
    """A pointer."""

    to: CType

    def __str__(self) -> str:
        """Return it in C."""
        return f"{self.to} *"


@dataclass(frozen=True)
class Array:
    """An array."""

    of: CType
    count: int

    def __str__(self) -> str:
        """Return it in C."""
        return f"{self.of}[{self.count}]"


@dataclass(frozen=True)
class Unusable:
    """A type that nothing can be done with: floating point, functions."""

    name: str

    def __str__(self) -> str:
        """Return it in C."""
        return self.name


CType = Integer | Void | Struct | Pointer | Array | Unusable

BOOL: Final = Integer(8, signed=False, is_bool=True, name="bool")
INT: Final = Integer(INT_BITS, signed=True, name="int")
UINT: Final = Integer(INT_BITS, signed=False, name="unsigned int")
LONG: Final = Integer(WORD_BITS, signed=True, name="long")
ULONG: Final = Integer(WORD_BITS, signed=False, name="unsigned long")
VOID: Final = Void()

_WIDTHS: Final = {
    f"{prefix}{sign}{bits}{suffix}": Integer(bits, signed=sign in ("s", "int"), name=f"{prefix}{sign}{bits}{suffix}")
    for bits in (8, 16, 32, 64)
    for prefix, sign, suffix in (
        *(("", "u", ""), ("", "s", ""), ("__", "u", ""), ("__", "s", "")),
        *(("", "uint", "_t"), ("", "int", "_t")),
    )
}
NAMED: Final[dict[str, CType]] = {
    **_WIDTHS,
    **dict.fromkeys(("bool", "_Bool"), BOOL),
    **dict.fromkeys(("size_t", "uintptr_t", "ulong"), ULONG),
    **dict.fromkeys(("ssize_t", "ptrdiff_t", "intptr_t", "loff_t"), LONG),
    **dict.fromkeys(("uint",), UINT),
    "void": VOID,
    "float": Unusable("float"),
    "double": Unusable("double"),
}
_MOST_TYPEDEFS: Final = 8
BASIC: Final = frozenset({"signed", "unsigned", "char", "short", "int", "long", "__signed__"})
_IGNORED: Final = frozenset({"const", "volatile", "restrict", "__restrict", "static", "register", "inline", "extern"})


def basic(words: list[str]) -> Integer | None:
    """Return the type that words like ``unsigned long int`` name."""
    if not words or not set(words) <= BASIC:
        return None
    signed = "unsigned" not in words
    bits = 8 if "char" in words else 16 if "short" in words else WORD_BITS if "long" in words else INT_BITS
    return Integer(bits, signed, name=" ".join(words))


def named(text: str, environment: Environment, depth: int = 0) -> CType | None:
    """Return the type that a text of C names, as far as it is known."""
    words = [word for word in re.findall(r"\w+|\*", text) if word not in _IGNORED]
    stars = 0
    while words and words[-1] == "*":
        words.pop()
        stars += 1
    found: CType | None = None
    if words[:1] in (["struct"], ["union"]) and len(words[1:]) == 1:
        found = Struct(words[1])
    elif words[:1] == ["enum"]:
        found = UINT
    elif len(words) == 1 and words[0] not in BASIC:
        found = NAMED.get(words[0])
        if found is None and depth < _MOST_TYPEDEFS:
            meaning = environment.typedef(words[0])
            found = named(meaning, environment, depth + 1) if meaning is not None else None
    else:
        found = basic(words)
    for _ in range(stars):
        found = None if found is None else Pointer(found)
    return found


def promoted(kind: Integer) -> Integer:
    """Return the type after integer promotion."""
    return INT if kind.bits < INT_BITS else kind


def common(one: Integer, other: Integer) -> Integer:
    """Return the type that both operands of an operator are converted to."""
    one, other = promoted(one), promoted(other)
    if one.bits != other.bits:
        return one if one.bits > other.bits else other
    return one if not one.signed else other


def size_of(kind: CType) -> int | None:
    """Return the size in bytes, if it is known."""
    match kind:
        case Integer():
            return kind.bytes
        case Pointer():
            return WORD_BITS // 8
        case Array(of=of, count=count):
            each = size_of(of)
            return None if each is None else each * count
        case Void():
            return 1
    return None
