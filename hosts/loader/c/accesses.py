"""The accesses of Linux's memory model: loads and stores, barriers, locked operations."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hosts.loader.c.arithmetic import binary, convert
from hosts.loader.c.assignments import Assignments
from hosts.loader.c.comparisons import compare
from hosts.loader.c.nodes import call
from hosts.loader.c.source import text_of
from hosts.loader.c.structuring import cloned, located
from hosts.loader.c.types import BOOL, INT_BITS, UINT, WORD_BITS, Array, CType, Integer
from hosts.loader.c.values import (
    Address,
    Nothing,
    Number,
    PagePlace,
    Place,
    Value,
    WordPlace,
    WordsPlace,
    constant,
    flag,
    ranged,
)

if TYPE_CHECKING:
    from tree_sitter import Node


class Accesses(Assignments):
    """Operations on places: ``op_<name>`` takes the arguments and the call."""

    def place_given(self, node: Node) -> tuple[Place, CType]:
        """Return what an argument that is a pointer leads to."""
        value = self.expression(node)
        if not isinstance(value, Address) or value.place is None:
            self.refuse(node, f"{text_of(node)}: a pointer to something belongs here")
        return value.place, value.to

    def integer_at(self, node: Node) -> tuple[Place, Integer]:
        """Return the place of an integer that a pointer leads to."""
        place, kind = self.place_given(node)
        if isinstance(kind, Array) and isinstance(kind.of, Integer):
            kind = kind.of
        if not isinstance(kind, Integer):
            self.refuse(node, f"{text_of(node)}: a pointer to an integer belongs here, not to {kind}")
        return self.stable(place), kind

    def is_shared(self, place: Place, node: Node) -> bool:
        """Return whether other CPUs may use a place."""
        if isinstance(place, PagePlace):
            place = self.register(place, node)
        return isinstance(place, WordPlace | WordsPlace) and place.shared

    def op_read_once(self, arguments: list[Node], node: Node) -> Value:
        """Load once."""
        return self.value_of(self.reference(arguments[0]), node)

    def op_write_once(self, arguments: list[Node], node: Node) -> Value:
        """Store once."""
        (place, kind), value = self.in_order(lambda: self.target(arguments[0]), lambda: self.expression(arguments[1]))
        self.stored(place, kind, value, node, used=False)
        return Nothing()

    def op_load_acquire(self, arguments: list[Node], node: Node) -> Value:
        """Load before all that follows."""
        place, kind = self.integer_at(arguments[0])
        value = self.load(place, kind, node)
        if self.is_shared(place, node):
            return replace(value, node=_renamed(value.node, "READ_ONCE", "smp_load_acquire"))
        return value

    def op_store_release(self, arguments: list[Node], node: Node) -> Value:
        """Store after all that went before."""
        (place, kind), value = self.in_order(lambda: self.integer_at(arguments[0]), lambda: self.number(arguments[1]))
        with self.steps() as made:
            self.store(place, convert(value, kind), node)
        for step in made:
            step.statement = _renamed(step.statement, "WRITE_ONCE", "smp_store_release")  # type: ignore[union-attr]
        self.out += made
        return Nothing()

    def op_store_mb(self, arguments: list[Node], node: Node) -> Value:
        """Store, and a full barrier."""
        self.op_write_once(arguments, node)
        return self.op_mb([], node)

    def op_mb(self, arguments: list[Node], node: Node) -> Value:
        """Make a full barrier."""
        return self.void("smp_mb", [], node)

    def op_wmb(self, arguments: list[Node], node: Node) -> Value:
        """Order stores."""
        return self.void("smp_wmb", [], node)

    def op_rmb(self, arguments: list[Node], node: Node) -> Value:
        """Order loads."""
        return self.void("smp_rmb", [], node)

    def op_relax(self, arguments: list[Node], node: Node) -> Value:
        """Let others go on."""
        return self.void("cpu_relax", [], node)

    def op_nothing(self, arguments: list[Node], node: Node) -> Value:
        """Do nothing: on x86 this constrains the compiler only, or is checked by it."""
        self.note(self.report.dropped, node, text_of(node), "", "no instruction on x86")
        return Nothing()

    def void(self, name: str, arguments: list[ast.expr], node: Node) -> Value:
        """Call a primitive that gives nothing."""
        self.line = self.at(node)
        self.emit(ast.Expr(call(name, *arguments)))
        return Nothing()

    def locked_word(self, place: Place, kind: Integer, node: Node) -> tuple[ast.expr, int] | None:
        """Return the shared word that a place is, or whose half, and where that begins; None: it is private."""
        if not self.is_shared(place, node):
            return None
        word, shift = self.whole_word(place, node)
        if isinstance(place, WordPlace) and not place.bits and place.type.bits == kind.bits:
            return word, -1
        if shift.constant is None:
            self.refuse(node, f"{text_of(node)}: which half of a word this is cannot be told")
        return word, -1 if kind.bits == WORD_BITS else shift.constant

    def op_xchg(self, arguments: list[Node], node: Node) -> Value:
        """Exchange, locked."""
        (place, kind), value = self.in_order(lambda: self.integer_at(arguments[0]), lambda: self.number(arguments[1]))
        value = convert(value, kind)
        found = self.locked_word(place, kind, node)
        if found is None:
            old = self.frozen(self.load(place, kind, node), "old")
            self.store(place, value, node)
            self.barrier_of(place, node)
            return old
        word, shift = found
        if shift < 0:
            return Number(call("xchg", word, value.node), kind, kind.least, kind.most, pure=False)
        if value.constant != 0:
            self.refuse(node, f"{text_of(node)}: an exchange of a part of a word is translated for 0 only")
        if kind.bits != INT_BITS:
            self.refuse(node, f"{text_of(node)}: an exchange of {kind.bits} bits")
        taken = call("take_half", word, ast.Constant(shift // INT_BITS))
        return convert(Number(taken, UINT, 0, UINT.most, pure=False), kind)

    def op_cmpxchg(self, arguments: list[Node], node: Node) -> Value:
        """Compare and exchange, locked; return what was there."""
        (place, kind), old, new = self.in_order(
            lambda: self.integer_at(arguments[0]), lambda: self.number(arguments[1]), lambda: self.number(arguments[2])
        )
        return self.exchanged_if(place, kind, convert(old, kind), convert(new, kind), node)

    def exchanged_if(self, place: Place, kind: Integer, old: Number, new: Number, node: Node) -> Number:
        """Compare and exchange."""
        self.line = self.at(node)
        found = self.locked_word(place, kind, node)
        if found is None:
            old, new = (each if each.pure else self.frozen(each) for each in (old, new))
            was = self.frozen(self.load(place, kind, node), "was")
            same = compare("==", was, old)
            both = ast.IfExp(cloned(same.node), cloned(new.node), cloned(was.node))
            least, most = min(new.least, was.least), max(new.most, was.most)
            self.store(place, ranged(both, kind, least, most), node)
            self.barrier_of(place, node)
            return was
        word, shift = found
        if shift >= 0:
            self.refuse(node, f"{text_of(node)}: a compare-and-exchange of a part of a word")
        return Number(call("cmpxchg", word, old.node, new.node), kind, kind.least, kind.most, pure=False)

    def op_try_cmpxchg(self, arguments: list[Node], node: Node) -> Value:
        """Compare and exchange; return whether it was done, and put what was there where the old value is."""
        (place, kind), (kept, old_kind), new = self.in_order(
            lambda: self.integer_at(arguments[0]),
            lambda: self.integer_at(arguments[1]),
            lambda: self.number(arguments[2]),
        )
        old = self.kept(convert(self.load(kept, old_kind, node), kind), "expected")
        was = self.kept(self.exchanged_if(place, kind, old, convert(new, kind), node), "was")
        done = self.frozen(flag(compare("==", was, old), BOOL), "exchanged")
        self.store(kept, convert(was, old_kind), node)
        return done

    def op_atomic_inc(self, arguments: list[Node], node: Node) -> Value:
        """Add one, locked."""
        place, kind = self.integer_at(arguments[0])
        found = self.locked_word(place, kind, node)
        if found is not None:
            if found[1] >= 0:
                self.refuse(node, f"{text_of(node)}: an atomic counter that is a part of a word")
            return self.void("atomic_inc", [found[0]], node)
        return self._counted(place, kind, 1, node)

    def op_atomic_dec(self, arguments: list[Node], node: Node) -> Value:
        """Subtract one, locked."""
        place, kind = self.integer_at(arguments[0])
        if self.locked_word(place, kind, node) is not None:
            self.refuse(node, f"{text_of(node)}: this machine has no such operation on a shared word")
        return self._counted(place, kind, -1, node)

    def _counted(self, place: Place, kind: Integer, by: int, node: Node) -> Value:
        new = binary("+", self.load(place, kind, node), constant(by, kind))
        self.store(place, convert(new, kind), node)
        self.barrier_of(place, node)
        return Nothing()

    def barrier_of(self, place: Place, node: Node) -> None:
        """Make the barrier of a locked operation on a word that only one thread has: all that is left of the lock."""
        if isinstance(place, WordPlace | WordsPlace | PagePlace):
            self.void("smp_mb", [], node)

    def op_atomic_read(self, arguments: list[Node], node: Node) -> Value:
        """Load."""
        place, kind = self.integer_at(arguments[0])
        return self.load(place, kind, node)

    def op_atomic_set(self, arguments: list[Node], node: Node) -> Value:
        """Store."""
        (place, kind), value = self.in_order(lambda: self.integer_at(arguments[0]), lambda: self.number(arguments[1]))
        self.store(place, convert(value, kind), node)
        return Nothing()


def _renamed(node: Any, old: str, new: str) -> Any:
    """Return an expression or statement that calls another primitive."""
    copied = located(cloned(node), getattr(node, "lineno", 1))
    for each in ast.walk(copied):
        if isinstance(each, ast.Name) and each.id == old:
            each.id = new
    return copied
