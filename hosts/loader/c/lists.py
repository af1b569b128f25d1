"""Loops over the members of a list: ``list_for_each_entry(pos, head, member) { ... }``."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from hosts.loader.c import rules
from hosts.loader.c.arithmetic import binary, convert
from hosts.loader.c.comparisons import compare
from hosts.loader.c.flow import Block, Branch, Label
from hosts.loader.c.loops import Loops
from hosts.loader.c.nodes import call, operation
from hosts.loader.c.preprocess import LIST_LOOP as MACRO
from hosts.loader.c.source import part, parts, text_of
from hosts.loader.c.state import joined
from hosts.loader.c.structuring import cloned, located
from hosts.loader.c.types import INT, ULONG, WORD_BITS, Pointer, Struct
from hosts.loader.c.values import Address, Number, ViewPlace, constant, ranged

if TYPE_CHECKING:
    from tree_sitter import Node


class Lists(Loops):
    """Loops over lists."""

    def st_for_statement(self, node: Node) -> None:
        """Translate ``for``, which may be that of a list."""
        asked = part(node, "condition")
        called = part(asked, "function") if asked is not None and asked.type == "call_expression" else None
        if asked is None or called is None or text_of(called) != MACRO or self.is_local(MACRO):
            super().st_for_statement(node)
            return
        rule, arguments = self.environment.call(MACRO), parts(part(asked, "arguments") or asked)
        if not isinstance(rule, rules.Each) or len(arguments) != 3:  # noqa: PLR2004 - those of the macro
            self.refuse(node, f"{MACRO}(): nothing is known of such lists")
        if self.state is not None:
            self.each_member(rule, arguments[0], arguments[1], node)

    def each_member(self, rule: rules.Each, position: Node, head: Node, node: Node) -> None:
        """Translate the loop."""
        listed = self.emu_argument(self.expression(head), rule.head, head)
        members = self.frozen(ranged(self.in_python(rule.members, listed), ULONG, pure=False), "members")
        count = self.frozen(ranged(self.in_python(rule.count, None), INT, 0, WORD_BITS, pure=False), "count")
        body, index, end = part(node, "body"), self.variable("index", INT), self.label("end")
        assert body is not None  # noqa: S101 - the grammar's
        self.assign(index, constant(0, INT))

        def turn(again: Label) -> None:  # noqa: ARG001 - 'continue' goes to the next member
            number = self.read(index, node)
            if not self.stays_if(compare("<", number, count), end, node):
                return
            bit = call("shift_left", ast.Constant(1), cloned(number.node))
            test = ast.Compare(operation(cloned(members.node), ast.BitAnd, bit), [ast.NotEq()], [ast.Constant(0)])
            passed = self.copy_state()
            with self.steps() as made:
                self.set_position(rule, position, number, node)
                self.turn_body(body, end)
            self.out.append(Branch(located(test, self.at(node)), made, [], self.at(node)))
            self.state, self.line = joined([passed, self.state]), self.at(node)
            self.assign(index, convert(binary("+", self.read(index, node), constant(1, INT)), INT))

        with self.steps() as steps:
            self.loop(turn, node)
        self.out.append(Block(end, steps))
        self.state = joined(end.states)

    def set_position(self, rule: rules.Each, position: Node, number: Number, node: Node) -> None:
        """Let the pointer of the loop lead to a member."""
        place, kind = self.target(position)
        if not isinstance(kind, Pointer) or not isinstance(kind.to, Struct) or self.runtime(kind) is None:
            self.refuse(node, f"{text_of(position)}: a pointer to a struct of this machine belongs here")
        made = ViewPlace(self.in_python(rule.member, number.node), kind.to.tag, pure=False)
        self.assign_pointer(place, kind, Address(made, kind.to), node)
