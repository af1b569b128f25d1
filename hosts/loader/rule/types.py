"""Types of expressions in a user's rule: a number, a word (which is an address), or a struct of words."""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from emu.memory import Struct, Word, Words


class What(enum.Enum):
    """The kinds of things."""

    NUMBER = enum.auto()
    NUMBERS = enum.auto()
    """A tuple of them."""
    WORD = enum.auto()
    WORDS = enum.auto()
    STRUCT = enum.auto()
    ARRAY = enum.auto()
    NOTHING = enum.auto()
    UNKNOWN = enum.auto()
    """Of something without annotations."""
    MIXED = enum.auto()
    """One name, several things."""
    UNSEEN = enum.auto()
    """Of what has not been come to yet."""


@dataclass(frozen=True)
class Kind:
    """What an expression stands for."""

    what: What
    of: type[Struct] | None = None
    """The class of a struct, or of the structs in an array."""
    count: int = 0
    """How many there are of numbers, words or structs."""
    places: frozenset[str] = frozenset()
    """Of words the fields that they may be, as ``Struct.field``; of a number those that it was read from."""
    may_be_null: bool = False
    is_read: bool = False
    """Of a local that is given words, whose values are read as it is given them."""

    def __str__(self) -> str:
        """Say it in a sentence."""
        name = self.of.__name__ if self.of is not None else ""
        return {
            What.NUMBERS: "a tuple",
            What.WORD: "a word",
            What.WORDS: "several words",
            What.STRUCT: f"a {name}",
            What.ARRAY: f"an array of {name}",
            What.NOTHING: "nothing",
            What.MIXED: "now this, now that",
        }.get(self.what, "a number")


NUMBER: Final = Kind(What.NUMBER)
WORD: Final = Kind(What.WORD)
NOTHING: Final = Kind(What.NOTHING)
UNKNOWN: Final = Kind(What.UNKNOWN)
MIXED: Final = Kind(What.MIXED)
UNSEEN: Final = Kind(What.UNSEEN)


def joined(one: Kind | None, other: Kind) -> Kind:
    """Return the kind of what is the one at times and the other at times. A word among numbers is read."""
    if one is None or one == other or one.what is What.UNSEEN:
        return other
    if other.what is What.UNSEEN:
        return one
    kinds = {one.what, other.what}
    if What.MIXED not in kinds and kinds & {What.UNKNOWN, What.NOTHING}:
        return UNKNOWN
    if kinds == {What.NUMBER, What.WORD}:
        return NUMBER
    if What.MIXED in kinds or len(kinds) > 1 or one.of is not other.of:
        return MIXED
    places, null = one.places | other.places, one.may_be_null or other.may_be_null
    if one.what is What.NUMBER:
        places = one.places & other.places
    return replace(one, count=min(one.count, other.count), places=places, may_be_null=null)


def as_number(kind: Kind) -> Kind:
    """Return the kind of the value of a word, or of a number."""
    return replace(NUMBER, places=kind.places) if kind.what in (What.WORD, What.NUMBER) else NUMBER


def of_field(owner: type[Struct], name: str) -> Kind:
    """Return the kind of a struct's field."""
    field = owner.fields.get(name)
    if field is None:
        return NUMBER  # its address, ``at``
    places = frozenset({f"{owner.__name__}.{name}"})
    if field.of is Word:
        return Kind(What.WORD, places=places)
    if field.of is Words:
        return Kind(What.WORDS, count=field.count, places=places)
    return Kind(What.STRUCT if field.count == 1 else What.ARRAY, field.of, field.count)


def of_value(value: object) -> Kind:
    """Return the kind of a constant."""
    if isinstance(value, int):
        return NUMBER
    if isinstance(value, tuple):
        return Kind(What.NUMBERS, count=len(value))
    return UNKNOWN


def of_annotation(node: ast.expr | None, meant: Callable[[str], object]) -> Kind:
    """Return the kind that an annotation names; ``meant`` tells what a name stands for."""
    match node:
        case ast.Constant(value=None):
            return NOTHING
        case ast.Constant(value=str(text)):
            return of_annotation(ast.parse(text, mode="eval").body, meant) if text.isidentifier() else UNKNOWN
        case ast.Name(id="int" | "bool"):
            return NUMBER
        case ast.Name(id=name):
            return of_type(meant(name))
    return UNKNOWN


def named_kind(kind: Kind, values: Mapping[str, object]) -> ast.expr | None:
    """Return the annotation of a kind by its name among ``values``; None if it has none."""
    if kind.what is What.NOTHING:
        return ast.Constant(None)
    if kind.what in (What.NUMBER, What.WORD):  # a word is the number of its address
        return ast.Name("int", ast.Load())
    of = Words if kind.what is What.WORDS else kind.of
    if of is None or values.get(of.__name__) is not of:
        return None
    return ast.Name(of.__name__, ast.Load())


def of_type(kind: Any) -> Kind:
    """Return the kind of the values of a type."""
    if kind is Word:
        return WORD
    if kind is Words:
        return Kind(What.WORDS)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return Kind(What.STRUCT, kind)
    return NUMBER if isinstance(kind, type) and issubclass(kind, int) else UNKNOWN
