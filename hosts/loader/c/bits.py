"""Bits of words, and their positions."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from hosts.loader.c.accesses import Accesses
from hosts.loader.c.arithmetic import binary, convert
from hosts.loader.c.comparisons import compare
from hosts.loader.c.nodes import call, operation
from hosts.loader.c.source import text_of
from hosts.loader.c.structuring import cloned
from hosts.loader.c.types import BOOL, INT, LONG, UINT, ULONG, WORD_BITS, Integer
from hosts.loader.c.values import (
    ArrayPlace,
    FixedPlace,
    LocalPlace,
    Nothing,
    Number,
    PagePlace,
    Place,
    Value,
    constant,
    flag,
    ranged,
)

if TYPE_CHECKING:
    from tree_sitter import Node


class Bits(Accesses):
    """Operations on bitmaps and on bits of numbers."""

    def fixed_bits(self, node: Node) -> FixedPlace | None:
        """Return the register that is always empty here, if it is one."""
        with self.steps():
            place = self.place_given(node)[0]
            found = self.register(place, node) if isinstance(place, PagePlace) else place
        return found if isinstance(found, FixedPlace) and found.value == 0 else None

    def bit_given(self, arguments: list[Node], node: Node) -> tuple[Place, ast.expr | None, Number]:
        """Return the place of a bitmap, its word if it is the machine's, and the bit in that."""
        number, place = self.in_order(
            lambda: convert(self.number(arguments[0]), LONG), lambda: self.place_given(arguments[1])[0]
        )
        if isinstance(place, LocalPlace | ArrayPlace):
            return place, None, number
        if isinstance(place, PagePlace):
            found = self.register(place, node)
            word, shift = self.whole_word(found, node)
            return found, word, binary("+", shift, number)
        word, bit = self.bit_of(place, number, node)
        return place, word, bit

    def op_test_bit(self, arguments: list[Node], node: Node) -> Value:
        """Return whether a bit is set, by a plain load."""
        fixed = self.fixed_bits(arguments[1])
        if fixed is not None:
            self.note(self.report.constants, node, text_of(node), "0", fixed.reason)
            return constant(0, BOOL)
        place, word, bit = self.bit_given(arguments, node)
        if word is None:
            value = self._local_bitmap(place, bit, node)
            return flag(compare("!=", binary("&", value, _bit(bit)), constant(0, ULONG)))
        name = "READ_ONCE" if self.is_shared(place, node) else "local_read"
        return self.tested(call(name, word), bit)

    def _local_bitmap(self, place: Place, bit: Number, node: Node) -> Number:
        if bit.least < 0 or bit.most >= WORD_BITS or not isinstance(place, LocalPlace):
            self.refuse(node, f"{text_of(node)}: a bit of a local has a number up to 63 here")
        assert isinstance(place.variable.type, Integer)  # noqa: S101 - what else is of no such place
        return convert(self.load(place, place.variable.type, node), ULONG)

    def bit_changed(self, arguments: list[Node], node: Node, name: str, *, locked: bool) -> Value:
        """Set or clear a bit, and return whether it was set, if the name asks."""
        place, word, bit = self.bit_given(arguments, node)
        asks, sets = name.startswith("test_and_"), name.endswith("set_bit")
        if word is not None and locked and self.is_shared(place, node):
            made = call(name, bit.node, word)
            if asks:
                return Number(made, INT, 0, 1, pure=False)
            self.line = self.at(node)
            self.emit(ast.Expr(made))
            return Nothing()
        if word is None:
            old = self.kept(self._local_bitmap(place, bit, node), "old")
        else:
            read = call("READ_ONCE" if self.is_shared(place, node) else "local_read", cloned(word))
            old = self.frozen(Number(read, ULONG, ULONG.least, ULONG.most, pure=False), "old")
        was = flag(compare("!=", binary("&", old, _bit(bit)), constant(0, ULONG)))
        if asks:
            was = self.frozen(was, "was_set")
        new = binary("|", old, _bit(bit)) if sets else binary("&", old, _not(_bit(bit)))
        if word is None:
            assert isinstance(place, LocalPlace)  # noqa: S101 - see _local_bitmap
            assert isinstance(place.variable.type, Integer)  # noqa: S101
            self.store(place, convert(new, place.variable.type), node)
        else:
            write = call("WRITE_ONCE" if self.is_shared(place, node) else "local_write", word, new.node)
            self.line = self.at(node)
            self.emit(ast.Expr(write))
            if locked:
                self.barrier_of(place, node)
        return was if asks else Nothing()

    def op_bit(self, arguments: list[Node], node: Node) -> Value:
        """Return an ``unsigned long`` with one bit set."""
        return binary("<<", constant(1, ULONG), self.number(arguments[0]))

    def op_last_bit(self, arguments: list[Node], node: Node) -> Value:
        """Return the position of the highest set bit, from 0; not defined for 0."""
        value = convert(self.number(arguments[0]), ULONG)
        return self._position(value, ULONG, -1)

    def op_fls(self, arguments: list[Node], node: Node) -> Value:
        """Return the position of the highest set bit of 32, from 1; 0 if there is none."""
        return self._position(convert(self.number(arguments[0]), UINT), INT, 0)

    def op_fls64(self, arguments: list[Node], node: Node) -> Value:
        """Return the position of the highest set bit, from 1; 0 if there is none."""
        return self._position(convert(self.number(arguments[0]), ULONG), INT, 0)

    def _position(self, value: Number, kind: Integer, less: int) -> Number:
        if value.constant is not None:
            known = (value.constant & ((1 << WORD_BITS) - 1)).bit_length() + less
            return constant(known, kind)
        most = value.most.bit_length() if value.least >= 0 else WORD_BITS
        node = call("fls64", value.node)
        if less:
            node = operation(node, ast.Sub, ast.Constant(-less))
        return ranged(
            node,
            kind,
            max(1 + less, 0) if value.least > 0 else min(0, less) if not less else 0,
            most + less,
            pure=value.pure,
        )

    def op_first_bit(self, arguments: list[Node], node: Node) -> Value:
        """Return the position of the lowest set bit, from 0; not defined for 0."""
        value = self.kept(convert(self.number(arguments[0]), ULONG))
        lowest = operation(cloned(value.node), ast.BitAnd, ast.UnaryOp(ast.USub(), cloned(value.node)))
        return self._position(Number(lowest, ULONG, ULONG.least, ULONG.most, value.pure), ULONG, -1)

    def op_hweight(self, arguments: list[Node], node: Node) -> Value:
        """Count the set bits of 32."""
        value = convert(self.number(arguments[0]), UINT)
        return ranged(call("hweight64", value.node), UINT, 0, 32, pure=value.pure)

    def op_hweight64(self, arguments: list[Node], node: Node) -> Value:
        """Count the set bits."""
        value = convert(self.number(arguments[0]), ULONG)
        return ranged(call("hweight64", value.node), ULONG, 0, WORD_BITS, pure=value.pure)


def _bit(bit: Number) -> Number:
    return binary("<<", constant(1, ULONG), bit)


def _not(value: Number) -> Number:
    return Number(ast.UnaryOp(ast.Invert(), value.node), ULONG, ULONG.least, ULONG.most, value.pure)
