"""Run-time checks of what a user's rule computes, as calls that the loader inserts (:mod:`emu.rulechecks`)."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final, TypeVar

from emu import reach
from emu.rulechecks import (
    FAULT_BIT,
    FAULT_CHOICE,
    FAULT_CPU,
    FAULT_DIVISOR,
    FAULT_ENDLESS,
    FAULT_INDEX,
    FAULT_MODE,
    FAULT_NULL,
    FAULT_SHIFT,
    FAULT_SLOT,
    FAULT_STATE,
    FAULT_VECTOR,
    FILE_SHIFT,
    LINE_SHIFT,
)
from emu.vectors import SLOTS
from hosts.loader.primitives import ACCESSES, LOCKED
from hosts.loader.rule.bounds import Bounds, Range
from hosts.loader.rule.types import Kind
from hosts.loader.syntax.language import TEMPORARY

N = TypeVar("N", bound=ast.AST)

WORD_BITS: Final = 64
VECTORS: Final = 256
_PIR_WORDS: Final = 4

_OF_PARAMETER: Final = {
    "vector": (FAULT_VECTOR, VECTORS),
    "vec": (FAULT_VECTOR, VECTORS),
    "notification_vector": (FAULT_VECTOR, VECTORS),
    "nr": (FAULT_BIT, WORD_BITS),
    "req": (FAULT_BIT, WORD_BITS),
    "slot": (FAULT_SLOT, SLOTS),
    "i": (FAULT_INDEX, _PIR_WORDS),
    "half": (FAULT_INDEX, 2),
    "state": (FAULT_STATE, reach.BELOW["Wait.state"]),
}
"""What a number has to be below that is given to the emulated kernel, by the name of the parameter."""
_OR_NONE: Final = frozenset({"vmx_set_rvi"})
"""Functions that take -1 for no vector."""

STORED: Final = {name: row.stored for name, row in ACCESSES.items() if row.stored}
"""Primitives that put a number into a word, and the parameter that is the number."""
CHANGING: Final = frozenset(name for name, row in LOCKED.items() if not row.stored)
"""Primitives that make another number of what is there."""


def at(node: N, like: ast.AST) -> N:
    """Set the line of ``node``, and of its parts that have none, to that of ``like``; return it."""
    return ast.fix_missing_locations(ast.copy_location(node, like))


def call(name: str, arguments: list[ast.expr], like: ast.AST) -> ast.Call:
    """Call a function by its name."""
    return at(ast.Call(ast.Name(name, ast.Load()), arguments, []), like)


def given_bounds(function: str, names: Iterable[str]) -> dict[str, Range]:
    """Return what parameters of a function may be that the emulated kernel calls: by their names."""
    wanted = {} if function in _OR_NONE else _OF_PARAMETER
    return {name: (0, wanted[name][1] - 1) for name in names if name in wanted}


class Guards:
    """Makes checks; what is plainly right gets none."""

    def __init__(self, bounds: Bounds, *, active: bool, file: int = 0) -> None:
        """``bounds``: of the names in the function. Not ``active``: the program has no functions for it.

        ``file``: the number of the user's file, which a fault tells.
        """
        self.bounds, self.active, self._file = bounds, active, file

    def below(self, node: ast.expr, like: ast.AST, fault: int, bound: int) -> ast.expr:
        """Check that a number is 0 or more and less than ``bound``."""
        known = self.bounds.of(node)
        if not self.active or (known is not None and known[0] >= 0 and known[1] < bound):
            return node
        return call("checked_below", [self._where(like, fault), node, at(ast.Constant(bound), like)], like)

    def index(self, node: ast.expr, like: ast.AST, count: int) -> ast.expr:
        """Check an index."""
        return self.below(node, like, FAULT_INDEX, count)

    def divisor(self, node: ast.expr, like: ast.AST) -> ast.expr:
        """Check that a number is not 0."""
        if not self.active or self.bounds.fixed(node):
            return node
        return call("checked_divisor", [self._where(like, FAULT_DIVISOR), node], like)

    def operand(self, operator: ast.operator, right: ast.expr, like: ast.AST) -> ast.expr:
        """Check what stands to the right of an operator."""
        if isinstance(operator, ast.FloorDiv | ast.Mod):
            return self.divisor(right, like)
        if isinstance(operator, ast.LShift | ast.RShift):
            return self.below(right, like, FAULT_SHIFT, WORD_BITS)
        return right

    def there(self, node: ast.expr, kind: Kind, like: ast.AST) -> ast.expr:
        """Check that a vCPU is one."""
        if not self.active or not kind.may_be_null:
            return node
        return call("checked_vcpu", [self._where(like, FAULT_NULL), node], like)

    def argument(  # noqa: PLR0911 - one for each kind
        self, function: str, parameter: str, node: ast.expr, like: ast.AST
    ) -> ast.expr:
        """Check a number that is given to the emulated kernel."""
        if not self.active:
            return node
        if parameter == "divisor":
            return self.divisor(node, like)
        if parameter == "cpu":
            return call("checked_cpu", [self._where(like, FAULT_CPU), node], like)
        if function in ("choose", "one_in"):
            number = self.bounds.fixed(node)
            return node if number == 1 else call("checked_choice", [self._where(like, FAULT_CHOICE), node], like)
        if parameter in _OF_PARAMETER:
            if function in _OR_NONE:
                return call("checked_or_none", [self._where(like, FAULT_VECTOR), node], like)
            return self.below(node, like, *_OF_PARAMETER[parameter])
        return node

    def stored(self, node: ast.expr, word: Kind, like: ast.AST) -> ast.expr:
        """Check a number that is put into a word."""
        for place in sorted(word.places):
            if place in reach.BELOW:
                fault = {"Vcpu.mode": FAULT_MODE, "Wait.state": FAULT_STATE}.get(place, FAULT_VECTOR)
                node = self.below(node, like, fault, reach.BELOW[place])
        return node

    def turn(self, number: int, like: ast.stmt) -> tuple[ast.stmt, ast.stmt]:
        """Count the turns of a loop: give what comes before it, and what its body begins with."""
        name = f"{TEMPORARY}turns{number}"
        begin = at(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(0)), like)
        counted = call("checked_turn", [self._where(like, FAULT_ENDLESS), ast.Name(name, ast.Load())], like)
        return begin, at(ast.Assign([ast.Name(name, ast.Store())], counted), like)

    def _where(self, like: ast.AST, fault: int) -> ast.expr:
        line: int = like.lineno  # type: ignore[attr-defined]
        return at(ast.Constant(self._file << FILE_SHIFT | line << LINE_SHIFT | fault), like)
