"""C's operators on integers, as expressions that plain Python and compiled 64-bit code agree about.

Intervals of what operands can be decide whether a result can leave its type; what cannot is left as it is.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Final

from hosts.loader.c.comparisons import COMPARISONS, compare
from hosts.loader.c.nodes import call, masked, operation
from hosts.loader.c.types import BOOL, WORD_BITS, Integer, common, promoted
from hosts.loader.c.values import Number, Test, condition, constant, flag, ranged

_WORD_MIN: Final = -(1 << 63)
_WORD_MAX: Final = (1 << 63) - 1
_SIMPLE: Final[dict[str, type[ast.operator]]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "&": ast.BitAnd,
    "|": ast.BitOr,
    "^": ast.BitXor,
}
SHIFTS: Final = frozenset({"<<", ">>"})
OPERATORS: Final = frozenset({*COMPARISONS, *_SIMPLE, *SHIFTS, "/", "%"})


class UndefinedError(Exception):
    """An operation that has no meaning in C; says why."""


def convert(value: Number, kind: Integer) -> Number:
    """Return a number converted to a type."""
    if kind.is_bool:
        if value.type.is_bool:
            return replace(value, type=kind)
        return flag(condition(value), kind)
    known = value.constant
    if known is not None:
        return constant(known, kind)
    if kind.least <= value.least and value.most <= kind.most:
        return replace(value, type=kind)
    return replace(_wrapped(value.node, kind), pure=value.pure)


def _wrapped(node: ast.expr, kind: Integer) -> Number:
    """Return an expression whose value may lie outside of a type narrower than a word, wrapped into it."""
    if kind.signed:
        return Number(call(f"wrap_s{kind.bits}", node), kind, kind.least, kind.most)
    return Number(masked(node, kind.most), kind, kind.least, kind.most)


def _result(node: ast.expr, kind: Integer, least: int, most: int, *, pure: bool) -> Number:
    """Return an exact result that fits a word, wrapped if it may not fit its type."""
    if kind.least <= least and most <= kind.most:
        if least == most and pure:
            return constant(least, kind)
        return Number(node, kind, least, most, pure)
    return replace(_wrapped(node, kind), pure=pure)


def binary(operator: str, left: Number, right: Number) -> Number:
    """Return the value of a binary operator."""
    if operator in SHIFTS:
        return _shift(operator, left, right)
    kind = common(left.type, right.type)
    left, right = convert(left, kind), convert(right, kind)
    if operator in COMPARISONS:
        return flag(compare(operator, left, right))
    if operator in ("/", "%"):
        return _divided(operator, left, right, kind)
    if operator in ("&", "|", "^"):
        return _bitwise(operator, left, right, kind)
    return _computed(operator, left, right, kind)


def _computed(operator: str, left: Number, right: Number, kind: Integer) -> Number:
    pure = left.pure and right.pure
    if left.constant is not None and right.constant is not None:
        a, b = left.constant, right.constant
        return constant(a + b if operator == "+" else a - b if operator == "-" else a * b, kind)
    for one, other in ((left, right), (right, left)):
        if one.constant == 0 and (operator == "+" or (operator == "-" and one is right)):
            return replace(other, type=kind)
        if operator == "*" and one.constant == 1:
            return replace(other, type=kind)
    if operator == "+":
        least, most = left.least + right.least, left.most + right.most
    elif operator == "-":
        least, most = left.least - right.most, left.most - right.least
    else:
        ends = [a * b for a in (left.least, left.most) for b in (right.least, right.most)]
        least, most = min(ends), max(ends)
    node = operation(left.node, _SIMPLE[operator], right.node)
    if least >= _WORD_MIN and most <= _WORD_MAX:
        return _result(node, kind, least, most, pure=pure)
    name = {"+": "add64", "-": "sub64", "*": "mul64"}[operator]
    node = call(name, left.node, right.node)
    if kind.bits == WORD_BITS:
        return Number(node, kind, kind.least, kind.most, pure)
    return replace(_wrapped(node, kind), pure=pure)


def _bitwise(operator: str, left: Number, right: Number, kind: Integer) -> Number:
    pure = left.pure and right.pure
    a, b = left.constant, right.constant
    if a is not None and b is not None:
        return constant(a & b if operator == "&" else a | b if operator == "|" else a ^ b, kind)
    for one, other in ((left, right), (right, left)):
        if one.constant == 0 and operator != "&":
            return replace(other, type=kind)
        if one.constant == 0 and other.pure:
            return constant(0, kind)
        mask = one.constant
        if operator == "&" and mask is not None and mask & (mask + 1) == 0 and other.least >= 0 and other.most <= mask:
            return replace(other, type=kind)
    least, most = kind.least, kind.most
    if operator == "&":
        tops = [each.most for each in (left, right) if each.least >= 0]
        if tops:
            least, most = 0, min(tops)
    elif left.least >= 0 and right.least >= 0:
        most = (1 << max(left.most.bit_length(), right.most.bit_length())) - 1
        least = max(left.least, right.least) if operator == "|" else 0
    elif left.least >= kind.least and right.least >= kind.least and kind.signed:
        bits = max(each.bit_length() for each in (left.least, left.most, right.least, right.most))
        least, most = -(1 << bits), (1 << bits) - 1
    return ranged(operation(left.node, _SIMPLE[operator], right.node), kind, least, most, pure=pure)


# --- shifts ------------------------------------------------------------------------------------------------------


def _shift(operator: str, left: Number, right: Number) -> Number:  # noqa: C901, PLR0911 - one for each way
    kind = promoted(left.type)
    left, right = convert(left, kind), convert(right, promoted(right.type))
    count = right.constant
    if count is not None and not 0 <= count < kind.bits:
        raise UndefinedError(f"a shift of {kind} by {count}: it has {kind.bits} bits")
    if right.least < 0 or right.most >= kind.bits:  # not defined in C; the processor takes the low bits
        right = _bitwise("&", right, constant(kind.bits - 1, right.type), right.type)
    pure = left.pure and right.pure
    if left.constant is not None and count is not None:
        known = left.constant
        if operator == "<<":
            return constant(known << count, kind)
        return constant((known if kind.signed else known & ((1 << kind.bits) - 1)) >> count, kind)
    if count == 0:
        return left
    if operator == ">>":
        return _shifted_right(left, right, kind, pure=pure)
    least, most = min(left.least, left.least << right.most), max(left.most, left.most << right.most)
    if left.least >= 0 and right.least > 0:
        least = left.least << right.least
    if count is not None and least >= _WORD_MIN and most <= _WORD_MAX:
        node = operation(left.node, ast.LShift, ast.Constant(count))
        return _result(node, kind, left.least << count, left.most << count, pure=pure)
    if left.constant == 1:
        node = call("shift_left", ast.Constant(1), right.node)
    else:
        node = call("shift_left", left.node, right.node)
    if kind.bits == WORD_BITS:
        least, most = (least, most) if most <= _WORD_MAX and least >= _WORD_MIN else (kind.least, kind.most)
        return Number(node, kind, least, most, pure)
    if kind.least <= least and most <= kind.most:
        return Number(node, kind, least, most, pure)
    return replace(_wrapped(node, kind), pure=pure)


def _shifted_right(left: Number, right: Number, kind: Integer, *, pure: bool) -> Number:
    count = right.constant
    if kind.signed or left.least >= 0:
        least = left.least >> (right.least if left.least < 0 else right.most)
        most = left.most >> (right.most if left.most < 0 else right.least)
        if count is not None:
            return ranged(operation(left.node, ast.RShift, ast.Constant(count)), kind, least, most, pure=pure)
        return ranged(call("shift_right", left.node, right.node), kind, least, most, pure=pure)
    if count is not None:
        mask = (1 << (WORD_BITS - count)) - 1
        return ranged(masked(operation(left.node, ast.RShift, ast.Constant(count)), mask), kind, 0, mask, pure=pure)
    least = 0 if right.least > 0 else kind.least
    return ranged(call("shift_right_unsigned", left.node, right.node), kind, least, kind.most, pure=pure)


# --- division ----------------------------------------------------------------------------------------------------


def _divided(operator: str, left: Number, right: Number, kind: Integer) -> Number:
    pure = left.pure and right.pure
    divisor = right.constant
    if divisor == 0:
        raise UndefinedError("a division by 0")
    if left.constant is not None and divisor is not None:
        return constant(_exact(operator, left.constant, divisor, kind), kind)
    if left.least >= 0 and right.least >= 0:
        low = max(right.least, 1)
        if operator == "/":
            node = operation(left.node, ast.FloorDiv, right.node)
            return ranged(node, kind, left.least // max(right.most, 1), left.most // low, pure=pure)
        node = operation(left.node, ast.Mod, right.node)
        return ranged(node, kind, 0, min(left.most, max(right.most - 1, 0)), pure=pure)
    name = "quotient" if operator == "/" else "remainder"
    if not kind.signed:
        return Number(call(f"{name}_unsigned", left.node, right.node), kind, kind.least, kind.most, pure)
    size = max(abs(left.least), abs(left.most))
    if operator == "%":
        size = min(size, max(abs(right.least), abs(right.most)) - 1)
    node = call(name, left.node, right.node)
    if size > kind.most:
        return _result(node, kind, kind.least, kind.most + (kind.bits != WORD_BITS), pure=pure)
    least = 0 if operator == "%" and left.least >= 0 else -size
    return ranged(node, kind, least, size, pure=pure)


def _exact(operator: str, left: int, right: int, kind: Integer) -> int:
    if not kind.signed:
        left, right = left & ((1 << kind.bits) - 1), right & ((1 << kind.bits) - 1)
    quotient = abs(left) // abs(right)
    quotient = quotient if (left < 0) == (right < 0) else -quotient
    return quotient if operator == "/" else left - quotient * right


# --- one operand ------------------------------------------------------------------------------------------------------


def negative(value: Number) -> Number:
    """Return ``-x``."""
    kind = promoted(value.type)
    value = convert(value, kind)
    if value.constant is None and value.least > _WORD_MIN and kind.least <= -value.most and -value.least <= kind.most:
        return Number(ast.UnaryOp(ast.USub(), value.node), kind, -value.most, -value.least, value.pure)
    return binary("-", constant(0, kind), value)


def inverted(value: Number) -> Number:
    """Return ``~x``."""
    kind = promoted(value.type)
    value = convert(value, kind)
    if value.constant is not None:
        return constant(~value.constant, kind)
    if kind.signed or kind.bits == WORD_BITS:
        return Number(ast.UnaryOp(ast.Invert(), value.node), kind, ~value.most, ~value.least, value.pure)
    node = operation(value.node, ast.BitXor, ast.Constant(kind.most))
    return Number(node, kind, kind.most - value.most, kind.most - value.least, value.pure)


def extended(node: ast.expr, shift: int, kind: Integer, *, pure: bool) -> Number:
    """Return some bits of a word as a number of a type."""
    if kind.bits == WORD_BITS:
        return Number(node, kind, kind.least, kind.most, pure)
    if shift:
        node = operation(node, ast.RShift, ast.Constant(shift))
    if kind.is_bool:
        test = Test(ast.Compare(masked(node, 0xFF), [ast.NotEq()], [ast.Constant(0)]), pure=pure)
        return flag(test, BOOL)
    if kind.signed and shift + kind.bits == WORD_BITS:
        return Number(node, kind, kind.least, kind.most, pure)
    return replace(_wrapped(node, kind), pure=pure)
