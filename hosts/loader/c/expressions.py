"""Expressions of C: operators, assignments, short circuit, casts."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from hosts.loader.c.arithmetic import OPERATORS, UndefinedError, binary, convert, inverted, negative
from hosts.loader.c.literals import character, number
from hosts.loader.c.lvalues import Lvalues
from hosts.loader.c.source import part, parts, text_of
from hosts.loader.c.structuring import located
from hosts.loader.c.types import ULONG, VOID, CType, Integer, Pointer, Struct, named, promoted, size_of
from hosts.loader.c.values import (
    FALSE,
    TRUE,
    Address,
    Nothing,
    Number,
    Test,
    Value,
    ViewPlace,
    Whole,
    condition,
    constant,
    flag,
    truth,
)

if TYPE_CHECKING:
    from tree_sitter import Node


class Expressions(Lvalues):
    """Values of expressions."""

    def test(self, node: Node) -> Test:
        """Return an expression as a condition."""
        raise NotImplementedError

    def short_circuit(self, node: Node) -> Test:
        """Return ``a && b`` or ``a || b``."""
        raise NotImplementedError

    # --- what is wanted ------------------------------------------------------------------------------------------

    def number(self, node: Node) -> Number:
        """Return an expression as an integer."""
        return self.as_number(self.expression(node), node)

    def as_number(self, value: Value, node: Node) -> Number:
        """Return a value as an integer."""
        if isinstance(value, Number):
            return value
        if isinstance(value, Address) and value.place is None:
            return constant(0, ULONG)
        if isinstance(value, Nothing) and value.dropped:
            self.refuse(node, f"{text_of(node)} is left out ({value.dropped}), and its value is used")
        what = {Address: "a pointer", Whole: "a struct", Nothing: "no value"}[type(value)]
        self.refuse(node, f"{short(node)} is {what}, and a number belongs here")

    def as_test(self, value: Value, node: Node) -> Test:
        """Return whether a value is not 0, or no null pointer."""
        if isinstance(value, Address):
            if value.place is None:
                return truth(value=False)
            if isinstance(value.place, ViewPlace) and not value.place.surely:
                return Test(value.place.node, pure=value.place.pure)
            return truth(value=True)
        return condition(self.as_number(value, node))

    # --- all kinds -----------------------------------------------------------------------------------------------

    def expression(self, node: Node) -> Value:
        """Return the value of an expression."""
        method = getattr(self, f"do_{node.type}", None)
        if method is None:
            self.refuse(node, f"{short(node)!r}: {node.type.replace('_', ' ')} is not among what is translated")
        value: Value = method(node)
        if isinstance(value, Number):
            located(value.node, self.at(node))
        return value

    def do_parenthesized_expression(self, node: Node) -> Value:
        """Return what is in parentheses, also a statement expression."""
        inner = parts(node)
        if inner and inner[0].type == "compound_statement":
            return self.statement_expression(inner[0])
        return self.expression(inner[0])

    def statement_expression(self, node: Node) -> Value:
        """Return the value of ``({ ... })``."""
        raise NotImplementedError

    def do_number_literal(self, node: Node) -> Value:
        """Return a number."""
        found = number(text_of(node))
        if found is None:
            self.refuse(node, f"{text_of(node)} is not a whole number of at most 64 bits")
        return found

    def do_char_literal(self, node: Node) -> Value:
        """Return a character."""
        found = character(text_of(node))
        if found is None:
            self.refuse(node, f"{text_of(node)} is not one plain character")
        return found

    def do_true(self, node: Node) -> Value:
        """Return ``true``."""
        return TRUE

    def do_false(self, node: Node) -> Value:
        """Return ``false``."""
        return FALSE

    def do_null(self, node: Node) -> Value:
        """Return ``NULL``."""
        return Address(None, VOID)

    def do_identifier(self, node: Node) -> Value:
        """Return what a name stands for."""
        return self.value_of(self.reference(node), node)

    do_field_expression = do_subscript_expression = do_identifier

    def do_pointer_expression(self, node: Node) -> Value:
        """Return ``*p`` or ``&x``."""
        if node.children[0].type == "&":
            found = self.reference(parts(node)[0])
            if isinstance(found, Whole) and isinstance(found.place, ViewPlace):
                return Address(found.place, Struct(found.place.tag))
            if not isinstance(found, tuple):
                self.refuse(node, f"{short(node)}: this has no address here")
            place, kind = found
            return Address(place, kind)
        return self.value_of(self.reference(node), node)

    def do_comma_expression(self, node: Node) -> Value:
        """Return the last of several."""
        left, right = part(node, "left"), part(node, "right")
        assert left is not None and right is not None  # noqa: S101, PT018 - the grammar's
        self.effect(left)
        return self.expression(right)

    def do_cast_expression(self, node: Node) -> Value:
        """Return a converted value."""
        described, inner = part(node, "type"), part(node, "value")
        assert described is not None and inner is not None  # noqa: S101, PT018 - the grammar's
        if self.is_local(text_of(described)):
            self.refuse(node, f"{short(node)}: write {text_of(described)} without parentheses, this looks like a cast")
        kind = self.type_of(described)
        value = self.expression(inner)
        return self.converted(value, kind, node)

    def converted(self, value: Value, kind: CType, node: Node) -> Value:
        """Return a value as one of another type."""
        if isinstance(kind, Integer):
            if isinstance(value, Address) and kind.is_bool:
                return flag(self.as_test(value, node), kind)
            return convert(self.as_number(value, node), kind)
        if isinstance(kind, Pointer):
            if isinstance(value, Number) and value.constant == 0:
                return Address(None, kind.to)
            if isinstance(value, Address):
                return replace(value, to=value.to if kind.to == VOID and isinstance(value.to, Struct) else kind.to)
            self.refuse(node, f"{short(node)}: a number becomes a pointer")
        if kind == VOID:
            return Nothing()
        if isinstance(value, Whole) and isinstance(kind, Struct):
            return value
        self.refuse(node, f"{short(node)} becomes {kind}, which is not among what is translated")

    def do_sizeof_expression(self, node: Node) -> Value:
        """Return a size, which is known: nothing is evaluated."""
        described, inner = part(node, "type"), part(node, "value")
        kind: CType | None
        if described is not None and not self.is_local(text_of(described)):
            kind = self.type_of(described)
        else:
            operand = self.bare(inner if inner is not None else parts(described or node)[0])
            is_name = operand.type == "identifier" and not self.is_local(text_of(operand))
            kind = named(text_of(operand), self.environment) or self.file_type(text_of(operand)) if is_name else None
            kind = kind or self.type_of_operand(operand)
        size = None if kind is None else size_of(kind)
        if size is None:
            self.refuse(node, f"{short(node)}: this size is not known here")
        return constant(size, ULONG)

    def type_of_operand(self, node: Node) -> CType | None:
        """Return the type of an expression that is not evaluated."""
        node, state = self.bare(node), self.copy_state()
        with self.attempt():
            found = self.reference(node) if node.type in self.REFERENCES else self.expression(node)
        self.state = state
        if isinstance(found, tuple):
            return found[1]
        return found.type if isinstance(found, Number) else Pointer(found.to) if isinstance(found, Address) else None

    # --- operators -----------------------------------------------------------------------------------------------

    def do_unary_expression(self, node: Node) -> Value:
        """Return ``!x``, ``-x``, ``+x`` or ``~x``."""
        operator, inner = node.children[0].type, parts(node)[0]
        if operator == "!":
            return flag(self.test(node))
        value = self.number(inner)
        if operator == "-":
            return negative(value)
        return inverted(value) if operator == "~" else convert(value, promoted(value.type))

    def do_binary_expression(self, node: Node) -> Value:
        """Return the value of a binary operator."""
        operator = node.children[1].type if node.children[1].type != "comment" else operator_of(node)
        if operator in ("&&", "||"):
            return flag(self.short_circuit(node))
        left, right = part(node, "left"), part(node, "right")
        if left is None or right is None or operator not in OPERATORS:
            self.refuse(node, f"{short(node)}: this operator is not among what is translated")
        one, other = self.in_order(lambda: self.expression(left), lambda: self.expression(right))
        return self.operated(operator, one, other, node)

    def operated(self, operator: str, one: Value, other: Value, node: Node) -> Value:
        """Return the value of a binary operator on two values."""
        if isinstance(one, Address) or isinstance(other, Address):
            return self.pointers(operator, one, other, node)
        left, right = self.as_number(one, node), self.as_number(other, node)
        try:
            return binary(operator, left, right)
        except UndefinedError as fault:
            self.refuse(node, f"{short(node)}: {fault}, which C leaves undefined")

    def pointers(self, operator: str, one: Value, other: Value, node: Node) -> Value:
        """Return the value of an operator on pointers."""
        if operator in ("==", "!="):
            same = self.same_place(one, other, node)
            return flag(same if operator == "==" else same.negated())
        if isinstance(one, Number) and operator == "+":
            one, other = other, one
        if isinstance(one, Address) and isinstance(other, Number) and operator in ("+", "-"):
            return self.stepped(one, other if operator == "+" else negative(convert(other, _INDEX)), node)
        self.refuse(node, f"{short(node)}: pointers are only compared, and moved by a number of elements")

    def same_place(self, one: Value, other: Value, node: Node) -> Test:
        """Return whether two pointers are the same."""
        for each, second in ((one, other), (other, one)):
            if isinstance(each, Number) and each.constant != 0:
                self.refuse(node, f"{short(node)}: a pointer is compared with a number")
            if isinstance(each, Number) or (isinstance(each, Address) and each.place is None):
                return self.as_test(second, node).negated()
        assert isinstance(one, Address) and isinstance(other, Address)  # noqa: S101, PT018 - numbers are done with
        if isinstance(one.place, ViewPlace) and isinstance(other.place, ViewPlace):
            if one.place == other.place and one.place.pure:
                return truth(value=True)
            runtimes = {self.environment.struct(each.tag) for each in (one.place, other.place)}
            if len(runtimes) == 1:
                pure = one.place.pure and other.place.pure
                return Test(ast.Compare(one.place.node, [ast.Eq()], [other.place.node]), pure=pure)
        elif one.place == other.place:
            return truth(value=True)
        self.refuse(node, f"{short(node)}: whether these are the same place is not known")


_INDEX = Integer(64, signed=True)


def operator_of(node: Node) -> str:
    """Return the operator of an expression."""
    found = node.child_by_field_name("operator")
    return found.type if found is not None else ""


def short(node: Node) -> str:
    """Return a part of the text, short enough for a sentence."""
    text = " ".join(text_of(node).split())
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - what fits a line
