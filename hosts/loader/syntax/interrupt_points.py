"""Interrupt points: where an interrupt may be taken while the pCPU's interrupt flag is on.

A point stands right before each shared operation, and before ``local_irq_disable``, the last moment of an open window.
Points are a mechanism, not a list of hand-placed calls: a forgotten one hides a bug.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import Final

from hosts.loader.primitives import SHARED
from hosts.loader.syntax.language import with_bodies

_WITH_POINT: Final = SHARED | {"local_irq_disable"}


@dataclass(frozen=True)
class Site:
    """One interrupt point."""

    number: int
    file: str
    line: int
    function: str
    operation: str
    """The name of what is called right after the point."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.function}: {self.operation}"


class Points:
    """Puts points in, and numbers them from 1 in the order in which functions are given."""

    def __init__(self) -> None:
        self.sites: dict[int, Site] = {}

    def insert(self, function: ast.FunctionDef, file: str) -> ast.FunctionDef:
        """Return the function, which is in A-normal form, with its points."""
        new = copy.copy(function)
        new.body = self._block(function.body, function.name, file)
        return new

    def _block(self, statements: list[ast.stmt], function: str, file: str) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in statements:
            operation = called(statement)
            if operation in _WITH_POINT:
                site = Site(len(self.sites) + 1, file, statement.lineno, function, operation)
                self.sites[site.number] = site
                out.append(_point(site, statement))
            out.append(with_bodies(statement, lambda body: self._block(body, function, file)))
        return out


def called(statement: ast.stmt) -> str:
    """Return the name of the function whose call is all that a statement does, or an empty string."""
    match statement:
        case (
            ast.Assign(value=ast.Call(func=ast.Name(id=name)))
            | ast.AnnAssign(value=ast.Call(func=ast.Name(id=name)))
            | ast.Expr(value=ast.Call(func=ast.Name(id=name)))
        ):
            return name
    return ""


def _point(site: Site, like: ast.stmt) -> ast.stmt:
    call = ast.Call(ast.Name("interrupt_point", ast.Load()), [ast.Constant(site.number)], [])
    return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), like))
