"""Statements that are made anew: from text, with other lists of statements inside, or with another call."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping

Statements = list[ast.stmt]
Names = Mapping[str, ast.expr]


def statements_of(text: str, names: Names, like: ast.stmt) -> Statements:
    """Return the statements of a text in which names stand for expressions; their line is that of ``like``."""
    new = ast.parse(text).body
    for statement in new:
        _Named(names).visit(statement)
        for node in ast.walk(statement):
            ast.copy_location(node, like)
    return new


class _Named(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, names: Mapping[str, ast.expr]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return what stands for a name."""
        new = copy.deepcopy(self.names.get(node.id, node))
        if isinstance(node.ctx, ast.Store):
            new.ctx = ast.Store()  # type: ignore[attr-defined]
        return new


def assignment(name: str, value: ast.expr, like: ast.stmt) -> ast.Assign:
    """Return the assignment of a value to a local."""
    new = ast.Assign([ast.Name(name, ast.Store())], value)
    return ast.fix_missing_locations(ast.copy_location(new, like))


def renamed(statement: ast.stmt, name: str) -> ast.stmt:
    """Return a statement that calls another function instead."""
    new = copy.deepcopy(statement)
    call_in(new).func = ast.copy_location(ast.Name(name, ast.Load()), statement)
    return new


def call_in(statement: ast.stmt) -> ast.Call:
    """Return the call that is all a statement does."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr) else None
    assert isinstance(value, ast.Call)  # noqa: S101 - hosts.loader.syntax.interrupt_points.called says so
    return value


def targets_of(statement: ast.stmt) -> list[ast.expr]:
    """Return what a statement assigns."""
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AnnAssign) else []
