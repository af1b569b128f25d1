"""Places: what a pointer leads to and what can be assigned. They are known while C is translated, none at run time."""

from __future__ import annotations

import ast
from dataclasses import replace
from math import gcd

from hosts.loader.c.arithmetic import binary
from hosts.loader.c.types import LONG, WORD_BITS, Integer
from hosts.loader.c.values import (
    ArrayPlace,
    LocalPlace,
    Number,
    Offset,
    PagePlace,
    Place,
    WordPlace,
    WordsPlace,
    constant,
)

MOVABLE = (ArrayPlace, WordsPlace, PagePlace)


def farther(offset: Offset, steps: Number, scale: int) -> Offset:
    """Return an offset that is so many steps further."""
    if steps.constant is not None:
        return replace(offset, bytes=offset.bytes + steps.constant * scale)
    steps, factor = _factored(steps)
    scale *= factor
    if offset.steps is None:
        return replace(offset, steps=steps, scale=scale)
    unit = gcd(offset.scale, scale)
    one = binary("*", offset.steps, constant(offset.scale // unit, LONG))
    other = binary("*", steps, constant(scale // unit, LONG))
    return Offset(offset.bytes, binary("+", one, other), unit)


def index_of(offset: Offset, size: int) -> Number | None:
    """Return an offset in elements of a size; None if it is not a multiple."""
    if offset.bytes % size or (offset.steps is not None and offset.scale % size):
        return None
    if offset.steps is None:
        return constant(offset.bytes // size, LONG)
    many = binary("*", offset.steps, constant(offset.scale // size, LONG))
    return binary("+", many, constant(offset.bytes // size, LONG))


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


def moved(place: Place, steps: Number, scale: int) -> Place | None:
    """Return a place some steps further; None if there is none."""
    if steps.constant == 0:
        return place
    if isinstance(place, MOVABLE):
        return replace(place, offset=farther(place.offset, steps, scale))
    if steps.constant is None:
        return None
    return _inside(place, steps.constant * scale * 8)


def _inside(place: Place, bits: int) -> Place | None:
    """Return another part of one word."""
    if isinstance(place, LocalPlace) and isinstance(place.variable.type, Integer) and not place.bits:
        inside = 0 <= place.shift + bits < place.variable.type.bits
        return replace(place, shift=place.shift + bits) if inside else None
    if isinstance(place, WordPlace) and place.type.bits == WORD_BITS and not place.bits:
        return replace(place, shift=place.shift + bits) if 0 <= place.shift + bits < WORD_BITS else None
    return None
