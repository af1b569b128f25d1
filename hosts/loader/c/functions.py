"""Calls of other C functions: as one of the program, or where they are called."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hosts.loader.c.operations import Operations
from hosts.loader.c.source import Function, declared_name, part, parts, text_of, walk
from hosts.loader.c.structuring import cloned
from hosts.loader.c.types import VOID, CType, Integer, Pointer, Struct, Void
from hosts.loader.c.values import Address, Nothing, Number, Value, ViewPlace

if TYPE_CHECKING:
    from tree_sitter import Node

_BINDS_TIGHTER: Final = frozenset({"field_expression", "subscript_expression", "call_expression", "update_expression"})
_CHANGES: Final = frozenset({"assignment_expression", "update_expression"})


class Functions(Operations):
    """Functions of the files."""

    def inlined(self, function: Function, arguments: list[Value], nodes: list[Node], node: Node) -> Value:
        """Return the value of a function translated where it is called."""
        raise NotImplementedError

    def argument_node(self, value: Value, kind: CType, node: Node) -> ast.expr:
        """Return an argument that exists at run time."""
        if isinstance(kind, Integer):
            return self.as_number(self.converted(value, kind, node), node).node
        if isinstance(value, Address) and isinstance(value.place, ViewPlace) and isinstance(kind, Pointer):
            wanted = self.runtime(kind)
            if wanted is not None and wanted == self.runtime(Pointer(Struct(value.place.tag))):
                return cloned(value.place.node)
        self.refuse(node, f"{text_of(node)}: a {kind} belongs here")

    def runtime(self, kind: CType) -> str | None:
        """Return the class of what a pointer leads to, if it exists at run time."""
        if isinstance(kind, Pointer) and isinstance(kind.to, Struct):
            rule = self.environment.struct(kind.to.tag)
            return None if rule is None else rule.runtime
        return None

    def of_function(self, function: Function, arguments: list[Node], node: Node) -> Value:
        """Return the value of a call of a C function."""
        given, result = self.signature(function)
        if len(given) != len(arguments):
            self.refuse(node, f"{function.name}() takes {len(given)} arguments, not {len(arguments)}")
        values = self.in_order(*(lambda each=each: self.expression(each) for each in arguments))
        self.line = self.at(node)
        exists = [isinstance(kind, Integer) or self.runtime(kind) is not None for _, kind in given]
        exists += [isinstance(result, Integer | Void)]
        if not all(exists) or self.is_inlined(function, values):
            return self.inlined(function, values, arguments, node)
        name = self.session.request(function)
        if not name:
            return self.inlined(function, values, arguments, node)
        self.note(self.report.calls, node, function.name, name, f"{function.file}:{function.line}")
        nodes = [self.argument_node(*each) for each in zip(values, (kind for _, kind in given), arguments, strict=True)]
        made = ast.Call(ast.Name(name, ast.Load()), nodes, [])
        if isinstance(result, Integer):
            return Number(made, result, result.least, result.most, pure=False)
        self.emit(ast.Expr(made))
        return Nothing()

    def is_inlined(self, function: Function, values: list[Value]) -> bool:
        """Return whether a function is so short that a call would only hide what it does, or is given constants."""
        body = part(function.node, "body")
        statements = parts(body) if body is not None else []
        single = len(statements) <= 1
        known = any(isinstance(each, Number) and each.constant is not None for each in values)
        nulls = any(isinstance(each, Address) and each.place is None for each in values)
        return bool(function.note) or self.home is None or single or known or nulls

    def signature(self, function: Function) -> tuple[list[tuple[str, CType]], CType]:
        """Return the parameters of a function and what it gives."""
        declarator = part(function.node, "declarator")
        base = part(function.node, "type")
        stars = 0
        while declarator is not None and declarator.type != "function_declarator":
            stars += declarator.type == "pointer_declarator"
            declarator = part(declarator, "declarator")
        if declarator is None or base is None:
            self.refuse(function.line, f"{function.name}: this declaration is not among what is translated")
        before = self.frame
        self.frame = replace(before, function=function, text=function.text, macro_line=0)
        try:
            result = self.base_type(base)
            for _ in range(stars):
                result = Pointer(result)
            listed = part(declarator, "parameters")
            given: list[tuple[str, CType]] = []
            for each in parts(listed) if listed is not None else []:
                if each.type == "variadic_parameter":
                    self.refuse(each, f"{function.name} takes any number of arguments")
                if each.type == "identifier":
                    self.refuse(each, f"{function.name}: parameters have types")
                given.append(self.parameter(each))
        finally:
            self.frame = before
        names = [name for name, _ in given if name]
        if len(set(names)) < len(names):
            self.refuse(function.line, f"{function.name} has two parameters of one name")
        if given == [("", VOID)]:
            given = []
        return given, result


def several_times(function: Function) -> frozenset[str]:
    """Return the names that a function assigns more than once, or takes the address of."""
    seen: set[str] = set()
    found: set[str] = set()
    for each in walk(function.node):
        target = None
        if each.type == "assignment_expression":
            target = part(each, "left")
        elif each.type == "init_declarator":
            target = declared_name(part(each, "declarator"))
        elif each.type == "update_expression":
            target = part(each, "argument")
            if target is not None:
                found.add(text_of(target))
        elif each.type == "pointer_expression" and each.children[0].type == "&":
            found.add(text_of(parts(each)[0]))
        elif each.type == "parameter_declaration":
            target = declared_name(part(each, "declarator"))
        if target is not None and target.type == "identifier":
            name = text_of(target)
            if name in seen:
                found.add(name)
            seen.add(name)
    return frozenset(found)
