"""What names stand for: locals, macros, constants, and what the environment says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hosts.loader.c.binding import needed, strength
from hosts.loader.c.declarators import Declarators
from hosts.loader.c.macros import expanded
from hosts.loader.c.rules import (
    Constant,
    Dropped,
    EmuCall,
    Refused,
)
from hosts.loader.c.source import part, parts, text_of
from hosts.loader.c.types import INT, LONG, CType, Pointer
from hosts.loader.c.unsequenced import check_order
from hosts.loader.c.values import (
    Address,
    DroppedPlace,
    FixedPlace,
    Number,
    Place,
    Value,
    constant,
)

if TYPE_CHECKING:
    from tree_sitter import Node

Found = tuple[Place, CType]
"""A place and the type of what lies there."""


class Names(Declarators):
    """Names that expressions use."""

    def expression(self, node: Node) -> Value:
        """Return the value of an expression."""
        raise NotImplementedError

    def effect(self, node: Node) -> None:
        """Evaluate an expression for its effects."""
        raise NotImplementedError

    def emu_value(self, rule: EmuCall, arguments: list[Value], nodes: list[Node], node: Node) -> Value:
        """Return an expression of the machine's."""
        raise NotImplementedError

    def bare(self, node: Node) -> Node:
        """Return an expression without the parentheses around it."""
        while node.type == "parenthesized_expression" and len(inner := parts(node)) == 1:
            if inner[0].type == "compound_statement":
                break
            node = inner[0]
        return node

    def local(self, name: str) -> Found | None:
        """Return a local by its name in C."""
        for scope in reversed(self.frame.scopes):
            if name in scope:
                return scope[name]
        return None

    def is_local(self, name: str) -> bool:
        """Return whether a name is a local's."""
        return self.local(name) is not None

    def named(self, node: Node) -> Found | Value:
        """Return what a name stands for."""
        name = text_of(node)
        found = self.local(name)
        if found is not None:
            self.check_hidden(name, node)
            return found
        rule = self.environment.name(name)
        if rule is not None:
            return self.ruled(rule, name, node)
        macro = self.sources.macro(name, self.frame.text)
        if macro is not None and macro.parameters is None and name not in self.expanding:
            return self.macro_value(macro.name, expanded(macro, (), self.frame.text.meaning, self.where(node)), node)
        enumerator = self.sources.enumerators.get(name)
        if enumerator is not None:
            return self.enumerator(name)
        self.refuse(node, f"nothing is known of {name}: it is no local, and neither the files nor the tables define it")

    def where(self, node: Node) -> tuple[str, int]:
        """Return the file and line to complain about."""
        return self.frame.function.file, self.complaint_line(node)

    def check_hidden(self, name: str, node: Node) -> None:
        """Refuse a local that has the name of a macro, which C puts in its place."""
        text = self.frame.text
        macro = text.macros.get(name) or text.undefined.get(name)
        if macro is not None and macro.parameters is None and macro.line <= self.complaint_line(node):
            self.refuse(node, f"{name} is a local, and a macro too ({macro.file}:{macro.line})")

    def check_binding(self, name: str, tree: Node, node: Node) -> None:
        """Refuse a macro of which what stands beside its use takes a part: ``2 * X`` where X is ``a + b``."""
        around = node.parent
        if around is not None and self.expansions and self.expansions[-1][0] == around:
            node = self.expansions[-1][1]
        if strength(parts(tree)[0]) < needed(node):
            self.refuse(node, f"the macro {name} is used beside an operator that takes a part of what it stands for")

    def macro_value(self, name: str, tree: Node, node: Node) -> Value:
        """Return the value of what a macro stands for, where it is used."""
        self.check_binding(name, tree, node)
        check_order(tree, lambda _, reason: self.refuse(node, reason))
        self.expansions.append((tree, node))
        before, self.frame.macro_line = self.frame.macro_line, self.complaint_line(node)
        fixed, self.frame.fixed_line = self.frame.fixed_line, self.at(node)
        self.expanding.append(name)
        try:
            return self.expression(tree)
        finally:
            self.expanding.pop()
            self.expansions.pop()
            self.frame.macro_line, self.frame.fixed_line = before, fixed

    def enumerator(self, name: str) -> Number:
        """Return the number of an enum's constant."""
        _, items, position = self.sources.enumerators[name]
        value = 0
        for number, item in enumerate(each for each in parts(items) if each.type == "enumerator"):
            said = part(item, "value")
            if said is not None:
                known = self.as_constant(said)
                value = known
            if number == position:
                return constant(value, INT)
            value += 1
        raise AssertionError(name)

    def as_constant(self, node: Node) -> int:
        """Return a constant expression's number."""
        found = self.number(node).constant
        if found is None:
            self.refuse(node, f"{text_of(node)} is no constant")
        return found

    def ruled(self, rule: EmuCall | Constant | Dropped | Refused, name: str, node: Node) -> Found | Value:
        """Return what the environment says that a name is."""
        if isinstance(rule, Constant):
            self.note(self.report.constants, node, name, str(rule.value), rule.reason)
            kind = self.any_type_named(rule.type, node)
            if isinstance(kind, Pointer):
                return Address(None, kind.to)
            return FixedPlace(rule.value, kind, rule.reason), kind
        if isinstance(rule, Dropped):
            return DroppedPlace(name, rule.reason), LONG
        if isinstance(rule, Refused):
            self.refuse(node, f"{name}: {rule.reason}")
        return self.emu_value(rule, [], [], node)
