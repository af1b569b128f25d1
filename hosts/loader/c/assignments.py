"""Assignments, ``++`` and ``--``, and expressions that are evaluated for their effects."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from hosts.loader.c.arithmetic import convert
from hosts.loader.c.choices import Choices
from hosts.loader.c.expressions import operator_of, short
from hosts.loader.c.source import part, parts, walk
from hosts.loader.c.types import Array, CType, Integer, Pointer, Struct
from hosts.loader.c.values import (
    Address,
    DroppedPlace,
    LocalPlace,
    Nothing,
    Number,
    Place,
    Value,
    ViewPlace,
    Whole,
    constant,
)

if TYPE_CHECKING:
    from tree_sitter import Node


_EFFECTS: Final = frozenset({"call_expression", "assignment_expression", "update_expression"})


class Assignments(Choices):
    """Expressions that change something."""

    def effect(self, node: Node) -> None:
        """Evaluate an expression for its effects."""
        node = self.bare(node)
        if node.type == "assignment_expression":
            self.assignment(node, used=False)
        elif node.type == "update_expression":
            self.update(node, used=False)
        elif node.type == "comma_expression":
            for each in parts(node):
                self.effect(each)
        else:
            self.finish(self.expression(node), node)

    def finish(self, value: Value, node: Node) -> None:
        """Evaluate a value that nobody wants."""
        self.line = self.at(node)
        if isinstance(value, Number) and not value.pure:
            self.emit(ast.Expr(value.node))
        elif isinstance(value, Address) and isinstance(value.place, ViewPlace) and not value.place.pure:
            self.emit(ast.Expr(value.place.node))

    def do_assignment_expression(self, node: Node) -> Value:
        """Return the value of an assignment."""
        return self.assignment(node, used=True)

    def assignment(self, node: Node, *, used: bool) -> Value:
        """Assign."""
        left, right, operator = part(node, "left"), part(node, "right"), operator_of(node)
        assert left is not None and right is not None  # noqa: S101, PT018 - the grammar's
        if self.is_left_out(left, right, node):
            return Nothing()
        found, value = self.in_order(lambda: self.target(left), lambda: self.expression(right))
        place, kind = found
        self.line = self.at(node)
        if operator != "=":
            old = self.value_at(place, kind, left)
            value = self.operated(operator[:-1], old, value, node)
        return self.stored(place, kind, value, node, used=used)

    def is_left_out(self, left: Node, right: Node, node: Node) -> bool:
        """Return whether an assignment is to what does not matter here: of its value only the effects are left."""
        if left.type != "field_expression":
            return False
        with self.steps():
            place = self.reference(left)
        if not isinstance(place, tuple) or not isinstance(place[0], DroppedPlace):
            return False
        if any(each.type in _EFFECTS for each in walk(right)):
            self.effect(right)
        self.note(self.report.dropped, node, place[0].name, "", place[0].reason)
        return True

    def stored(self, place: Place, kind: CType, value: Value, node: Node, *, used: bool) -> Value:
        """Store a value in a place; return what lies there then."""
        if isinstance(kind, Pointer):
            return self.assign_pointer(place, kind, value, node)
        if isinstance(kind, Struct):
            self.assign_struct(place, value, node)
            return Whole(place)
        if not isinstance(kind, Integer):
            self.refuse(node, f"{short(node)}: {'an array' if isinstance(kind, Array) else kind} is not assigned")
        new = convert(self.as_number(value, node), kind)
        if used and not isinstance(place, LocalPlace):
            new = self.kept(new)
        self.store(place, new, node)
        if used and isinstance(place, LocalPlace):
            return self.load(place, kind, node)
        return new

    def do_update_expression(self, node: Node) -> Value:
        """Return the value of ``++x``, ``x--`` and so on."""
        return self.update(node, used=True)

    def update(self, node: Node, *, used: bool) -> Value:
        """Count up or down."""
        inner = part(node, "argument")
        assert inner is not None  # noqa: S101 - the grammar's
        before = node.children[0].type in ("++", "--")
        if not before and inner.type == "unary_expression":  # the grammar takes !x++ for (!x)++
            self.refuse(node, f"{short(node)}: put parentheses around what is counted")
        operator = "+" if "++" in (node.children[0].type, node.children[-1].type) else "-"
        place, kind = self.target(inner)
        if isinstance(place, DroppedPlace):
            self.note(self.report.dropped, node, place.name, "", place.reason)
            return Nothing()
        self.line = self.at(node)
        old = self.value_at(place, kind, inner)
        if isinstance(old, Number) and used and not before:
            old = self.frozen(old)
        new = self.stored(place, kind, self.operated(operator, old, constant(1), node), node, used=used and before)
        return new if before else old
