"""Takes out of a translated function what nobody reads, and gives a value to what Python may think has none."""

from __future__ import annotations

import ast
from collections import Counter
from typing import Final

from hosts.loader.c.structuring import located
from hosts.loader.c.values import negated
from hosts.loader.syntax.language import parameters

PURE: Final = frozenset(
    {
        *("wrap_s8", "wrap_s16", "wrap_s32", "add64", "sub64", "mul64", "shift_left", "shift_right"),
        *("shift_right_unsigned", "below_unsigned", "with_bits", "BIT", "fls64", "hweight64"),
    }
)
"""Functions that may be left uncalled. A division may fault."""


def tidy(function: ast.FunctionDef) -> None:
    """Take out idle copies and assignments."""
    _Copies(function).visit(function)
    while True:
        loads = {
            each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
        }
        before = sum(1 for _ in ast.walk(function))
        function.body = _without(function.body, loads)
        if sum(1 for _ in ast.walk(function)) == before:
            break
    function.body = function.body or [located(ast.Pass(), function.lineno)]
    begin = [
        located(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(0)), function.lineno)
        for name in sorted(_Assigned(function).open)
    ]
    function.body = [*begin, *function.body]


def is_pure(node: ast.AST) -> bool:
    """Return whether an expression does nothing and cannot fault."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and not (isinstance(each.func, ast.Name) and each.func.id in PURE):
            return False
        if isinstance(each, ast.BinOp) and isinstance(each.op, ast.FloorDiv | ast.Mod):
            return isinstance(each.right, ast.Constant)
    return True


def _without(body: list[ast.stmt], loads: set[str]) -> list[ast.stmt]:  # noqa: C901 - one for each kind
    """Return statements without assignments to what is never read."""
    out: list[ast.stmt] = []
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in loads:
                if not is_pure(value):
                    out.append(ast.copy_location(ast.Expr(value), statement))
                continue
            case ast.Expr(value=value) if is_pure(value):
                continue
            case ast.If(test=test):
                then, other = _without(statement.body, loads), _without(statement.orelse, loads)
                if not then and not other:
                    if not is_pure(test):
                        out.append(ast.copy_location(ast.Expr(test), statement))
                    continue
                if not then:
                    test, then, other = located(negated(test), statement.lineno), other, []
                out.append(ast.copy_location(ast.If(test, then, other), statement))
                continue
            case ast.While(test=test):
                inner = _without(statement.body, loads) or [ast.copy_location(ast.Pass(), statement)]
                out.append(ast.copy_location(ast.While(test, inner, []), statement))
                continue
            case ast.Pass():
                continue
        out.append(statement)
    return out


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
