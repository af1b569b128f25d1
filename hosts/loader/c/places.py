"""Places: what a pointer leads to and what can be assigned. They are known while C is translated, none at run time."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from math import gcd

from hosts.loader.c.arithmetic import binary
from hosts.loader.c.rules import PageField
from hosts.loader.c.types import LONG, CType, Integer
from hosts.loader.c.values import Number, Variable, constant


@dataclass(frozen=True)
class Offset:
    """A distance in bytes: a constant, and a number of steps that are as long each."""

    bytes: int = 0
    steps: Number | None = None
    scale: int = 1

    def plus(self, steps: Number, scale: int) -> Offset:
        """Return an offset that is so many steps further."""
        if steps.constant is not None:
            return replace(self, bytes=self.bytes + steps.constant * scale)
        steps, factor = _factored(steps)
        scale *= factor
        if self.steps is None:
            return replace(self, steps=steps, scale=scale)
        unit = gcd(self.scale, scale)
        one = binary("*", self.steps, constant(self.scale // unit, LONG))
        other = binary("*", steps, constant(scale // unit, LONG))
        return Offset(self.bytes, binary("+", one, other), unit)

    def index(self, size: int) -> Number | None:
        """Return it in elements of a size; None if it is not a multiple."""
        if self.bytes % size or (self.steps is not None and self.scale % size):
            return None
        if self.steps is None:
            return constant(self.bytes // size, LONG)
        many = binary("*", self.steps, constant(self.scale // size, LONG))
        return binary("+", many, constant(self.bytes // size, LONG))


def _factored(steps: Number) -> tuple[Number, int]:
    """Take a constant factor out of a number."""
    match steps.node:
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=int() as factor)) if factor > 0:
            return _divided(steps, left, factor), factor
        case ast.BinOp(left=ast.Constant(value=int() as factor), op=ast.Mult(), right=right) if factor > 0:
            return _divided(steps, right, factor), factor
        case ast.BinOp(left=left, op=ast.LShift(), right=ast.Constant(value=int() as count)):
            return _divided(steps, left, 1 << count), 1 << count
    return steps, 1


def _divided(steps: Number, node: ast.expr, factor: int) -> Number:
    return replace(steps, node=node, least=steps.least // factor, most=steps.most // factor, variable=None, test=None)


def key(node: ast.expr) -> str:
    """Return a text that two expressions share if they are the same."""
    return ast.dump(node)


@dataclass(frozen=True, eq=False)
class _Compared:
    """A place; two are equal if they surely are the same."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _key(self) == _key(other)

    def __hash__(self) -> int:
        return hash(_key(self))


def _key(place: object) -> tuple[object, ...]:
    values = [getattr(place, name) for name in place.__dataclass_fields__]  # type: ignore[attr-defined]
    return tuple(_part_key(each) for each in values)


def _part_key(value: object) -> object:
    if isinstance(value, ast.AST):
        return ast.dump(value)
    if isinstance(value, Offset):
        return value.bytes, value.scale, None if value.steps is None else ast.dump(value.steps.node)
    if isinstance(value, dict | PageField):
        return id(value)
    return value


@dataclass(frozen=True, eq=False)
class LocalPlace(_Compared):
    """A local, or from some bit on a part of one."""

    variable: Variable
    shift: int = 0
    bits: int = 0
    """Of a bit-field, how many; 0: as many as the type of the access has."""


@dataclass(frozen=True, eq=False)
class ArrayPlace(_Compared):
    """An element of a local array."""

    elements: tuple[Variable, ...]
    of: Integer
    offset: Offset = field(default_factory=Offset)


@dataclass(frozen=True, eq=False)
class StructPlace(_Compared):
    """A local struct or union, of which each word is a local."""

    tag: str
    words: dict[str, Variable]


@dataclass(frozen=True, eq=False)
class ViewPlace(_Compared):
    """A struct that exists at run time."""

    node: ast.expr
    tag: str
    surely: bool = True
    """Whether it is no null pointer."""
    pure: bool = True
    """Whether its expression may be evaluated at any time."""


@dataclass(frozen=True, eq=False)
class WordPlace(_Compared):
    """A word of the machine, or some bits of one."""

    node: ast.expr
    type: Integer
    shared: bool
    shift: int = 0
    bits: int = 0
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, eq=False)
class WordsPlace(_Compared):
    """A part of consecutive words."""

    node: ast.expr
    size: int
    """In bytes."""
    shared: bool
    offset: Offset = field(default_factory=Offset)


@dataclass(frozen=True, eq=False)
class PagePlace(_Compared):
    """A part of a page of registers."""

    node: ast.expr
    page: PageField
    offset: Offset = field(default_factory=Offset)


@dataclass(frozen=True, eq=False)
class FixedPlace(_Compared):
    """What has one value here."""

    value: int
    type: CType
    reason: str


@dataclass(frozen=True, eq=False)
class DroppedPlace(_Compared):
    """What does not matter here."""

    name: str
    reason: str


Place = (
    LocalPlace | ArrayPlace | StructPlace | ViewPlace | WordPlace | WordsPlace | PagePlace | FixedPlace | DroppedPlace
)

MOVABLE = (ArrayPlace, WordsPlace, PagePlace)


def moved(place: Place, steps: Number, scale: int) -> Place | None:
    """Return a place some steps further; None if there is none."""
    if steps.constant == 0:
        return place
    if isinstance(place, MOVABLE):
        return replace(place, offset=place.offset.plus(steps, scale))
    return None
