"""Bindings of a user's file: which statement defines each of its names, and which names are not defined plainly."""

from __future__ import annotations

import ast

from hosts.loader.syntax.language import Origin


class Bindings:
    """The one statement that binds each name at the top of a file."""

    def __init__(self, module: ast.Module, origin: Origin) -> None:
        self.origin = origin
        self.plain: dict[str, ast.stmt] = {}
        self.unclear: dict[str, ast.AST] = {}
        for statement in module.body:
            names = _plainly_bound(statement)
            for name in names or _bound_somehow(statement):
                if not names or name in self.plain:
                    self.unclear.setdefault(name, statement)
                self.plain.setdefault(name, statement)

    def get(self, name: str) -> ast.stmt | None:
        """Return the one statement that binds a name, or None if the file does not."""
        if name in self.unclear:
            self.origin.refuse(self.unclear[name], f"{name} has no single, plain definition in this file")
        return self.plain.get(name)

    def functions(self) -> list[str]:
        """Return the names of the file's functions."""
        return [name for name, statement in self.plain.items() if isinstance(statement, ast.FunctionDef)]


def _plainly_bound(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name for alias in aliases]
        case ast.Import(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            return [name]
    return []


def _bound_somehow(statement: ast.stmt) -> set[str]:
    bound: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.stmt):
            bound.update(_plainly_bound(node))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            bound.add(node.id)
    return bound
