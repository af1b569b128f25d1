"""Calls: by the environment's rules, as an operation of Linux, of another function of the files, of a macro."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hosts.loader.c import rules
from hosts.loader.c.functions import Functions
from hosts.loader.c.macros import expanded
from hosts.loader.c.operations import OPERATIONS
from hosts.loader.c.rules import CallRule, EmuCall
from hosts.loader.c.source import part, parts, text_of, walk
from hosts.loader.c.structuring import cloned
from hosts.loader.c.types import VOID, Integer, Pointer, Struct, named
from hosts.loader.c.values import (
    Address,
    Nothing,
    Number,
    Place,
    StructPlace,
    Test,
    Value,
    ViewPlace,
    Whole,
    constant,
    ranged,
)
from hosts.loader.c.words import attribute

if TYPE_CHECKING:
    from tree_sitter import Node

_BINDS_TIGHTER: Final = frozenset({"field_expression", "subscript_expression", "call_expression", "update_expression"})
_CHANGES: Final = frozenset({"assignment_expression", "update_expression"})


class Calls(Functions):
    """Calls of all kinds."""

    def callee(self, node: Node) -> str:
        """Return the name of what is called."""
        called = part(node, "function")
        assert called is not None  # noqa: S101 - the grammar's
        called = self.bare(called)
        if called.type == "identifier" and not self.is_local(text_of(called)):
            return text_of(called)
        text = re.sub(r"\s+", "", text_of(called))
        name = self.environment.callee(text)
        if name is None:
            self.refuse(node, f"{text}(): a call through a pointer that nothing is known of")
        return name

    def test(self, node: Node) -> Test:
        """Return an expression as a condition; ``likely`` does not hide it."""
        node = self.bare(node)
        if node.type == "call_expression":
            called = part(node, "function")
            if called is not None and text_of(called) in ("likely", "unlikely"):
                inner = part(node, "arguments")
                if inner is not None and len(parts(inner)) == 1:
                    return self.test(parts(inner)[0])
        return super().test(node)

    def do_call_expression(self, node: Node) -> Value:
        """Return the value of a call."""
        cast = self.as_cast(node)
        if cast is not None:
            return cast
        name, inner = self.callee(node), part(node, "arguments")
        arguments = parts(inner) if inner is not None else []
        rule = self.environment.call(name)
        if rule is not None:
            return self.by_rule(rule, name, arguments, node)
        if name in OPERATIONS:
            return self.operation(name, arguments, node)
        function = self.sources.function(name, self.frame.text)
        if function is not None:
            return self.of_function(function, arguments, node)
        macro = self.sources.macro(name, self.frame.text)
        if macro is not None and macro.parameters is not None and name not in self.expanding:
            given = tuple(text_of(each) for each in arguments)
            return self.macro_value(name, expanded(macro, given, self.frame.text.meaning, self.where(node)), node)
        does = f"--stub {name}=0, or a --patch that defines it, if it does not matter"
        self.refuse(node, f"{name}(): {self.sources.missing(name)}, and the tables do not know it ({does})")

    def as_cast(self, node: Node) -> Value | None:
        """Return the value of ``(u8)(x)``, which looks like a call."""
        called, inner = part(node, "function"), part(node, "arguments")
        if called is None or called.type != "parenthesized_expression" or inner is None:
            return None
        named_type = self.bare(called)
        if named_type.type != "identifier" or self.is_local(text_of(named_type)):
            return None
        kind = named(text_of(named_type), self.environment) or self.file_type(text_of(named_type))
        if kind is None:
            return None
        if node.parent is not None and node.parent.type in _BINDS_TIGHTER and node.parent.children[0] == node:
            self.refuse(node, f"{text_of(node.parent)}: put parentheses around what is cast")
        value: Value = Nothing()
        for each in parts(inner):
            value = self.expression(each)
        return self.converted(value, kind, node)

    def operation(self, name: str, arguments: list[Node], node: Node) -> Value:
        """Return the value of an operation of Linux."""
        count, made = OPERATIONS[name]
        if count not in (-1, len(arguments)):
            self.refuse(node, f"{name}() takes {count} arguments, not {len(arguments)}")
        self.line = self.at(node)
        return made(self, arguments, node)

    # --- rules ---------------------------------------------------------------------------------------------------

    def by_rule(self, rule: CallRule, name: str, arguments: list[Node], node: Node) -> Value:  # noqa: C901, PLR0911, PLR0912
        """Return the value of a call that the environment explains."""
        match rule:
            case rules.EmuCall():
                return self.of_emu(rule, name, arguments, node)
            case rules.Primitive(name=operation):
                if operation not in OPERATIONS:
                    self.refuse(node, f"{name}(): the tables call it {operation}, which is no operation")
                return self.operation(operation, arguments, node)
            case rules.Argument(position=position):
                return self.expression(self.one_of(arguments, position, name, node))
            case rules.View():
                return self.view(rule, name, arguments, node)
            case rules.ByName():
                key = " ".join(text_of(self.bare(self.one_of(arguments, rule.argument, name, node))).split())
                if key not in rule.rules:
                    self.refuse(node, f"{name}({key}): nothing is known of {key}")
                return self.by_rule(rule.rules[key], f"{name}({key})", arguments, node)
            case rules.Constant():
                self.without_effects(name, arguments)
                self.note(self.report.constants, node, name, str(rule.value), rule.reason)
                kind = self.any_type_named(rule.type, node)
                if isinstance(kind, Pointer):
                    return Address(None, kind.to)
                return constant(rule.value, kind) if isinstance(kind, Integer) else Nothing()
            case rules.Dropped(reason=reason):
                self.without_effects(name, arguments)
                self.note(self.report.dropped, node, name, "", reason)
                return Nothing(reason)
            case rules.Into(call=emu, argument=position):
                place, kind = self.target(self.one_of(arguments, position, name, node))
                self.stored(place, kind, self.by_rule(emu, name, [], node), node, used=False)
                return Nothing()
            case rules.Each():
                self.refuse(node, f"{name}() begins a loop, and stands inside of an expression")
            case rules.Instead(function=other):
                function = self.sources.function(other, self.frame.text)
                if function is None:
                    self.refuse(node, f"{other}(): {self.sources.missing(other)}")
                return self.of_function(function, arguments, node)
            case rules.Refused(reason=reason):
                self.refuse(node, f"{name}(): {reason}")

    def one_of(self, arguments: list[Node], position: int, name: str, node: Node) -> Node:
        """Return one argument."""
        if position >= len(arguments):
            self.refuse(node, f"{name}() has no argument {position + 1}")
        return arguments[position]

    def without_effects(self, name: str, arguments: list[Node]) -> None:
        """Refuse to leave out arguments that change something."""
        for argument in arguments:
            for each in walk(argument):
                if each.type in _CHANGES:
                    self.refuse(each, f"{name}() is left out, but its argument changes {text_of(each)}")

    def view(self, rule: rules.View, name: str, arguments: list[Node], node: Node) -> Value:
        """Return another view of a pointer."""
        value = self.expression(self.one_of(arguments, rule.argument, name, node))
        if not isinstance(value, Address) or not isinstance(value.place, ViewPlace):
            self.refuse(node, f"{name}(): its argument is no struct of this machine")
        place = value.place if value.place.pure or not rule.path else self.named_view(value.place)
        return Address(replace(place, node=attribute(place.node, rule.path), tag=rule.tag), Struct(rule.tag))

    def of_emu(self, rule: EmuCall, name: str, arguments: list[Node], node: Node) -> Value:
        """Return a call of the machine's."""
        missing = rule.parameters[len(arguments) :]
        if len(arguments) > len(rule.parameters) or any(kind != "..." for kind in missing):
            self.refuse(node, f"{name}() takes {len(rule.parameters)} arguments here, not {len(arguments)}")
        rule = replace(rule, parameters=rule.parameters[: len(arguments)])
        asked = [each for each, kind in zip(arguments, rule.parameters, strict=True) if kind != "..."]
        self.without_effects(name, [each for each in arguments if each not in asked])
        values = iter(self.in_order(*(lambda each=each: self.expression(each) for each in asked)))
        given = [Nothing() if kind == "..." else next(values) for kind in rule.parameters]
        function = self.sources.function(name, self.frame.text)
        if function is not None and any(isinstance(each, Address) and _is_copy(each.place) for each in given):
            return self.inlined(function, given, arguments, node)  # the machine knows nothing of a local copy
        self.note(self.report.calls, node, name, rule.expression)
        return self.emu_value(rule, given, arguments, node)

    def emu_value(self, rule: EmuCall, arguments: list[Value], nodes: list[Node], node: Node) -> Value:
        """Return an expression of the machine's."""
        self.line = self.at(node)
        tree = _of_tables(rule.expression)
        used = [each.id for each in ast.walk(tree) if isinstance(each, ast.Name)]
        given: dict[str, ast.expr] = {}
        pure = rule.pure
        for number, (value, kind) in enumerate(zip(arguments, rule.parameters, strict=True)):
            if kind == "...":
                continue
            found = self.emu_argument(value, kind, nodes[number])
            count = used.count(f"_{number}")
            if count == 0:
                self.finish(value, nodes[number])
            elif count > 1 and isinstance(value, Number):
                found = self.kept(Number(found, value.type, value.least, value.most, value.pure)).node
            given[f"_{number}"] = found
            pure = pure and (not isinstance(value, Number) or value.pure)
        made: ast.expr = _Given(given).visit(tree)
        return self.emu_result(rule, made, node, pure=pure)

    def in_python(self, text: str, given: ast.expr | None) -> ast.expr:
        """Return an expression of the tables, in which ``_0`` stands for another."""
        made: ast.expr = _Given({} if given is None else {"_0": given}).visit(_of_tables(text))
        return made

    def emu_argument(self, value: Value, kind: str, node: Node) -> ast.expr:
        """Return an argument of the machine's."""
        if kind == "word":
            if not isinstance(value, Address) or value.place is None:
                self.refuse(node, f"{text_of(node)}: a pointer to a word belongs here")
            word, shift = self.whole_word(value.place, node)
            if shift.constant != 0:
                self.refuse(node, f"{text_of(node)}: a pointer to a whole word belongs here")
            return word
        wanted = named(kind, self.environment)
        if wanted is None:
            self.refuse(node, f"{kind!r} of the tables is no type that is known")
        return self.argument_node(value, wanted, node)

    def emu_result(self, rule: EmuCall, made: ast.expr, node: Node, *, pure: bool) -> Value:
        """Return what the machine gives."""
        kind = self.any_type_named(rule.result, node)
        if kind == VOID:
            self.emit(ast.Expr(made))
            return Nothing()
        if isinstance(kind, Integer):
            return ranged(made, kind, rule.least, rule.most, pure=pure)
        if isinstance(kind, Pointer) and isinstance(kind.to, Struct) and self.runtime(kind) is not None:
            return Address(ViewPlace(made, kind.to.tag, surely=False, pure=pure), kind.to)
        if isinstance(kind, Struct) and self.runtime(Pointer(kind)) is not None:
            return Whole(ViewPlace(made, kind.tag, pure=pure))
        self.refuse(node, f"{rule.result!r} of the tables is nothing that exists at run time")


def _is_copy(place: Place | None) -> bool:
    """Return whether a place is a local struct."""
    return isinstance(place, StructPlace)


class _Given(ast.NodeTransformer):
    """Puts arguments into an expression of the tables."""

    def __init__(self, given: dict[str, ast.expr]) -> None:
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return cloned(self.given[node.id]) if node.id in self.given else node


def _of_tables(text: str) -> ast.expr:
    """Return an expression of the tables, without its places in them."""
    tree = ast.parse(text, mode="eval").body
    for each in ast.walk(tree):
        for name in ("lineno", "end_lineno", "col_offset", "end_col_offset"):
            if hasattr(each, name):
                delattr(each, name)
    return tree
