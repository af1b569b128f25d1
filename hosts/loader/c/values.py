"""Values of C expressions while they are translated: an expression of Python, its C type and the numbers it can be."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from hosts.loader.c.rules import PageField
from hosts.loader.c.types import BOOL, INT, CType, Integer


@dataclass(eq=False)
class Variable:
    """A local of the translated function: one for each declaration in C, and for each time it is inlined."""

    name: str
    type: CType
    line: int = 0
    version: int = 0
    """Grows with each assignment."""
    needs_zero: bool = False
    """Whether it is read where it may not have been assigned."""


@dataclass(frozen=True)
class Fact:
    """What a condition says of a variable that has not been assigned since."""

    variable: Variable
    version: int
    least: int
    most: int


@dataclass(frozen=True)
class Test:
    """A value used as a condition."""

    node: ast.expr
    if_true: tuple[Fact, ...] = ()
    if_false: tuple[Fact, ...] = ()
    always: bool | None = None
    """The answer, if it is known."""
    pure: bool = True

    def negated(self) -> Test:
        """Return the opposite."""
        always = None if self.always is None else not self.always
        return replace(self, node=negated(self.node), if_true=self.if_false, if_false=self.if_true, always=always)


@dataclass(frozen=True)
class Number:
    """An integer."""

    node: ast.expr
    type: Integer
    least: int
    most: int
    pure: bool = True
    """Whether it depends on locals only and does nothing."""
    test: Test | None = None
    """Of a value that is 1 or 0 by a condition."""
    variable: Variable | None = None
    """The local whose value it is, untouched."""

    @property
    def constant(self) -> int | None:
        """Return the number, if there is only one."""
        return self.least if self.least == self.most and self.pure else None


@dataclass(frozen=True)
class Offset:
    """A distance in bytes: a constant, and a number of steps that are as long each."""

    bytes: int = 0
    steps: Number | None = None
    scale: int = 1


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


@dataclass(frozen=True)
class Address:
    """A pointer: a place, or null."""

    place: Place | None
    to: CType


@dataclass(frozen=True)
class Whole:
    """A struct or union as a value, where it lies."""

    place: Place


@dataclass(frozen=True)
class Nothing:
    """The value of a call that gives none."""

    dropped: str = ""
    """Why there is none, if the call was left out."""


Value = Number | Address | Whole | Nothing

_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
}


def constant(number: int, kind: Integer = INT) -> Number:
    """Return a number that is known."""
    number = kind.wrapped(number)
    return Number(ast.Constant(number), kind, number, number)


def ranged(
    node: ast.expr, kind: Integer, least: int | None = None, most: int | None = None, *, pure: bool = True
) -> Number:
    """Return a number of a type, of which more may be known."""
    low = kind.least if least is None else max(least, kind.least)
    high = kind.most if most is None else min(most, kind.most)
    if low == high and pure:
        return constant(low, kind)
    return Number(node, kind, low, high, pure)


def flag(test: Test, kind: Integer = INT) -> Number:
    """Return 1 or 0 by a condition."""
    if test.always is not None and test.pure:
        return constant(int(test.always), kind)
    node = ast.IfExp(test.node, ast.Constant(1), ast.Constant(0))
    least = 1 if test.always else 0
    most = 0 if test.always is False else 1
    return Number(node, kind, least, most, test.pure, test)


def condition(value: Number) -> Test:
    """Return whether a number is not 0."""
    if value.test is not None:
        return value.test
    always = None
    if value.least > 0 or value.most < 0:
        always = True
    elif value.least == value.most == 0:
        always = False
    node = ast.Compare(value.node, [ast.NotEq()], [ast.Constant(0)])
    if_true: tuple[Fact, ...] = ()
    if_false: tuple[Fact, ...] = ()
    if value.variable is not None:
        variable, version = value.variable, value.variable.version
        if_false = (Fact(variable, version, 0, 0),)
        low = 1 if value.least == 0 else value.least
        high = -1 if value.most == 0 else value.most
        if_true = (Fact(variable, version, low, high),)
    return Test(node, if_true, if_false, always, value.pure)


def negated(node: ast.expr) -> ast.expr:
    """Return the opposite of a condition."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _OPPOSITE:
            return ast.Compare(node.left, [_OPPOSITE[type(operator)]()], node.comparators)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand
        case ast.Constant(value=value):
            return ast.Constant(not value)
    return ast.UnaryOp(ast.Not(), node)


def truth(*, value: bool) -> Test:
    """Return a condition whose answer is known."""
    return Test(ast.Constant(value), always=value)


TRUE = constant(1, BOOL)
FALSE = constant(0, BOOL)
