"""Bounds of a number, as far as they are plain from the expression: what cannot be out of range needs no check."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from emu.machine import MAX_PCPUS
from emu.vectors import SLOTS

Range = tuple[int, int]
"""The least and the greatest."""

_MOST_SHIFT: Final = 63
_GIVEN_BACK: Final[Mapping[str, Range]] = {
    "smp_processor_id": (0, MAX_PCPUS - 1),
    "vector_of": (0, 255),
    "slot_of": (0, SLOTS - 1),
}
"""What functions of the protocol give."""


@dataclass(frozen=True)
class Bounds:
    """What is known of the names in one function."""

    values: Mapping[str, object] = field(default_factory=dict)
    """What names stand for that are not local."""
    local: AbstractSet[str] = frozenset()
    given: Mapping[str, Range] = field(default_factory=dict)
    """Of parameters that hold what the emulated kernel has given, what they may be."""

    def of(self, node: ast.expr) -> Range | None:  # noqa: PLR0911 - one for each kind
        """Return the bounds of an expression; None if nothing is known."""
        match node:
            case ast.Constant(value=int(value)):
                return value, value
            case ast.Name(id=name) if name in self.local:
                return self.given.get(name)
            case ast.Name(id=name):
                number = self.values.get(name)
                return (number, number) if isinstance(number, int) else None
            case ast.BinOp(left=left, op=operator, right=right):
                return self._computed(left, operator, right)
            case ast.Call(func=ast.Name(id=name)) if name in _GIVEN_BACK:
                return _GIVEN_BACK[name]
            case ast.Call(func=ast.Name(id="checked_below"), args=[_, _, ast.Constant(value=int(bound))]):
                return 0, bound - 1
            case ast.Call(func=ast.Name(id="max" | "min" as name), args=[_, _, *_] as parts):
                return self._chosen(max if name == "max" else min, parts)
        return None

    def fixed(self, node: ast.expr) -> int | None:
        """Return the number that an expression always is; None if it is not plain that it is one."""
        bounds = self.of(node)
        return bounds[0] if bounds is not None and bounds[0] == bounds[1] else None

    def _computed(self, left: ast.expr, operator: ast.operator, right: ast.expr) -> Range | None:
        one, other = self.of(left), self.of(right)
        if isinstance(operator, ast.BitAnd):
            masks = [each[1] for each in (one, other) if each is not None and each[0] >= 0]
            return (0, min(masks)) if masks else None
        if one is None or other is None:
            return None
        if isinstance(operator, ast.RShift) and other[0] == other[1] and 0 <= other[0] <= _MOST_SHIFT:
            return one[0] >> other[0], one[1] >> other[0]
        return None

    def _chosen(self, choose: Callable[[list[int]], int], parts: list[ast.expr]) -> Range | None:
        found = [self.of(part) for part in parts]
        known = [each for each in found if each is not None]
        if len(known) < len(found):
            return None
        return choose([low for low, _ in known]), choose([high for _, high in known])
