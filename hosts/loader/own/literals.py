"""Values that a declaration spells out: numbers, names and rows of them, worked out without running the file."""

from __future__ import annotations

import ast
import contextlib
import importlib
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from hosts.loader.rule.bindings import Bindings
from hosts.loader.syntax.language import WORD_MAX, WORD_MIN, LoaderError, Origin

MOST: Final = 4096
"""The longest row that a declaration may spell out; any of them has room for far less."""
DEEPEST: Final = 40
"""Constants that are worked out from constants."""

_OPERATORS: Final[Mapping[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.BitOr: lambda left, right: left | right,
    ast.LShift: lambda left, right: left << min(right, 64) if right >= 0 else 0,
}

Value: TypeAlias = "int | str | tuple[Value, ...]"


class Literals:
    """Works out what stands in the declarations of one file."""

    def __init__(self, file: Bindings, origin: Origin, known: Mapping[str, Value] | None = None) -> None:
        """``known``: what further names of the file stand for."""
        self.file, self.origin, self.known = file, origin, known or {}
        self._depth = 0

    def imported(self, node: ast.expr | None, module: str) -> str:
        """Return which name of a module an expression is, by the file's imports; an empty string: none."""
        if not isinstance(node, ast.Name):
            return ""
        statement = self.file.plain.get(node.id)
        if not isinstance(statement, ast.ImportFrom) or statement.module != module or statement.level:
            return ""
        return next(alias.name for alias in statement.names if (alias.asname or alias.name) == node.id)

    def value(self, node: ast.expr) -> Value:
        """Return a value; PolicyError with its line."""
        match node:
            case ast.Constant(value=bool() | int() | str() as value):
                return self._word(node, value)
            case ast.Name():
                return self._name(node)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                return self._row(node, elements)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._word(node, -self.number(operand))
            case ast.BinOp(left=left, op=operator, right=right):
                return self._computed(node, self.value(left), operator, self.value(right))
        raise self._unspelled(node)

    def number(self, node: ast.expr) -> int:
        """Return a number; PolicyError with its line."""
        value = self.value(node)
        if not isinstance(value, int):
            self.origin.refuse(node, f"{ast.unparse(node)} is no whole number")
        return value

    def text(self, node: ast.expr) -> str:
        """Return a text; PolicyError with its line."""
        value = self.value(node)
        if not isinstance(value, str):
            self.origin.refuse(node, f"{ast.unparse(node)} is no text")
        return value

    def _unspelled(self, node: ast.AST) -> LoaderError:
        said = "is not spelled out: a declaration is read, not run, and holds numbers, texts and tuples of them"
        line: int = node.lineno  # type: ignore[attr-defined]
        return self.origin.error(self.origin.file, line, f"{ast.unparse(node)} {said}")

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.known:
            return self.known[node.id]
        statement = self.file.get(node.id)
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._unspelled(node)
        try:
            match statement:
                case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                    return self.value(value)
                case ast.ImportFrom(module=str(module), level=0) if module.partition(".")[0] == "emu":
                    return self._import(node, module)
        finally:
            self._depth -= 1
        raise self._unspelled(node)

    def _import(self, node: ast.Name, module: str) -> Value:
        found: object = None
        with contextlib.suppress(ImportError, AttributeError):
            found = getattr(importlib.import_module(module), self.imported(node, module))
        if not isinstance(found, int):
            raise self._unspelled(node)
        return int(found)

    def _row(self, node: ast.expr, elements: list[ast.expr]) -> Value:
        row: list[Value] = []
        for element in elements:
            if isinstance(element, ast.Starred):
                inner = self.value(element.value)
                row += inner if isinstance(inner, tuple) else [inner]
            else:
                row.append(self.value(element))
        return self._row_of(node, tuple(row))

    def _row_of(self, node: ast.expr, row: tuple[Value, ...]) -> Value:
        if len(row) > MOST:
            self.origin.refuse(node, f"a row of {len(row)}: no declaration has room for so many")
        return row

    def _computed(self, node: ast.expr, left: Value, operator: ast.operator, right: Value) -> Value:
        if isinstance(left, int) and isinstance(right, int) and type(operator) in _OPERATORS:
            return self._word(node, _OPERATORS[type(operator)](left, right))
        match left, operator, right:
            case tuple(), ast.Add(), tuple():
                return self._row_of(node, left + right)
            case (tuple(), ast.Mult(), int()) if len(left) * right <= MOST:
                return left * right
            case (int(), ast.Mult(), tuple()) if len(right) * left <= MOST:
                return right * left
        raise self._unspelled(node)

    def _word(self, node: ast.expr, value: int | str) -> int | str:
        if isinstance(value, int) and not WORD_MIN <= value <= WORD_MAX:
            self.origin.refuse(node, f"{ast.unparse(node)}: a word is a signed 64-bit number")
        return value
