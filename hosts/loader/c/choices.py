"""Conditions, short circuit and ``?:``: what decides what is evaluated."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from hosts.loader.c.arithmetic import convert
from hosts.loader.c.expressions import Expressions, operator_of, short
from hosts.loader.c.flow import Branch
from hosts.loader.c.source import part, parts, text_of
from hosts.loader.c.state import joined, refined
from hosts.loader.c.structuring import located
from hosts.loader.c.types import INT, Integer
from hosts.loader.c.types import common as common_type
from hosts.loader.c.values import (
    Address,
    Nothing,
    Number,
    Test,
    Value,
    ViewPlace,
    condition,
    constant,
    flag,
    ranged,
    truth,
)

if TYPE_CHECKING:
    from tree_sitter import Node


class Choices(Expressions):
    """Values that are evaluated or not."""

    def test(self, node: Node) -> Test:
        """Return an expression as a condition."""
        node = self.bare(node)
        if node.type == "unary_expression" and node.children[0].type == "!":
            return self.test(parts(node)[0]).negated()
        if node.type == "binary_expression" and node.children[1].type in ("&&", "||"):
            return self.short_circuit(node)
        return self.as_test(self.expression(node), node)

    def short_circuit(self, node: Node) -> Test:
        """Return ``a && b`` or ``a || b``."""
        operator, (first, second) = operator_of(node), parts(node)[:2]
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
        stops = operator_of(node) == "||"
        after, self.state = self.state, skipped  # type: ignore[assignment]
        result = self.variable("holds", INT)
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
        asked, then, other = part(node, "condition"), part(node, "consequence"), part(node, "alternative")
        assert asked is not None and other is not None  # noqa: S101, PT018 - the grammar's
        if then is None:
            return self.without_middle(asked, other, node)
        test = self.test(asked)
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

    def without_middle(self, asked: Node, other: Node, node: Node) -> Value:
        """Return ``a ?: b``, in which ``a`` is evaluated once."""
        value = self.frozen(self.as_number(self.expression(asked), asked))
        test, before, line = self.as_test(value, asked), self.copy_state(), self.at(node)
        self.state = None if before is None else refined(before, test.if_false)
        with self.steps() as steps:
            second = self.expression(other)
        after, self.line = self.state, line
        return self.branched(test, ([], value, before), (steps, second, after), node)

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
        self.refuse(node, f"{short(node)}: a pointer to one place or another")

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
        for steps, value, state in ((first, values[0], after_one), (second, values[1], after_two)):
            self.state = state
            with self.steps() as end:
                self.assign(result, convert(value, kind))
            steps.extend(end)
        self.out.append(Branch(located(test.node, line), first, second, line))
        self.state = joined([after_one, after_two])
        return self.read(result, node)

    def note_constant(self, node: Node, test: Test) -> None:
        """Report a condition that has one answer here, and not in one turn of a loop only."""
        if self.unrolling:
            return
        inner = part(node, "condition")
        text = " ".join(text_of(self.bare(inner if inner is not None else node)).split())
        self.note(self.report.constants, node, text, "true" if test.always else "false")
