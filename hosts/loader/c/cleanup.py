"""Takes out of a translated function what nobody reads, and gives a value to what Python may think has none."""

from __future__ import annotations

import ast
from collections import Counter
from typing import Final

from hosts.loader.c.liveness import without_dead
from hosts.loader.c.structuring import located
from hosts.loader.syntax.language import parameters

_ONCE_AND_READ: Final = 2
"""Times that a name stands in a function that is assigned once and read once."""


def tidy(function: ast.FunctionDef) -> None:
    """Take out idle copies and assignments."""
    _Copies(function).visit(function)
    function.body = without_dead(function.body)
    _forwarded(function)
    function.body = function.body or [located(ast.Pass(), function.lineno)]
    begin = [
        located(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(0)), function.lineno)
        for name in sorted(_Assigned(function).open)
    ]
    function.body = [*begin, *function.body]


def _forwarded(function: ast.FunctionDef) -> None:
    """Put a value that is named for the next statement only into that, if it is what is evaluated first there."""
    names = Counter(each.id for each in ast.walk(function) if isinstance(each, ast.Name))
    for body in _bodies(function):
        position = 0
        while position + 1 < len(body):
            match body[position]:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if names[name] == _ONCE_AND_READ:
                    if _put(body[position + 1], name, value):
                        del body[position]
                        position = max(position - 1, 0)
                        continue
            position += 1


def _put(statement: ast.stmt, name: str, value: ast.expr) -> bool:
    """Put a value where a statement reads a name first; return whether it does."""
    match statement:
        case ast.Assign(targets=[ast.Name()], value=ast.Name(id=read)) if read == name:
            statement.value = value
        case ast.Return(value=ast.Name(id=read)) if read == name:
            statement.value = value
        case ast.If(test=ast.Compare(left=ast.Name(id=read), comparators=[ast.Constant()]) as test) if read == name:
            test.left = value
        case ast.Return(
            value=ast.IfExp(test=ast.Compare(left=ast.Name(id=read), comparators=[ast.Constant()]) as test)
        ):
            if read != name:
                return False
            test.left = value
        case _:
            return False
    return True


def _bodies(function: ast.FunctionDef) -> list[list[ast.stmt]]:
    """Return all lists of statements of a function."""
    found = [function.body]
    for each in ast.walk(function):
        if isinstance(each, ast.If | ast.While):
            found += [each.body, each.orelse]
    return found


class _Copies(ast.NodeTransformer):
    """Reads a parameter that never changes where a copy of it was read."""

    def __init__(self, function: ast.FunctionDef) -> None:
        stores = Counter(
            each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        )
        fixed = {name for name in parameters(function) if not stores[name]}
        self.meaning: dict[str, str] = {}
        for each in ast.walk(function):
            match each:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=source)):
                    source = self.meaning.get(source, source)
                    if stores[name] == 1 and source in fixed and name not in parameters(function):
                        self.meaning[name] = source

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if isinstance(node.ctx, ast.Load) and node.id in self.meaning:
            return ast.copy_location(ast.Name(self.meaning[node.id], ast.Load()), node)
        return node


Known = frozenset[str] | None


class _Assigned:
    """Finds locals that may be read before they are assigned, as the loader's check of names sees it."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self.open: set[str] = set()
        self.local = {
            each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        self.leaving: list[list[Known]] = []
        self.block(function.body, frozenset(parameters(function)))

    def block(self, body: list[ast.stmt], known: Known) -> Known:
        for statement in body:
            known = self.statement(statement, frozenset(self.local) if known is None else known)
        return known

    def statement(self, statement: ast.stmt, known: frozenset[str]) -> Known:  # noqa: PLR0911 - one for each kind
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                self.uses(test, known)
                return _either([self.block(body, known), self.block(orelse, known)])
            case ast.While(test=test, body=body):
                self.uses(test, known)
                forever = isinstance(test, ast.Constant) and bool(test.value)
                self.leaving.append([] if forever else [known])
                self.block(body, known)
                return _either(self.leaving.pop())
            case ast.Break():
                self.leaving[-1].append(known)
                return None
            case ast.Continue():
                return None
            case ast.Return(value=value):
                self.uses(value, known)
                return None
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.uses(value, known)
                return known | {name}
        self.uses(statement, known)
        return known

    def uses(self, node: ast.AST | None, known: frozenset[str]) -> None:
        for each in ast.walk(node) if node is not None else ():
            if isinstance(each, ast.Name) and each.id in self.local and each.id not in known:
                self.open.add(each.id)


def _either(ends: list[Known]) -> Known:
    reached = [end for end in ends if end is not None]
    return frozenset.intersection(*reached) if reached else None
