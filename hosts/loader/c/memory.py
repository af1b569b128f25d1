"""Loads from places and stores to them: of locals, of words of the machine, and of parts of either."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from hosts.loader.c.arithmetic import binary, convert, extended
from hosts.loader.c.nodes import call, masked, operation
from hosts.loader.c.places import index_of
from hosts.loader.c.source import text_of
from hosts.loader.c.state import Interval, Unknown
from hosts.loader.c.structuring import cloned
from hosts.loader.c.types import INT, INT_BITS, LONG, UINT, ULONG, WORD_BITS, Integer
from hosts.loader.c.values import (
    ArrayPlace,
    DroppedPlace,
    FixedPlace,
    LocalPlace,
    Number,
    PagePlace,
    Place,
    StructPlace,
    Variable,
    ViewPlace,
    WordPlace,
    WordsPlace,
    constant,
    ranged,
)
from hosts.loader.c.words import Words

if TYPE_CHECKING:
    from tree_sitter import Node

_WORD_BYTES = WORD_BITS // 8


class Memory(Words):
    """Places are read and written here."""

    # --- loads ---------------------------------------------------------------------------------------------------

    def load(self, place: Place, kind: Integer, node: Node) -> Number:
        """Return the number of a type that lies in a place."""
        match place:
            case LocalPlace():
                return self.load_local(place, kind, node)
            case ArrayPlace():
                return self.load_element(place, kind, node)
            case FixedPlace():
                return constant(place.value, kind)
            case WordPlace():
                return self._load_word(place, kind, node)
            case WordsPlace():
                word, shift = self._word_of_words(place, node)
                return self._part(_read(word, shared=place.shared), shift, kind)
            case PagePlace():
                return self.load(self.register(place, node), kind, node)
            case DroppedPlace():
                self.refuse(node, f"{place.name} is not on this machine ({place.reason}), and its value is used")
            case StructPlace() | ViewPlace():
                self.refuse(node, "a whole struct is used as a number")

    def _load_word(self, place: WordPlace, kind: Integer, node: Node) -> Number:
        read = _read(cloned(place.node), shared=place.shared)
        if place.bits and kind.bits >= place.bits:
            raw = operation(read, ast.RShift, ast.Constant(place.shift)) if place.shift else read
            least, most = place.least or 0, (1 << place.bits) - 1 if place.most is None else place.most
            return ranged(masked(raw, (1 << place.bits) - 1), _type_of_bits(kind, place.bits), least, most, pure=False)
        if kind.bits == place.type.bits:
            found = ranged(read, place.type, place.least, place.most, pure=False)
            return found if kind == place.type else convert(found, kind)
        if place.type.bits == WORD_BITS:
            return extended(read, place.shift, kind, pure=False)
        self.refuse(node, f"{kind.bits} bits of a field of type {place.type}")

    def _part(self, read: ast.expr, shift: Number, kind: Integer) -> Number:
        """Return a part of a word that was read."""
        if shift.constant is not None:
            return extended(read, shift.constant, kind, pure=False)
        node = call("shift_right", read, shift.node)
        return replace(extended(node, 0, kind, pure=False), pure=False)

    def load_local(self, place: LocalPlace, kind: Integer, node: Node) -> Number:
        """Return a local, or a part of one."""
        variable = place.variable
        assert isinstance(variable.type, Integer)  # noqa: S101 - what else is of no such place
        value = self.read(variable, node)
        if place.bits:
            node_of = operation(value.node, ast.RShift, ast.Constant(place.shift)) if place.shift else value.node
            wide = _type_of_bits(kind, place.bits)
            return ranged(masked(node_of, (1 << place.bits) - 1), wide, 0, (1 << place.bits) - 1)
        if not place.shift and kind.bits == variable.type.bits:
            return convert(value, kind)
        if place.shift + kind.bits > variable.type.bits:
            self.refuse(node, f"{kind.bits} bits of {variable.name}, which is of type {variable.type}")
        if value.constant is not None:
            return constant(value.constant >> place.shift, kind)
        return extended(value.node, place.shift, kind, pure=True)

    def element(self, place: ArrayPlace, node: Node) -> LocalPlace | None:
        """Return the local that an element is; None if that is not known."""
        size = place.of.bytes
        if place.offset.steps is not None:
            return None
        index, rest = divmod(place.offset.bytes, size)
        if not 0 <= index < len(place.elements):
            self.refuse(node, f"element {index} of an array of {len(place.elements)}")
        return LocalPlace(place.elements[index], rest * 8)

    def load_element(self, place: ArrayPlace, kind: Integer, node: Node) -> Number:
        """Return an element of a local array."""
        found = self.element(place, node)
        if found is not None:
            if found.shift + kind.bits > place.of.bits:
                self.refuse(node, f"{kind.bits} bits of elements of type {place.of}")
            return self.load_local(found, kind, node)
        index = self._index(place, kind, node)
        values = [self.load_local(LocalPlace(each), kind, node) for each in place.elements]
        result = values[-1].node
        for number in reversed(range(len(values) - 1)):
            test = ast.Compare(cloned(index.node), [ast.Eq()], [ast.Constant(number)])
            result = ast.IfExp(test, values[number].node, result)
        least, most = min(each.least for each in values), max(each.most for each in values)
        return ranged(result, kind, least, most)

    def _index(self, place: ArrayPlace, kind: Integer, node: Node) -> Number:
        index = index_of(place.offset, place.of.bytes) if kind.bits == place.of.bits else None
        if index is None:
            self.refuse(node, "which element of the array this is cannot be told")
        if index.least >= len(place.elements) or index.most < 0:
            self.refuse(node, f"an element outside of an array of {len(place.elements)}")
        return self.kept(index, "index")

    # --- stores --------------------------------------------------------------------------------------------------

    def store(self, place: Place, value: Number, node: Node) -> None:
        """Put a number, converted to the type of the place already, into it."""
        self.line = self.at(node)
        match place:
            case LocalPlace():
                self.store_local(place, value, node)
            case ArrayPlace():
                self.store_element(place, value, node)
            case WordPlace():
                self._store_word(place, value, node)
            case WordsPlace():
                word, shift = self._word_of_words(place, node)
                self.store_part(word, shift, value, node, shared=place.shared)
            case PagePlace():
                self.store(self.register(place, node), value, node)
            case DroppedPlace():
                self.note(self.report.dropped, node, f"{place.name} = ...", "", place.reason)
            case FixedPlace() if value.constant == place.value:
                self.note(self.report.dropped, node, text_of(node), "", place.reason)
            case FixedPlace():
                self.refuse(node, f"a store to what is {place.value} on this machine: {place.reason}")
            case StructPlace() | ViewPlace():
                self.refuse(node, "a number is stored to a whole struct")

    def _store_word(self, place: WordPlace, value: Number, node: Node) -> None:
        if not place.bits and value.type.bits == place.type.bits:
            self.emit(ast.Expr(_write(cloned(place.node), value.node, shared=place.shared)))
        elif place.type.bits == WORD_BITS or place.bits:
            shift = constant(place.shift, LONG)
            self.store_part(cloned(place.node), shift, value, node, shared=place.shared, bits=place.bits)
        else:
            self.refuse(node, f"{value.type.bits} bits of a field of type {place.type}")

    def store_part(
        self, word: ast.expr, shift: Number, value: Number, node: Node, *, shared: bool, bits: int = 0
    ) -> None:
        """Put a number into a part of a word."""
        bits = bits or value.type.bits
        if bits == WORD_BITS:
            self.emit(ast.Expr(_write(word, value.node, shared=shared)))
            return
        if shared:
            self.refuse(
                node, f"a store of {bits} bits into a word that other CPUs use: this machine has only whole ones"
            )
        read = Number(_read(cloned(word), shared=False), ULONG, ULONG.least, ULONG.most, pure=False)
        new = self.with_part(read, shift, value, bits)
        self.emit(ast.Expr(_write(word, new.node, shared=False)))

    def with_part(self, old: Number, shift: Number, value: Number, bits: int) -> Number:
        """Return a word with another number in some of its bits."""
        mask = (1 << bits) - 1
        if shift.constant is None:
            node = call("with_bits", old.node, shift.node, ast.Constant(mask), value.node)
            return Number(node, ULONG, ULONG.least, ULONG.most, old.pure and value.pure)
        value = replace(value, type=ULONG) if value.least >= 0 else Number(value.node, ULONG, ULONG.least, ULONG.most)
        if value.least < 0 or value.most > mask:
            value = binary("&", value, constant(mask, ULONG))
        kept = binary("&", replace(old, type=ULONG), constant(~(mask << shift.constant), ULONG))
        return binary("|", kept, binary("<<", value, shift))

    def store_local(self, place: LocalPlace, value: Number, node: Node, bits: int = 0) -> None:
        """Assign a local, or a part of one."""
        variable = place.variable
        assert isinstance(variable.type, Integer)  # noqa: S101 - what else is of no such place
        bits = place.bits or bits or value.type.bits
        if not place.shift and bits == variable.type.bits:
            self.assign(variable, convert(value, variable.type))
            return
        if place.shift + bits > variable.type.bits:
            self.refuse(node, f"{bits} bits of {variable.name}, which is of type {variable.type}")
        if (self.state or {}).get(variable, Unknown.UNSET) is Unknown.UNSET:
            old = constant(0, variable.type)  # what C leaves open in the other bits
        else:
            old = self.read(variable, node)
        new = self.with_part(old, constant(place.shift, LONG), value, bits)
        self.assign(variable, convert(new, variable.type))

    def store_element(self, place: ArrayPlace, value: Number, node: Node) -> None:
        """Assign an element of a local array."""
        found = self.element(place, node)
        if found is not None:
            self.store_local(found, value, node)
            return
        index, value = self._index(place, value.type, node), self.kept(value)
        for number, variable in enumerate(place.elements):
            self.choose_element(index, number, variable, value, node)

    def choose_element(self, index: Number, number: int, variable: Variable, value: Number, node: Node) -> None:
        """Assign one element if it is the one."""
        assert isinstance(variable.type, Integer)  # noqa: S101 - elements are numbers
        if self.state is not None and self.state.get(variable, Unknown.UNSET) is Unknown.UNSET:
            variable.needs_zero = True
            self.state[variable] = Interval(0, 0)
        old = self.read(variable, node)
        test = ast.Compare(cloned(index.node), [ast.Eq()], [ast.Constant(number)])
        both = ast.IfExp(test, cloned(convert(value, variable.type).node), old.node)
        least, most = min(old.least, value.least), max(old.most, value.most)
        self.assign(variable, ranged(both, variable.type, least, most))


def _type_of_bits(kind: Integer, bits: int) -> Integer:
    """Return the type of a bit-field's value: it is promoted by its width, not by its type."""
    return kind if bits == kind.bits or kind.bits < INT_BITS else INT if bits < INT_BITS else UINT


def _read(word: ast.expr, *, shared: bool) -> ast.expr:
    return call("READ_ONCE" if shared else "local_read", word)


def _write(word: ast.expr, value: ast.expr, *, shared: bool) -> ast.expr:
    return call("WRITE_ONCE" if shared else "local_write", word, value)
