"""Expressions of C: operators, assignments, short circuit, casts."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from hosts.loader.c.arithmetic import OPERATORS, UndefinedError, binary, convert, inverted, negative
from hosts.loader.c.flow import Branch
from hosts.loader.c.literals import character, number
from hosts.loader.c.lvalues import Lvalues
from hosts.loader.c.source import line_of, part, parts, text_of, walk
from hosts.loader.c.state import joined, refined
from hosts.loader.c.structuring import located
from hosts.loader.c.types import INT, ULONG, VOID, Array, CType, Integer, Pointer, Struct, named, promoted, size_of
from hosts.loader.c.types import common as common_type
from hosts.loader.c.values import (
    FALSE,
    TRUE,
    Address,
    DroppedPlace,
    LocalPlace,
    Nothing,
    Number,
    Place,
    StructPlace,
    Test,
    Value,
    ViewPlace,
    Whole,
    condition,
    constant,
    flag,
    ranged,
    truth,
)

if TYPE_CHECKING:
    from tree_sitter import Node


class Expressions(Lvalues):
    """Values of expressions."""

    # --- what is wanted ------------------------------------------------------------------------------------------

    def number(self, node: Node) -> Number:
        """Return an expression as an integer."""
        return self.as_number(self.expression(node), node)

    def as_number(self, value: Value, node: Node) -> Number:
        """Return a value as an integer."""
        if isinstance(value, Number):
            return value
        if isinstance(value, Address) and value.place is None and value.null_test is None:
            return constant(0, ULONG)
        if isinstance(value, Nothing) and value.dropped:
            self.refuse(node, f"{text_of(node)} is left out ({value.dropped}), and its value is used")
        what = {Address: "a pointer", Whole: "a struct", Nothing: "no value"}[type(value)]
        self.refuse(node, f"{_short(node)} is {what}, and a number belongs here")

    def test(self, node: Node) -> Test:
        """Return an expression as a condition."""
        node = self.bare(node)
        if node.type == "unary_expression" and node.children[0].type == "!":
            return self.test(parts(node)[0]).negated()
        if node.type == "binary_expression" and node.children[1].type in ("&&", "||"):
            return self.short_circuit(node)
        return self.as_test(self.expression(node), node)

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
            self.refuse(node, f"{_short(node)!r}: {node.type.replace('_', ' ')} is not among what is translated")
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
            if not isinstance(found, tuple):
                self.refuse(node, f"{_short(node)}: this has no address here")
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
            self.refuse(node, f"{_short(node)}: write {text_of(described)} without parentheses, this looks like a cast")
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
            self.refuse(node, f"{_short(node)}: a number becomes a pointer")
        if kind == VOID:
            return Nothing()
        if isinstance(value, Whole) and isinstance(kind, Struct):
            return value
        self.refuse(node, f"{_short(node)} becomes {kind}, which is not among what is translated")

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
            self.refuse(node, f"{_short(node)}: this size is not known here")
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
        operator = node.children[1].type if node.children[1].type != "comment" else _operator(node)
        if operator in ("&&", "||"):
            return flag(self.short_circuit(node))
        left, right = part(node, "left"), part(node, "right")
        if left is None or right is None or operator not in OPERATORS:
            self.refuse(node, f"{_short(node)}: this operator is not among what is translated")
        one, other = self.in_order(lambda: self.expression(left), lambda: self.expression(right))
        return self.operated(operator, one, other, node)

    def operated(self, operator: str, one: Value, other: Value, node: Node) -> Value:
        """Return the value of a binary operator on two values."""
        if isinstance(one, Address) or isinstance(other, Address):
            return self.pointers(operator, one, other, node)
        left, right = self.as_number(one, node), self.as_number(other, node)
        if operator in ("/", "%") and right.type.bits:
            left, right = self.simple(left), self.simple(right)
        try:
            return binary(operator, left, right)
        except UndefinedError as fault:
            self.refuse(node, f"{_short(node)}: {fault}, which C leaves undefined")

    def simple(self, value: Number) -> Number:
        """Return a number as it is."""
        return value

    def pointers(self, operator: str, one: Value, other: Value, node: Node) -> Value:
        """Return the value of an operator on pointers."""
        if operator in ("==", "!="):
            same = self.same_place(one, other, node)
            return flag(same if operator == "==" else same.negated())
        if isinstance(one, Number) and operator == "+":
            one, other = other, one
        if isinstance(one, Address) and isinstance(other, Number) and operator in ("+", "-"):
            return self.stepped(one, other if operator == "+" else negative(convert(other, _INDEX)), node)
        self.refuse(node, f"{_short(node)}: pointers are only compared, and moved by a number of elements")

    def same_place(self, one: Value, other: Value, node: Node) -> Test:
        """Return whether two pointers are the same."""
        for each, second in ((one, other), (other, one)):
            if isinstance(each, Number) and each.constant != 0:
                self.refuse(node, f"{_short(node)}: a pointer is compared with a number")
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
        self.refuse(node, f"{_short(node)}: whether these are the same place is not known")

    def short_circuit(self, node: Node) -> Test:
        """Return ``a && b`` or ``a || b``."""
        operator, (first, second) = _operator(node), parts(node)[:2]
        left = self.test(first)
        stops = operator == "||"
        if left.always is not None:
            if left.always is stops:
                return self.decided(left, node)
            self.flush(left)
            return self.test(second)
        facts = left.if_false if stops else left.if_true
        skipped = self.copy_state()
        self.state = None if self.state is None else refined(self.state, facts)
        with self.steps() as inner:
            right = self.test(second)
        if inner:
            return self.spelled_out(left, right, inner, skipped, node)
        self.state = skipped
        if right.always is not stops and right.always is not None and right.pure:
            return left
        operation: ast.boolop = ast.Or() if stops else ast.And()
        both = ast.BoolOp(operation, [left.node, right.node])
        pure = left.pure and right.pure
        if stops:
            return Test(both, (), left.if_false + right.if_false, True if right.always else None, pure)
        return Test(both, left.if_true + right.if_true, (), False if right.always is False else None, pure)

    def spelled_out(self, left: Test, right: Test, inner: list, skipped: object, node: Node) -> Test:  # type: ignore[type-arg]
        """Return a condition whose second half needs statements of its own."""
        self.line = self.at(node)
        stops = _operator(node) == "||"
        after, self.state = self.state, skipped  # type: ignore[assignment]
        result = self.variable("holds", INT)
        result.is_temporary = True
        self.assign(result, constant(int(stops)))
        at_stop, self.state = self.state, after
        with self.steps() as end:
            self.assign(result, flag(right))
        test = left.negated() if stops else left
        self.out.append(Branch(located(test.node, self.line), inner + end, [], self.line))
        self.state = joined([at_stop, self.state])
        return condition(self.read(result, node))

    def decided(self, test: Test, node: Node) -> Test:
        """Return a condition whose answer is known, though something may have to be done to ask."""
        self.line = self.at(node)
        self.flush(test)
        return truth(value=bool(test.always))

    def flush(self, test: Test) -> None:
        """Evaluate a condition for its effects."""
        if not test.pure:
            self.emit(ast.Expr(test.node))

    def do_conditional_expression(self, node: Node) -> Value:
        """Return ``a ? b : c``."""
        test = self.test(part(node, "condition") or node)
        then, other = part(node, "consequence"), part(node, "alternative")
        if then is None:
            self.refuse(node, f"{_short(node)}: '?:' without a middle")
        assert other is not None  # noqa: S101 - the grammar's
        if test.always is not None:
            self.note_constant(node, test)
            self.flush(test)
            chosen, skipped = (then, other) if test.always else (other, then)
            kind = self.type_of_operand(skipped)
            value = self.expression(chosen)
            if isinstance(value, Number) and isinstance(kind, Integer):
                return convert(value, common_type(value.type, kind))
            return value
        before, line = self.copy_state(), self.at(node)
        self.state = None if before is None else refined(before, test.if_true)
        with self.steps() as first:
            one = self.expression(then)
        after_one, self.state = self.state, None if before is None else refined(before, test.if_false)
        with self.steps() as second:
            two = self.expression(other)
        after_two, self.line = self.state, line
        if not first and not second and not isinstance(one, Nothing):
            self.state = before
            return self.either(test, one, two, node)
        return self.branched(test, (first, one, after_one), (second, two, after_two), node)

    def either(self, test: Test, one: Value, two: Value, node: Node) -> Value:
        """Return one of two values, in one expression."""
        if isinstance(one, Number) and isinstance(two, Number):
            kind = common_type(one.type, two.type)
            one, two = convert(one, kind), convert(two, kind)
            choice = ast.IfExp(test.node, one.node, two.node)
            pure = test.pure and one.pure and two.pure
            return ranged(choice, kind, min(one.least, two.least), max(one.most, two.most), pure=pure)
        if isinstance(one, Address) and isinstance(two, Address):
            if one.place == two.place and test.pure:
                return one
            if isinstance(one.place, ViewPlace) and isinstance(two.place, ViewPlace) and one.place.tag == two.place.tag:
                choice = ast.IfExp(test.node, one.place.node, two.place.node)
                surely = one.place.surely and two.place.surely
                return Address(ViewPlace(choice, one.place.tag, surely, pure=False), one.to)
        self.refuse(node, f"{_short(node)}: a pointer to one place or another")

    def branched(self, test: Test, one: tuple, two: tuple, node: Node) -> Value:  # type: ignore[type-arg]
        """Return one of two values that need statements of their own."""
        (first, left, after_one), (second, right, after_two) = one, two
        line = self.line
        if isinstance(left, Nothing) or isinstance(right, Nothing):
            self.out.append(Branch(located(test.node, line), first, second, line))
            self.state = joined([after_one, after_two])
            return Nothing()
        values = self.as_number(left, node), self.as_number(right, node)
        kind = common_type(values[0].type, values[1].type)
        result = self.variable("value", kind)
        result.is_temporary = True
        for steps, value, state in ((first, values[0], after_one), (second, values[1], after_two)):
            self.state = state
            with self.steps() as end:
                self.assign(result, convert(value, kind))
            steps.extend(end)
        self.out.append(Branch(located(test.node, line), first, second, line))
        self.state = joined([after_one, after_two])
        return self.read(result, node)

    # --- assignments ---------------------------------------------------------------------------------------------

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
        left, right, operator = part(node, "left"), part(node, "right"), _operator(node)
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
            self.refuse(node, f"{_short(node)}: {'an array' if isinstance(kind, Array) else kind} is not assigned")
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
            self.refuse(node, f"{_short(node)}: put parentheses around what is counted")
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

    def note_constant(self, node: Node, test: Test) -> None:
        """Report a condition that has one answer here, and not in one turn of a loop only."""
        if self.unrolling:
            return
        inner = part(node, "condition")
        text = " ".join(text_of(self.bare(inner if inner is not None else node)).split())
        self.note(self.report.constants, node, text, "true" if test.always else "false")


_EFFECTS = frozenset({"call_expression", "assignment_expression", "update_expression"})
_INDEX = Integer(64, signed=True)


def _operator(node: Node) -> str:
    found = node.child_by_field_name("operator")
    return found.type if found is not None else ""


def _short(node: Node) -> str:
    text = " ".join(text_of(node).split())
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - what fits a line


__all__ = ["Expressions", "StructPlace", "line_of"]
