"""What Linux gives to all of its code: the accesses of its memory model, barriers, bits, ``min`` and ``max``."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hosts.loader.c.arithmetic import convert
from hosts.loader.c.bits import Bits
from hosts.loader.c.comparisons import compare
from hosts.loader.c.source import text_of
from hosts.loader.c.structuring import cloned
from hosts.loader.c.types import INT, ULONG, WORD_BITS, Array, CType, Integer
from hosts.loader.c.types import common as common_type
from hosts.loader.c.values import (
    Nothing,
    Value,
    constant,
    flag,
    ranged,
)

if TYPE_CHECKING:
    from tree_sitter import Node


class Operations(Bits):
    """Operations by name: ``op_<name>`` takes the arguments and the call."""

    def op_constant_p(self, arguments: list[Node], node: Node) -> Value:
        """Return whether an argument is known."""
        with self.steps():
            known = self.number(arguments[0]).constant is not None
        return constant(int(known), INT)

    def op_likely(self, arguments: list[Node], node: Node) -> Value:
        """Return whether a condition holds."""
        return flag(self.test(arguments[0]))

    def op_same(self, arguments: list[Node], node: Node) -> Value:
        """Return the argument."""
        return self.expression(arguments[0])

    def op_array_size(self, arguments: list[Node], node: Node) -> Value:
        """Return how many elements an array has."""
        kind = self.type_of_operand(arguments[0])
        if not isinstance(kind, Array):
            self.refuse(node, f"{text_of(node)}: this is no array")
        return constant(kind.count, ULONG)

    def lesser(self, arguments: list[Node], node: Node, operator: str, kind: Integer | None = None) -> Value:
        """Return the lesser or greater of two numbers."""
        one, other = self.in_order(*(lambda each=each: self.number(each) for each in arguments[-2:]))
        kind = kind or common_type(one.type, other.type)
        one, other = self.kept(convert(one, kind)), self.kept(convert(other, kind))
        test = compare(operator, one, other)
        if test.always is not None:
            return one if test.always else other
        choose = min if operator == "<" else max
        least, most = choose(one.least, other.least), choose(one.most, other.most)
        if kind.bits == WORD_BITS and not kind.signed and min(one.least, other.least) < 0:
            least, most = kind.least, kind.most
        return ranged(ast.IfExp(test.node, cloned(one.node), cloned(other.node)), kind, least, most)

    def lesser_typed(self, arguments: list[Node], node: Node, operator: str) -> Value:
        """Return the lesser or greater of two numbers, as a type that is named."""
        kind = self.type_in(arguments[0])
        if not isinstance(kind, Integer):
            self.refuse(node, f"{text_of(node)}: integers are compared")
        return self.lesser(arguments[1:], node, operator, kind)

    def type_in(self, node: Node) -> CType:
        """Return a type that is an argument."""
        return self.base_type(node) if node.type != "identifier" else self.any_type_named(text_of(node), node)

    def op_swap(self, arguments: list[Node], node: Node) -> Value:
        """Exchange two places."""
        (one, kind), (other, second) = self.in_order(
            lambda: self.target(arguments[0]), lambda: self.target(arguments[1])
        )
        if not isinstance(kind, Integer) or not isinstance(second, Integer):
            self.refuse(node, f"{text_of(node)}: integers are exchanged")
        left = self.frozen(self.load(one, kind, node))
        self.store(one, convert(self.load(other, second, node), kind), node)
        self.store(other, convert(left, second), node)
        return Nothing()


_BITS: Final = ("set_bit", "clear_bit", "test_and_set_bit", "test_and_clear_bit")
Operation = Callable[[Operations, list["Node"], "Node"], Value]


def _changing(name: str, *, locked: bool) -> Operation:
    return lambda self, arguments, node: self.bit_changed(arguments, node, name, locked=locked)


def _lesser(operator: str) -> Operation:
    return lambda self, arguments, node: self.lesser(arguments, node, operator)


def _lesser_typed(operator: str) -> Operation:
    return lambda self, arguments, node: self.lesser_typed(arguments, node, operator)


OPERATIONS: Final[dict[str, tuple[int, Operation]]] = {
    **dict.fromkeys(("READ_ONCE", "ACCESS_ONCE", "READ_ONCE_NOCHECK"), (1, Operations.op_read_once)),
    "__builtin_constant_p": (1, Operations.op_constant_p),
    "WRITE_ONCE": (2, Operations.op_write_once),
    "smp_load_acquire": (1, Operations.op_load_acquire),
    "smp_store_release": (2, Operations.op_store_release),
    **dict.fromkeys(("smp_store_mb", "set_mb"), (2, Operations.op_store_mb)),
    **dict.fromkeys(("smp_mb", "mb"), (0, Operations.op_mb)),
    **dict.fromkeys(("smp_wmb", "wmb"), (0, Operations.op_wmb)),
    **dict.fromkeys(("smp_rmb", "rmb"), (0, Operations.op_rmb)),
    **dict.fromkeys(
        ("barrier", "smp_mb__before_atomic", "smp_mb__after_atomic", "smp_mb__after_srcu_read_unlock"),
        (0, Operations.op_nothing),
    ),
    **dict.fromkeys(("BUILD_BUG_ON", "BUILD_BUG_ON_MSG", "static_assert"), (-1, Operations.op_nothing)),
    "cpu_relax": (0, Operations.op_relax),
    **dict.fromkeys(("xchg", "arch_xchg", "xchg_relaxed", "atomic_xchg", "atomic64_xchg"), (2, Operations.op_xchg)),
    **dict.fromkeys(("cmpxchg", "arch_cmpxchg", "cmpxchg64", "atomic_cmpxchg"), (3, Operations.op_cmpxchg)),
    **dict.fromkeys(
        ("try_cmpxchg", "try_cmpxchg64", "arch_try_cmpxchg", "atomic_try_cmpxchg"), (3, Operations.op_try_cmpxchg)
    ),
    **dict.fromkeys(("atomic_inc", "atomic64_inc"), (1, Operations.op_atomic_inc)),
    **dict.fromkeys(("atomic_dec", "atomic64_dec"), (1, Operations.op_atomic_dec)),
    **dict.fromkeys(("atomic_read", "atomic64_read"), (1, Operations.op_atomic_read)),
    **dict.fromkeys(("atomic_set", "atomic64_set"), (2, Operations.op_atomic_set)),
    **dict.fromkeys(("test_bit", "arch_test_bit"), (2, Operations.op_test_bit)),
    **{name: (2, _changing(name, locked=True)) for name in _BITS},
    **{f"__{name}": (2, _changing(name, locked=False)) for name in _BITS},
    **dict.fromkeys(("BIT", "BIT_ULL"), (1, Operations.op_bit)),
    "__fls": (1, Operations.op_last_bit),
    "__ffs": (1, Operations.op_first_bit),
    "fls": (1, Operations.op_fls),
    "fls64": (1, Operations.op_fls64),
    "hweight32": (1, Operations.op_hweight),
    **dict.fromkeys(("hweight64", "hweight_long"), (1, Operations.op_hweight64)),
    **dict.fromkeys(("likely", "unlikely"), (1, Operations.op_likely)),
    **dict.fromkeys(("data_race",), (1, Operations.op_same)),
    "ARRAY_SIZE": (1, Operations.op_array_size),
    "min": (2, _lesser("<")),
    "max": (2, _lesser(">")),
    "min_t": (3, _lesser_typed("<")),
    "max_t": (3, _lesser_typed(">")),
    "swap": (2, Operations.op_swap),
}
"""Operations by name: how many arguments each takes (-1: any), and what makes it."""
