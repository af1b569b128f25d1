"""Comparisons of C, and what they say of the locals that are compared."""

from __future__ import annotations

import ast
from typing import Final

from hosts.loader.c.nodes import operation
from hosts.loader.c.types import WORD_BITS
from hosts.loader.c.values import Fact, Number, Test

_WORD_MIN: Final = -(1 << 63)
_COMPARE: Final[dict[str, type[ast.cmpop]]] = {
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
}
COMPARISONS: Final = frozenset(_COMPARE)


def compare(operator: str, left: Number, right: Number) -> Test:
    """Return a comparison of two numbers of one type."""
    unsigned = left.type.bits == WORD_BITS and not left.type.signed and (left.least < 0 or right.least < 0)
    always = None
    if not unsigned or operator in ("==", "!="):
        always = _known(operator, left, right)
    one, other = left.node, right.node
    if unsigned and operator not in ("==", "!="):
        one, other = _flipped(left), _flipped(right)
    facts: tuple[tuple[Fact, ...], tuple[Fact, ...]] = ((), ())
    if not unsigned or operator in ("==", "!="):
        facts = _facts(operator, left, right)
    pure = left.pure and right.pure
    return Test(ast.Compare(one, [_COMPARE[operator]()], [other]), *facts, always, pure)


def _flipped(value: Number) -> ast.expr:
    """Return an expression that orders numbers without sign as signed ones."""
    if value.constant is not None:
        return ast.Constant(value.constant ^ _WORD_MIN)
    return operation(value.node, ast.BitXor, ast.Constant(_WORD_MIN))


def _known(operator: str, a: Number, b: Number) -> bool | None:
    if operator in ("==", "!="):
        if a.most < b.least or b.most < a.least:
            return operator == "!="
        if a.least == a.most == b.least == b.most:
            return operator == "=="
        return None
    if operator in (">", ">="):
        a, b = b, a
    strict = operator in ("<", ">")
    if a.most < b.least or (not strict and a.most <= b.least):
        return True
    if a.least > b.most or (strict and a.least >= b.most):
        return False
    return None


_MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
_NEGATED: Final = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!=", "!=": "=="}


def _facts(operator: str, left: Number, right: Number) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Return what a comparison says of locals when it holds and when it does not."""
    sides = []
    for one, way in ((operator, False), (_NEGATED[operator], True)):
        found = [_fact(one, left, right), _fact(_MIRRORED[one], right, left)]
        sides.append((way, tuple(each for each in found if each is not None)))
    return sides[0][1], sides[1][1]


def _fact(operator: str, value: Number, other: Number) -> Fact | None:
    variable = value.variable
    if variable is None:
        return None
    least, most = value.least, value.most
    if operator == "==":
        least, most = max(least, other.least), min(most, other.most)
    elif operator in ("<", "<="):
        most = min(most, other.most - (operator == "<"))
    elif operator in (">", ">="):
        least = max(least, other.least + (operator == ">"))
    elif other.constant is not None:
        least += least == other.constant
        most -= most == other.constant
    return Fact(variable, variable.version, least, most)
