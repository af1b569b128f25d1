"""Statements of C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hosts.loader.c.arithmetic import convert
from hosts.loader.c.flow import Block, Branch, Jump, Label, Leave
from hosts.loader.c.lists import Lists
from hosts.loader.c.macros import statement
from hosts.loader.c.operations import OPERATIONS
from hosts.loader.c.source import part, parts, text_of
from hosts.loader.c.state import State, joined, refined
from hosts.loader.c.structuring import located
from hosts.loader.c.types import Integer, Void, promoted
from hosts.loader.c.unsequenced import check_order
from hosts.loader.c.values import Address, Nothing, Value, ViewPlace

if TYPE_CHECKING:
    from tree_sitter import Node

_IGNORED: Final = frozenset({"comment", ";", "attributed_statement"})


class Statements(Lists):
    """Statements by their kinds: ``st_<kind>``."""

    def statement(self, node: Node) -> None:
        """Translate a statement."""
        self.line = self.at(node)
        if node.type in _IGNORED:
            return
        method = getattr(self, f"st_{node.type}", None)
        if method is None:
            self.refuse(node, f"{node.type.replace('_', ' ')} is not among what is translated")
        method(node)

    def complete(self, node: Node) -> None:
        """Check a full expression for what C leaves undefined."""
        check_order(node, self.refuse)

    # --- simple ones ---------------------------------------------------------------------------------------------

    def st_expression_statement(self, node: Node) -> None:
        """Translate an expression, or nothing."""
        inner = parts(node)
        if self.state is None or not inner or text_of(inner[0]) in ("fallthrough", "__fallthrough"):
            return
        self.complete(inner[0])
        if not self.is_statement_macro(inner[0]):
            self.effect(inner[0])

    def is_statement_macro(self, node: Node) -> bool:
        """Translate a macro that stands for a statement; return whether it is one."""
        called, given = part(node, "function"), part(node, "arguments")
        if called is None or given is None or called.type != "identifier" or self.is_local(text_of(called)):
            return False
        name = text_of(called)
        macro = self.sources.macro(name, self.frame.text)
        if self.environment.call(name) is not None or name in OPERATIONS or macro is None or macro.parameters is None:
            return False
        if name in self.expanding or self.sources.function(name, self.frame.text) is not None:
            return False
        found = statement(
            macro, tuple(text_of(each) for each in parts(given)), self.frame.text.meaning, self.where(node)
        )
        if found is not None:
            self.expanded_statement(name, found, node)
        return found is not None

    def expanded_statement(self, name: str, tree: Node, node: Node) -> None:
        """Translate what a macro stands for, where it is used."""
        before, self.frame.macro_line = self.frame.macro_line, self.complaint_line(node)
        fixed, self.frame.fixed_line = self.frame.fixed_line, self.at(node)
        self.expanding.append(name)
        try:
            self.statement(tree)
        finally:
            self.expanding.pop()
            self.frame.macro_line, self.frame.fixed_line = before, fixed

    def st_declaration(self, node: Node) -> None:
        """Declare locals."""
        for each in node.children_by_field_name("declarator"):
            value = part(each, "value")
            if value is not None:
                self.complete(value)
        self.declaration(node)

    def st_compound_statement(self, node: Node) -> None:
        """Translate a block."""
        self.frame.scopes.append({})
        self.listing(parts(node))
        self.frame.scopes.pop()

    def statement_expression(self, node: Node) -> Value:
        """Return the value of ``({ ... })``."""
        self.frame.scopes.append({})
        inner = parts(node)
        if any(each.type == "labeled_statement" for each in inner):
            self.refuse(node, "a label in an expression")
        for each in inner[:-1]:
            self.statement(each)
        value: Value = Nothing()
        if inner and inner[-1].type == "expression_statement" and parts(inner[-1]):
            value = self.expression(parts(inner[-1])[0])
        elif inner:
            self.statement(inner[-1])
        self.frame.scopes.pop()
        return value

    def st_return_statement(self, node: Node) -> None:
        """Return."""
        if self.state is None:
            return
        inner = parts(node)
        kind = self.frame.result
        if inner:
            self.complete(inner[0])
        if not inner or isinstance(kind, Void):
            if inner:
                self.effect(inner[0])
            elif not isinstance(kind, Void):
                self.refuse(node, f"{self.frame.function.name} returns nothing here")
            self.leave(None, node)
            return
        value = self.expression(inner[0])
        self.line = self.at(node)
        self.leave(self.converted(value, kind, inner[0]) if kind is not None else value, node)

    def leave(self, value: Value | None, node: Node) -> None:
        """Return a value, or go to the end of what is inlined."""
        frame = self.frame
        if frame.leave is None:
            result = None
            if value is not None:
                result = self.argument_node(value, frame.result, node) if frame.result is not None else None
            self.out.append(Leave(None if result is None else located(result, self.line), self.line))
            self.state = None
            return
        if value is not None and isinstance(frame.result, Integer):
            assert frame.result_variable is not None  # noqa: S101 - made with the frame
            self.assign(frame.result_variable, convert(self.as_number(value, node), frame.result))
        elif value is not None:
            self.result_pointer(value, node)
        self.jump(frame.leave, node)

    def result_pointer(self, value: Value, node: Node) -> None:
        """Keep what an inlined function points to."""
        if isinstance(value, Address) and isinstance(value.place, ViewPlace):
            value = Address(self.named_view(value.place), value.to)
        before = self.frame.result_value
        if before is not None and before != value:
            self.refuse(node, f"{self.frame.function.name} returns a pointer to one place or another")
        self.frame.result_value = value

    def jump(self, label: Label, node: Node) -> None:
        """Go to a label."""
        if self.state is None:
            return
        self.out.append(Jump(label, self.at(node)))
        label.states.append(self.state)
        self.state = None

    def st_break_statement(self, node: Node) -> None:
        """Leave a loop or a switch."""
        if not self.frame.breaks:
            self.refuse(node, "'break' outside of a loop")
        self.jump(self.frame.breaks[-1], node)

    def st_continue_statement(self, node: Node) -> None:
        """Go on with a loop."""
        if not self.frame.continues:
            self.refuse(node, "'continue' outside of a loop")
        self.jump(self.frame.continues[-1], node)

    def st_goto_statement(self, node: Node) -> None:
        """Go to a label."""
        name = text_of(part(node, "label") or node)
        if name not in self.frame.labels:
            self.refuse(node, f"goto {name}: a jump into a block, or to no label")
        self.jump(self.frame.labels[name], node)

    def st_labeled_statement(self, node: Node) -> None:
        """Translate a statement with a label that nothing jumps to."""
        self.statement(parts(node)[-1])

    # --- if ------------------------------------------------------------------------------------------------------

    def st_if_statement(self, node: Node) -> None:
        """Translate ``if``."""
        if self.state is None:
            return
        asked, then, other = part(node, "condition"), part(node, "consequence"), part(node, "alternative")
        assert asked is not None and then is not None  # noqa: S101, PT018 - the grammar's
        self.complete(asked)
        test = self.test(asked)
        self.line = line = self.at(node)
        if test.always is not None:
            self.note_constant(node, test)
            self.flush(test)
            if test.always:
                self.statement(then)
            elif other is not None:
                self.statement(parts(other)[0])
            return
        before: State = self.state
        self.state = refined(before, test.if_true)
        with self.steps() as body:
            self.statement(then)
        after, self.state = self.state, refined(before, test.if_false)
        with self.steps() as orelse:
            if other is not None:
                self.statement(parts(other)[0])
        self.state = joined([after, self.state])
        self.out.append(Branch(located(test.node, line), body, orelse, line))

    # --- switch --------------------------------------------------------------------------------------------------

    def st_switch_statement(self, node: Node) -> None:
        """Translate ``switch``: each run of cases that fall through is one way."""
        if self.state is None:
            return
        asked, body = part(node, "condition"), part(node, "body")
        assert asked is not None and body is not None  # noqa: S101, PT018 - the grammar's
        self.complete(asked)
        value = self.number(self.bare(asked))
        self.line = self.at(node)
        value = self.frozen(convert(value, promoted(value.type)), "switched")
        end = Label("end")
        self.frame.breaks.append(end)
        with self.steps() as steps:
            self.cases(value, body)
        self.frame.breaks.pop()
        self.out.append(Block(end, steps))
        self.state = joined([self.state, *end.states])
