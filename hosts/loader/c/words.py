"""Which word of the machine a place lies in, and where in it."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from hosts.loader.c.arithmetic import binary
from hosts.loader.c.builder import Builder
from hosts.loader.c.nodes import call, masked, operation
from hosts.loader.c.places import farther, index_of
from hosts.loader.c.structuring import cloned
from hosts.loader.c.types import LONG, UINT, ULONG, WORD_BITS, Integer
from hosts.loader.c.values import (
    FixedPlace,
    Number,
    Offset,
    PagePlace,
    Place,
    Test,
    WordPlace,
    WordsPlace,
    constant,
    flag,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_WORD_BYTES = WORD_BITS // 8


class Words(Builder):
    """Words of the machine."""

    def whole_word(self, place: Place, node: Node) -> tuple[ast.expr, Number]:
        """Return the word that a place lies in, and the bit that the place begins at."""
        match place:
            case WordPlace():
                return cloned(place.node), constant(place.shift, LONG)
            case WordsPlace():
                return self._word_of_words(place, node)
            case PagePlace():
                return self.whole_word(self.register(place, node), node)
        self.refuse(node, "a word of the machine belongs here")

    def _word_of_words(self, place: WordsPlace, node: Node) -> tuple[ast.expr, Number]:
        """Return one of several words, and the bit in it."""
        offset = place.offset
        for size in (_WORD_BYTES, 4, 2, 1):
            index = index_of(offset, size)
            if index is None:
                continue
            if index.constant is not None and not 0 <= index.constant * size < place.size:
                self.refuse(node, f"byte {index.constant * size} of {place.size} is outside of the array")
            each = _WORD_BYTES // size
            if each == 1:
                return _item(place.node, index), constant(0, LONG)
            word = binary(">>", index, constant(each.bit_length() - 1, LONG))
            part = binary("&", index, constant(each - 1, LONG))
            return _item(place.node, word), binary("*", part, constant(size * 8, LONG))
        self.refuse(node, "the place of this access is not known")

    def register(self, place: PagePlace, node: Node) -> WordPlace | WordsPlace | FixedPlace:
        """Return a register of a page."""
        offset = place.offset
        if offset.steps is None and offset.bytes in place.page.words:
            rule = place.page.words[offset.bytes]
            kind = self.type_named(rule.type, node)
            path = attribute(place.node, rule.path)
            return WordPlace(path, kind, rule.shared, rule.shift, rule.bits, rule.least, rule.most)
        for bank in place.page.banks:
            least, most = offset.bytes, offset.bytes
            if offset.steps is not None:
                least += offset.steps.least * offset.scale
                most += offset.steps.most * offset.scale
            inside = bank.first <= least and most < bank.first + bank.stride * bank.count
            index = index_of(replace(offset, bytes=offset.bytes - bank.first), bank.stride)
            if inside and bank.constant is not None:
                return FixedPlace(bank.constant.value, UINT, bank.constant.reason)
            if inside and index is not None:
                words = WordsPlace(attribute(place.node, bank.path), bank.count * 4, bank.shared)
                return replace(words, offset=farther(Offset(), index, 4))
        where = f"{offset.bytes:#x}" if offset.steps is None else f"a variable place from {offset.bytes:#x} on"
        self.refuse(node, f"the register at {where} is not one that this machine has")

    def type_named(self, text: str, node: Node) -> Integer:
        """Return an integer type by its name."""
        raise NotImplementedError

    def bit_of(self, place: Place, number: Number, node: Node) -> tuple[ast.expr, Number]:
        """Return the word, and the position in it, of a bit counted from a place of type ``unsigned long``."""
        word_number = binary(">>", number, constant(6, LONG))
        bit = binary("&", number, constant(WORD_BITS - 1, LONG))
        if isinstance(place, WordsPlace):
            place = replace(place, offset=farther(place.offset, word_number, _WORD_BYTES))
        elif word_number.constant != 0 and number.most >= WORD_BITS:
            self.refuse(node, "a bit outside of the word")
        word, shift = self.whole_word(place, node)
        if shift.constant != 0 or (isinstance(place, WordPlace) and place.bits):
            self.refuse(node, "a bit of a part of a word")
        return word, bit

    def tested(self, read: ast.expr, bit: Number) -> Number:
        """Return whether a bit of a word that was read is set."""
        if bit.constant is not None:
            known = masked(read, ULONG.wrapped(1 << bit.constant))
        else:
            known = operation(read, ast.BitAnd, call("shift_left", ast.Constant(1), bit.node))
        return flag(Test(ast.Compare(known, [ast.NotEq()], [ast.Constant(0)]), pure=False))


def attribute(node: ast.expr, path: str) -> ast.expr:
    """Return a field of a struct of the machine; ``path`` may have an index: ``"apic.virr[0]"``."""
    new = cloned(node)
    if not path:
        return new
    for name in ast.walk(template := ast.parse(f"_.{path}", mode="eval").body):
        for attr in ("lineno", "end_lineno", "col_offset", "end_col_offset"):
            if hasattr(name, attr):
                delattr(name, attr)
    return _Replaced(new).visit(template)  # type: ignore[no-any-return]


class _Replaced(ast.NodeTransformer):
    def __init__(self, new: ast.expr) -> None:
        self.new = new

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.new if node.id == "_" else node


def _item(node: ast.expr, index: Number) -> ast.expr:
    return ast.Subscript(cloned(node), cloned(index.node), ast.Load())
